from __future__ import annotations

import numpy as np
import pytest

from stam_core.actions import backdrops
from stam_core.actions.canvas import Canvas, fractal
from stam_core.actions.scene import (
    Pattern,
    choose_look,
    margin_pixels,
    paint_background,
    pattern_shade,
)


def paint(seed, clutter=1.0, width=48, height=48, **place):
    rng = np.random.default_rng(seed)
    place = {"floor_y": 0.85 * height, **place}
    return paint_background(rng, width=width, height=height, clutter=clutter, **place)


@pytest.mark.parametrize("seed", range(6))
def test_the_same_generator_paints_the_same_background(seed):
    np.testing.assert_array_equal(paint(seed), paint(seed))


@pytest.mark.parametrize(
    ("width", "height", "place"),
    [
        (16, 16, {}),
        (90, 40, {"horizon_y": 2.0}),
        (40, 90, {"horizon_y": -500.0}),
        (48, 48, {"floor_y": 300.0, "horizon_y": 20.0}),
        (48, 48, {"floor_y": 10.0, "horizon_y": 40.0}),
        (48, 48, {"floor_y": -20.0}),
        (48, 48, {"horizon_y": float("inf")}),
        (48, 48, {"horizon_y": float("nan")}),
    ],
)
def test_every_size_and_camera_gives_a_picture(width, height, place):
    margin = margin_pixels(width, height)
    for seed in range(12):
        picture = paint(seed, width=width, height=height, **place)
        assert picture.shape == (height + 2 * margin, width + 2 * margin, 3)
        assert picture.dtype == np.float32
        assert np.isfinite(picture).all()
        assert picture.min() >= 0.0
        assert picture.max() <= 1.0


def test_without_clutter_there_is_a_wall_and_at_most_a_floor():
    for seed in range(20):
        picture = paint(seed, clutter=0.0)
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) <= 2
        assert (picture == picture[:, :1]).all()


@pytest.mark.parametrize("name", backdrops.BACKDROPS)
def test_every_backdrop_is_a_picture_and_no_two_are_alike(name):
    def one(seed):
        return backdrops.paint_backdrop(
            np.random.default_rng(seed), width=48, height=48, feet=42.0, horizon=20.0, name=name
        )

    pictures = np.stack([one(seed) for seed in range(6)])
    assert pictures.std(axis=(1, 2, 3)).max() > 0.01
    differences = np.abs(pictures[1:] - pictures[:-1]).mean(axis=(1, 2, 3))
    assert differences.min() > 0.005


@pytest.mark.parametrize("name", backdrops.BACKDROPS)
@pytest.mark.parametrize(("feet", "horizon"), [(-10.0, -60.0), (120.0, -200.0), (30.0, 60.0)])
def test_every_backdrop_stands_feet_outside_the_picture(name, feet, horizon):
    for seed in range(3):
        picture = backdrops.paint_backdrop(
            np.random.default_rng(seed), width=32, height=32, feet=feet, horizon=horizon, name=name
        )
        assert np.isfinite(picture).all()


def test_backgrounds_are_neither_all_dark_nor_all_bright():
    means = np.array([paint(seed).mean() for seed in range(80)])
    assert 0.3 < means.mean() < 0.65
    assert means.std() > 0.1


def test_the_ground_plane_ends_in_the_horizon():
    canvas = Canvas(np.random.default_rng(0), width=64, height=64, feet=0.9, horizon=0.3)
    assert canvas.on_ground(0.0, 1.0) == pytest.approx((0.5, 0.9))
    assert canvas.on_ground(0.0, 1e9)[1] == pytest.approx(0.3)
    assert canvas.on_ground(0.5, 2.0) == pytest.approx((0.75, 0.6))
    assert canvas.horizon < canvas.foot_line < canvas.feet


def test_fractal_noise_is_normalised_and_smooth():
    noise = fractal(np.random.default_rng(0), 60, 80, roughness=0.5)
    assert noise.shape == (60, 80)
    assert abs(float(noise.mean())) < 1e-4
    assert float(noise.std()) == pytest.approx(1.0, abs=1e-3)
    neighbours = np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]
    assert neighbours > 0.8


def clothes_distance(look, background):
    """How far shirt and trousers are from two thirds of the middle of the picture."""
    height, width = background.shape[:2]
    middle = background[height // 6 : -(height // 6), width // 4 : -(width // 4)].reshape(-1, 3)
    return [
        np.quantile(np.linalg.norm(look.colours[name] - middle, axis=1), 1 / 3)
        for name in ("shirt", "trousers")
    ]


def test_most_people_stand_out_some_weakly_none_is_invisible():
    rng = np.random.default_rng(3)
    weak, lowest = 0, []
    for seed in range(300):
        wall = paint(seed, clutter=0.3, width=24, height=24)
        distances = clothes_distance(choose_look(rng, wall), wall)
        weak += min(distances) < 0.29
        lowest.append(min(distances))
    assert min(lowest) > 0.1
    assert 0.15 < weak / 300 < 0.35


def test_a_look_is_complete_and_repeats():
    wall = paint(1)
    one, two = (choose_look(np.random.default_rng(5), wall) for _ in range(2))
    assert set(one.patterns) == set(two.patterns)
    assert set(one.patterns) <= set(one.colours)
    for name, colour in one.colours.items():
        np.testing.assert_array_equal(colour, two.colours[name])
        assert 0.0 <= colour.min() <= colour.max() <= 1.0


def make_pattern(kind, **values):
    table = np.linspace(-1, 1, 96, dtype=np.float32).reshape(12, 8)
    settings = {"strength": 0.5, "count": 2.0, "turn": 0.0, "phase": 0.0, **values}
    return Pattern(kind=kind, table=table, **settings)


def test_rings_of_a_striped_sleeve_repeat_along_it_and_not_across():
    pattern = make_pattern("stripes")
    # sin(2 pi 2 along) is 1 at 1/8 and -1 at 3/8, the same half a limb further on
    along = np.array([0.125, 0.375, 0.625, 0.875])
    np.testing.assert_allclose(pattern_shade(pattern, along, np.zeros(4)), [1.5, 0.5, 1.5, 0.5])
    across = pattern_shade(pattern, np.full(5, 0.125), np.linspace(-1, 1, 5))
    np.testing.assert_allclose(across, 1.5)


def test_a_logo_lies_on_the_chest_only():
    pattern = make_pattern("logo")
    along, across = np.meshgrid(np.linspace(0, 1, 22), np.linspace(-1, 1, 22))
    shade = pattern_shade(pattern, along, across)
    outside = (along <= 0.15) | (along >= 0.5) | (np.abs(across) >= 0.7)
    assert (shade[outside] == 1.0).all()
    assert (shade[~outside] != 1.0).all()


@pytest.mark.parametrize("kind", ["stripes", "checks", "noise", "logo"])
def test_patterns_broadcast_and_stay_within_their_strength(kind):
    shade = pattern_shade(
        make_pattern(kind, turn=0.7), np.linspace(0, 1, 9)[:, None], np.linspace(-1, 1, 7)[None]
    )
    assert shade.shape == (9, 7)
    assert shade.dtype == np.float32
    assert shade.min() >= 0.5 - 1e-6
    assert shade.max() <= 1.5 + 1e-6
    assert shade.std() > 0.0
