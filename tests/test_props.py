from __future__ import annotations

import numpy as np
import pytest

from stam_core.actions import things, things_behind, things_front
from stam_core.actions.props import LARGEST_COVER, Props, draw_props
from stam_core.actions.things import Prop

U = np.linspace(0.0, 1.0, 6)


def random_props(seed, strength=1.0, width=56, height=56):
    return Props.random(np.random.default_rng(seed), width, height, 0.88 * height, strength)


def square(**settings):
    """A white square of 4x4 pixels."""
    return Prop(
        colours=np.ones((3, 4, 4), dtype=np.float32),
        cover=np.ones((4, 4), dtype=np.float32),
        **{"layer": "front", "place": (2.0, 3.0), **settings},
    )


def test_strength_zero_has_nothing():
    assert all(random_props(seed, 0.0).things == () for seed in range(50))


def test_most_clips_have_nothing():
    layers = [{thing.layer for thing in random_props(seed).things} for seed in range(600)]
    assert 0.20 < np.mean(["behind" in here for here in layers]) < 0.30
    assert 0.11 < np.mean(["front" in here for here in layers]) < 0.19


@pytest.mark.parametrize("layer", ["behind", "front"])
def test_the_mask_is_what_changed_and_repeats(layer):
    seen = 0
    for seed in range(120):
        props = random_props(seed)
        planes = np.full((len(U), 3, 56, 56), -1.0, dtype=np.float32)
        mask = draw_props(planes, props, U, layer)
        changed = (planes != -1.0).any(axis=1)
        assert mask.shape == (len(U), 56, 56)
        assert not (mask & ~changed).any()
        if mask.any():
            seen += 1
            again = np.full_like(planes, -1.0)
            np.testing.assert_array_equal(mask, draw_props(again, random_props(seed), U, layer))
            np.testing.assert_array_equal(planes, again)
    assert seen >= 8


@pytest.mark.parametrize("size", [(56, 56), (90, 50), (50, 90), (16, 16)])
@pytest.mark.parametrize("maker", things_front.FRONT)
def test_what_stands_in_front_leaves_the_person_to_be_seen(maker, size):
    width, height = size
    for seed in range(25):
        place = things.Place(np.random.default_rng(seed), width, height, 0.9 * height)
        planes = np.zeros((1, 3, height, width), dtype=np.float32)
        mask = draw_props(planes, Props((maker(place),)), np.array([0.3]), "front")[0]
        assert mask.mean() <= LARGEST_COVER
        centre = mask[:, width // 2 - width // 8 : width // 2 + width // 8]
        assert centre.mean() < 0.6
        assert 0.0 <= planes.min() <= planes.max() <= 1.0


@pytest.mark.parametrize(
    "maker", sorted(set(things_behind.BEHIND), key=lambda maker: maker.__name__)
)
def test_what_is_behind_shows_and_keeps_its_colours_in_range(maker):
    shown = 0
    for seed in range(12):
        place = things.Place(np.random.default_rng(seed), 56, 56, 50.0)
        planes = np.zeros((len(U), 3, 56, 56), dtype=np.float32)
        thing = maker(place)
        assert thing.layer == "behind"
        shown += bool(draw_props(planes, Props((thing,)), U, "behind").any())
        assert np.isfinite(planes).all()
        assert planes.min() >= 0.0
        assert planes.max() <= 1.3
    assert shown >= 8


def test_a_still_thing_covers_its_own_pixels_only():
    planes = np.zeros((len(U), 3, 12, 12), dtype=np.float32)
    mask = draw_props(planes, Props((square(),)), U, "front")
    expected = np.zeros((12, 12), dtype=bool)
    expected[3:7, 2:6] = True
    np.testing.assert_array_equal(mask, np.broadcast_to(expected, mask.shape))
    np.testing.assert_array_equal(planes[:, 0], expected[None].repeat(len(U), axis=0))


def test_only_the_layer_asked_for_is_drawn():
    planes = np.zeros((len(U), 3, 12, 12), dtype=np.float32)
    assert not draw_props(planes, Props((square(),)), U, "behind").any()
    assert not planes.any()


def test_things_pass_bounce_sway_and_flicker():
    passing = square(motion="pass", reach=(10.0, -2.0)).places(np.array([0.0, 0.5, 1.0]))
    np.testing.assert_array_equal(passing, [[2, 3], [7, 2], [12, 1]])
    bouncing = square(motion="bounce", reach=(4.0, 3.0)).places(np.array([0.0, 0.5, 1.0]))
    np.testing.assert_array_equal(bouncing, [[2, 3], [4, 0], [6, 3]])
    swaying = square(motion="sway", reach=(2.0, 0.0)).places(np.array([0.0, 0.25, 0.75]))
    np.testing.assert_array_equal(swaying, [[2, 3], [4, 3], [0, 3]])
    planes = np.zeros((4, 3, 12, 12), dtype=np.float32)
    flickering = square(gains=(0.5, 1.0))
    draw_props(planes, Props((flickering,)), np.array([0.0, 0.4, 0.6, 1.0]), "front")
    np.testing.assert_allclose(planes[:, 0, 4, 4], [0.5, 0.5, 1.0, 1.0])


def test_a_thing_outside_the_picture_is_harmless():
    planes = np.zeros((1, 3, 12, 12), dtype=np.float32)
    for place in ((-50.0, 3.0), (50.0, 3.0), (3.0, -50.0), (3.0, 50.0)):
        assert not draw_props(planes, Props((square(place=place),)), U[:1], "front").any()
    assert draw_props(planes, Props((square(place=(-2.0, 10.0)),)), U[:1], "front").sum() == 4
