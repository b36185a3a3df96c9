"""Truth scores against hand-computed values, and chance against many shuffles."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from stam_core.errors import ParameterError
from stam_core.metrics.chance import TruthScore, against_shuffles, summarise
from stam_core.metrics.truth import (
    dilate,
    key_frame_recall,
    mass_in_mask,
    patch_shares,
    pointing_game,
)
from stam_core.types import CropBox


def _keys(*places: int, n: int = 6) -> np.ndarray:
    keys = np.zeros(n, dtype=bool)
    keys[list(places)] = True
    return keys


@pytest.mark.parametrize(
    ("frames", "keys", "expected"),
    [
        ([6, 5, 4, 3, 2, 1], (0, 1, 2), 1.0),
        ([6, 5, 4, 3, 2, 1], (3, 4, 5), 0.0),
        ([6, 5, 4, 3, 2, 1], (0, 3, 5), 1 / 3),
        ([1, 1, 1, 1, 1, 1], (0, 4), 2 / 6),  # says nothing: chance
        # two places: the 9 takes one, three frames tie for the other and one of them is a key frame
        ([9, 5, 5, 5, 0, 0], (0, 1), (1 + 1 / 3) / 2),
        ([0, 5, 5, 5, 0, 9], (0, 1), (0 + 1 / 3) / 2),
        ([-1, -2, -3, -4, -5, -6], (0, 5), 1 / 2),  # signed scores are ranked, not cut
    ],
)
def test_key_frame_recall(frames: list[int], keys: tuple[int, ...], expected: float) -> None:
    score = key_frame_recall(np.array(frames, dtype=np.float32), _keys(*keys))
    assert score is not None
    assert score.value == pytest.approx(expected)
    assert score.expected == pytest.approx(len(keys) / 6)
    assert (score.counted, score.left_out) == (6, 0)


def test_ties_are_the_mean_over_every_way_to_break_them() -> None:
    scores, keys = np.array([2.0, 1.0, 1.0, 1.0, 0.0]), _keys(0, 2, 4, n=5)
    broken = []
    for order in itertools.permutations(range(5)):
        ranked = sorted(order, key=lambda i: -scores[i])  # stable: ties stay in `order`
        broken.append(np.mean([keys[i] for i in ranked[:3]]))
    found = key_frame_recall(scores, keys)
    assert found is not None
    assert found.value == pytest.approx(np.mean(broken))


def test_a_clip_without_key_frames_is_left_out() -> None:
    assert key_frame_recall(np.arange(6.0), _keys()) is None


def test_all_key_frames_leave_no_room() -> None:
    score = key_frame_recall(np.arange(6.0), _keys(*range(6)))
    assert score is not None
    assert score.value == pytest.approx(score.expected) == 1.0
    assert score.z is None
    assert "no room above chance" in repr(score)


def test_chance_of_recall_is_exact() -> None:
    """All 720 orders of six different scores: mean and deviation as the closed form says."""
    keys = _keys(0, 1, 4)
    values = []
    for order in itertools.permutations(range(6)):
        score = key_frame_recall(np.array(order, dtype=float), keys, draws=1)
        assert score is not None
        values.append(score.value)
    assert score.expected == pytest.approx(np.mean(values))
    assert score.spread == pytest.approx(np.std(values))
    # hypergeometric: k/T (1-k/T) (T-k)/(T-1) / k
    assert score.spread**2 == pytest.approx(0.5 * 0.5 * (3 / 5) / 3)


# One frame of 2x3 patches with the limb on one and a half of them, one without any limb.
SHARES = np.array([[[1.0, 0.5, 0.0], [0.0, 0.0, 0.0]], [[0.0] * 3] * 2])


def test_mass_in_mask() -> None:
    patches = np.array([[[3.0, 2.0, 1.0], [2.0, 2.0, 0.0]], [[1.0] * 3] * 2])
    score = mass_in_mask(patches, SHARES)
    assert score is not None
    assert score.value == pytest.approx((3 * 1.0 + 2 * 0.5) / 10)
    assert score.expected == pytest.approx(1.5 / 6)  # the mask's share of the frame
    assert (score.counted, score.left_out) == (1, 1)


def test_mass_of_a_signed_map_is_that_of_its_positive_part() -> None:
    patches = np.zeros((2, 2, 3))
    patches[0, 0] = [1.0, 1.0, -8.0]
    score = mass_in_mask(patches, SHARES)
    assert score is not None
    assert score.value == pytest.approx(0.75)


def test_frames_of_different_size_weigh_the_same() -> None:
    """A frame whose map is a thousand times larger does not drown the other."""
    shares = np.zeros((2, 1, 4))
    shares[:, 0, 0] = 1.0
    patches = np.array([[[1000.0, 0, 0, 0]], [[0, 1.0, 0, 0]]])
    score = mass_in_mask(patches, shares)
    assert score is not None
    assert score.value == pytest.approx(0.5)


def test_nothing_positive_is_left_out() -> None:
    assert mass_in_mask(-np.ones((2, 2, 3)), SHARES) is None


@pytest.mark.parametrize(
    ("highest", "tolerance", "hits", "chance"),
    [
        ((0, 0), 0, 1.0, 2 / 6),
        ((0, 1), 0, 1.0, 2 / 6),
        ((1, 2), 0, 0.0, 2 / 6),
        ((1, 2), 1, 1.0, 1.0),  # every patch touches one that shows the limb
    ],
)
def test_pointing_game(
    highest: tuple[int, int], tolerance: int, hits: float, chance: float
) -> None:
    patches = np.zeros((2, 2, 3))
    patches[0][highest] = 1.0
    score = pointing_game(patches, SHARES, tolerance=tolerance)
    assert score is not None
    assert score.value == hits
    assert score.expected == pytest.approx(chance)
    assert (score.counted, score.left_out) == (1, 1)


def test_a_stray_pixel_is_no_limb() -> None:
    shares = np.zeros((1, 2, 2))
    shares[0, 0] = [0.09, 0.11]
    patches = np.array([[[1.0, 0.0], [0.0, 0.0]]])
    score = pointing_game(patches, shares)
    assert score is not None
    assert score.value == 0.0
    assert score.expected == pytest.approx(1 / 4)


def test_highest_patches_share_the_point() -> None:
    patches = np.zeros((2, 2, 3))
    patches[0, 0] = 1.0  # three highest, two of them on the limb
    score = pointing_game(patches, SHARES)
    assert score is not None
    assert score.value == pytest.approx(2 / 3)


@pytest.mark.parametrize("score", [mass_in_mask, pointing_game])
def test_chance_of_patches_agrees_with_shuffles(score) -> None:
    rng = np.random.default_rng(3)
    patches, shares = rng.random((5, 4, 4)) ** 3, (rng.random((5, 4, 4)) - 0.5).clip(min=0.0)
    found = score(patches, shares, draws=20_000)
    assert found.random.mean() == pytest.approx(found.expected, abs=4 * found.spread / 141)
    assert found.random.std() == pytest.approx(found.spread, rel=0.03)
    low, high = found.band
    assert low < found.expected < high
    assert found.z == pytest.approx((found.value - found.expected) / found.spread)


def test_shuffles_stay_within_their_frame() -> None:
    """Truth of one frame never moves to another: each row keeps its own mean."""
    weights = np.array([[1.0, 0.0], [1.0, 0.0]])
    found = against_shuffles("toy", weights, np.array([[1, 1], [0, 0]]), (2, 0), (50, 0))
    assert set(found.random) == {0.5}
    assert found.spread == 0.0


def test_a_seed_repeats_the_band() -> None:
    first, second, other = (
        key_frame_recall(np.arange(6.0), _keys(1, 2), seed=seed) for seed in (5, 5, 6)
    )
    assert first is not None
    assert second is not None
    assert other is not None
    assert (first.random == second.random).all()
    assert (first.random != other.random).any()


def test_patch_shares_average_the_area() -> None:
    mask = np.zeros((1, 4, 6), dtype=bool)
    mask[0, 0, 0] = mask[0, 1, 1] = True  # two of the four pixels of patch (0,0)
    mask[0, 2:, 4:] = True  # all of patch (1,2)
    assert patch_shares(mask, (2, 3)).tolist() == [[[0.5, 0.0, 0.0], [0.0, 0.0, 1.0]]]


def test_patch_shares_follow_the_crop() -> None:
    """A 4x6 frame of which the model saw the middle 4x4 as 2x2 patches."""
    mask = np.zeros((1, 4, 6), dtype=bool)
    mask[0, :, 0] = True  # outside the crop
    mask[0, 0, 1] = True  # its first pixel
    shares = patch_shares(mask, (2, 2), CropBox(1 / 6, 0.0, 4 / 6, 1.0))
    np.testing.assert_allclose(shares, [[[0.25, 0.0], [0.0, 0.0]]], atol=1e-12)


def test_patch_shares_split_a_pixel_between_patches() -> None:
    mask = np.array([[[False, True, False]]])  # three pixels, two patches: the middle one is halved
    np.testing.assert_allclose(patch_shares(mask, (1, 2)), [[[1 / 3, 1 / 3]]])


def test_dilate_reaches_diagonals_and_not_other_frames() -> None:
    mask = np.zeros((2, 4, 4), dtype=bool)
    mask[0, 0, 0] = True
    grown = dilate(mask, 1)
    assert grown[0].sum() == 4
    assert grown[0, 1, 1]
    assert not grown[1].any()
    assert dilate(mask, 0).sum() == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: key_frame_recall(np.zeros(5), _keys(0)), "one score and one truth per frame"),
        (lambda: key_frame_recall(np.full(6, np.nan), _keys(0)), "not numbers"),
        (lambda: mass_in_mask(np.zeros((1, 2, 3)), SHARES), "one score and one share per patch"),
        (lambda: pointing_game(SHARES, SHARES, tolerance=-1), "0 patches or more"),
        (lambda: key_frame_recall(np.arange(6.0), _keys(0), draws=0), "At least one shuffle"),
    ],
)
def test_what_cannot_be_scored_is_said(call, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        call()


def _score(value: float, expected: float = 0.5, spread: float = 0.1, n: int = 4) -> TruthScore:
    return TruthScore("toy", value, expected, spread, np.full(n, expected), 3, 1)


def test_summary_of_clips() -> None:
    summary = summarise([_score(0.6), None, _score(0.8, expected=0.3)])
    assert summary is not None
    assert summary.mean == pytest.approx(0.7)
    assert summary.expected == pytest.approx(0.4)
    assert summary.z == pytest.approx((0.7 - 0.4) / (np.sqrt(2 * 0.01) / 2))
    assert (summary.clips, summary.clips_left_out) == (2, 1)
    assert (summary.frames, summary.frames_left_out) == (6, 2)
    assert summary.interval == (pytest.approx(0.6), pytest.approx(0.8))
    assert "toy 0.700" in repr(summary)


def test_bootstrap_interval_is_about_two_standard_errors() -> None:
    values = np.random.default_rng(0).normal(0.5, 0.1, 400)
    summary = summarise([_score(float(value)) for value in values])
    assert summary is not None
    low, high = summary.interval
    assert (high - low) / 2 == pytest.approx(1.96 * 0.1 / 20, rel=0.15)


def test_band_of_the_mean_narrows_with_clips() -> None:
    rng = np.random.default_rng(1)
    scores = [key_frame_recall(rng.random(6), _keys(0, 1), draws=2000, seed=i) for i in range(25)]
    one, many = summarise(scores[:1]), summarise(scores)
    assert one is not None
    assert many is not None
    assert np.diff(many.band) == pytest.approx(np.diff(one.band) / 5, rel=0.25)


def test_nothing_to_summarise() -> None:
    assert summarise([None, None]) is None


def test_different_scores_are_not_averaged() -> None:
    with pytest.raises(ParameterError, match="Only one score"):
        summarise([_score(0.1), _score(0.1, n=5)])
