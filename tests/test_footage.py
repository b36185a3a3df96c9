from __future__ import annotations

import numpy as np
import pytest

from stam_core.actions.footage import Footage, Overlay, apply_footage


@pytest.fixture
def frames():
    rng = np.random.default_rng(0)
    coarse = rng.integers(30, 220, (4, 6, 6, 3), dtype=np.uint8)
    return np.ascontiguousarray(coarse.repeat(8, axis=1).repeat(8, axis=2))  # [4,48,48,3]


def film(frames, seed=0, **settings):
    return apply_footage(frames, Footage(**settings), np.random.default_rng(seed))


def test_strength_zero_changes_nothing(frames):
    rng = np.random.default_rng(1)
    footage = Footage.random(rng, 0.0)
    assert footage == Footage()
    before = frames.copy()
    np.testing.assert_array_equal(apply_footage(frames, footage, rng), before)


def test_what_was_handed_in_stays_as_it_was(frames):
    before = frames.copy()
    for seed in range(30):
        rng = np.random.default_rng(seed)
        apply_footage(frames, Footage.random(rng, 1.0), rng)
    np.testing.assert_array_equal(frames, before)


@pytest.mark.parametrize("seed", range(12))
def test_same_generator_same_footage_and_shape_kept(frames, seed):
    def one():
        rng = np.random.default_rng(seed)
        return apply_footage(frames, Footage.random(rng, 1.0), rng)

    first = one()
    assert first.flags.writeable
    assert first.shape == frames.shape
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, one())


@pytest.mark.parametrize(("height", "width", "count"), [(16, 16, 2), (33, 51, 3), (60, 20, 1)])
def test_odd_sizes_work(height, width, count):
    rng = np.random.default_rng(2)
    clip = rng.integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    for seed in range(25):
        rng = np.random.default_rng(seed)
        assert apply_footage(clip, Footage.random(rng, 1.0), rng).shape == clip.shape


def test_about_a_tenth_of_all_clips_has_no_colours_and_half_is_compressed():
    rng = np.random.default_rng(3)
    drawn = [Footage.random(rng, 1.0) for _ in range(2000)]
    assert 0.08 < np.mean([f.tint is not None for f in drawn]) < 0.12
    assert 0.45 < np.mean([f.quality is not None for f in drawn]) < 0.55
    qualities = [f.quality for f in drawn if f.quality is not None]
    assert min(qualities) >= 8
    assert max(qualities) <= 60
    assert min(f.scale for f in drawn) >= 0.5


def test_weaker_footage_is_nearer_to_the_original(frames):
    def change(strength):
        total = 0.0
        for seed in range(40):
            rng = np.random.default_rng(seed)
            filmed = apply_footage(frames, Footage.random(rng, strength), rng)
            total += np.abs(filmed.astype(float) - frames).mean()
        return total

    assert 0.0 < change(0.2) < change(1.0)


def test_without_colours_all_channels_are_equal(frames):
    grey = film(frames, tint=(1.0, 1.0, 1.0))
    assert np.ptp(grey.astype(int), axis=3).max() <= 1
    sepia = film(frames, tint=(1.06, 1.0, 0.82)).astype(int)
    assert (sepia[..., 0] > sepia[..., 2]).all()


def test_a_stop_more_doubles_what_is_not_near_white():
    dark = np.full((2, 16, 16, 3), 40, dtype=np.uint8)
    np.testing.assert_array_equal(film(dark, exposure=1.0), 80)


def test_drift_brightens_from_first_to_last_frame():
    grey = np.full((5, 16, 16, 3), 90, dtype=np.uint8)
    means = film(grey, drift=1.0).mean(axis=(1, 2, 3))
    assert (np.diff(means) > 0).all()
    assert means[2] == pytest.approx(90, abs=1)


def test_low_resolution_removes_detail(frames):
    stripes = np.zeros((2, 48, 48, 3), dtype=np.uint8)
    stripes[:, :, ::2] = 255
    assert film(stripes, scale=0.5).std() < 0.3 * stripes.std()


def test_noise_is_as_strong_as_asked_and_stronger_in_the_dark():
    def spread(level):
        flat = np.full((4, 64, 64, 3), level, dtype=np.uint8)
        return film(flat, luma_noise=6.0).astype(float).std()

    assert 6.0 < spread(40) < 7.5
    assert spread(190) < 0.8 * spread(40)
    fresh = film(np.full((2, 64, 64, 3), 90, dtype=np.uint8), luma_noise=6.0).astype(float)
    assert abs(np.corrcoef(fresh[0].ravel(), fresh[1].ravel())[0, 1]) < 0.2


def test_lower_quality_is_farther_from_the_original(frames):
    def error(quality):
        return np.abs(film(frames, quality=quality).astype(float) - frames).mean()

    assert 0.0 < error(60) < error(10)


def test_compressing_frames_together_mixes_none_with_its_neighbour():
    clip = np.zeros((3, 24, 24, 3), dtype=np.uint8)
    clip[1] = 255
    coded = film(clip, quality=30, block_offset=(3, 5)).astype(int)
    assert coded[0].max() < 12
    assert coded[2].max() < 12
    assert coded[1].min() > 243


def test_blocks_that_hardly_change_stay_frozen():
    clip = np.full((3, 16, 16, 3), 100, dtype=np.uint8)
    clip[1] = 102
    clip[2, :8, :8] = 160
    clip[2, 8:, 8:] = 101
    shown = film(clip, frozen=4.0)
    np.testing.assert_array_equal(shown[1], 100)
    np.testing.assert_array_equal(shown[2, :8, :8], 160)
    np.testing.assert_array_equal(shown[2, 8:, 8:], 100)


def test_combing_touches_every_other_row_of_what_moves():
    clip = np.zeros((2, 16, 32, 3), dtype=np.uint8)
    clip[0, :, 4:10] = 255
    clip[1, :, 8:14] = 255
    combed = film(clip, comb=2)
    np.testing.assert_array_equal(combed[:, ::2], clip[:, ::2])
    assert (combed[0, 1] != clip[0, 1]).any()
    still = np.repeat(clip[:1], 2, axis=0)
    np.testing.assert_array_equal(film(still, comb=2), still)


def test_bars_and_overlay_lie_where_they_were_put(frames):
    barred = film(frames, bars=(0.125, 0.0))
    assert barred[:, :6].max() < 16
    assert barred[:, -6:].max() < 16
    np.testing.assert_array_equal(barred[:, 6:-6], frames[:, 6:-6])
    overlay = Overlay(place=(0.0, 0.0), letters=4, pixel=1, colour=(255, 255, 40), box=False)
    marked = film(frames, overlay=overlay)
    changed = (marked != frames).any(axis=(0, 3))
    assert changed[:5, :16].sum() > 10
    assert not changed[5:].any()
    assert not changed[:, 16:].any()
