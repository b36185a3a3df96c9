"""Deletion, insertion and their kin, by hand on games whose values are known."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from stam_core.errors import ParameterError
from stam_core.explain.game import REMOVALS, FrameGame
from stam_core.metrics.faithfulness import (
    Measure,
    frame_faithfulness,
    judge_frames,
    random_band,
    ranked,
    taken_at_once,
)
from stam_core.metrics.patch_faithfulness import MASKS, judge_patches, patch_band
from stam_core.types import Target
from tests.toys import toy_subject

WEIGHTS = torch.tensor([4.0, 0.0, 1.0, 2.0])


@dataclass(frozen=True, eq=False)
class Sum(FrameGame):
    """Each kept frame adds its weight."""

    weights: torch.Tensor = WEIGHTS

    @property
    def num_frames(self):
        return len(self.weights)

    def values(self, kept):
        return kept.float() @ self.weights


def band_of(weights=WEIGHTS, **options):
    return {"drop": random_band(Sum(None, None, weights=weights), **options)}


def test_the_best_order_of_a_sum_by_hand():
    found = judge_frames(WEIGHTS.numpy(), band_of()).removals["drop"]
    np.testing.assert_array_equal(found.insertion, [0, 4, 6, 7, 7])
    np.testing.assert_array_equal(found.deletion, [7, 3, 1, 0, 0])
    measures = found.measures
    assert measures["insertion"].value == (0 / 2 + 4 + 6 + 7 + 7 / 2) / 4
    assert measures["deletion"].value == (7 / 2 + 3 + 1 + 0 + 0 / 2) / 4
    assert measures["gap"].value == 5.125 - 1.875
    # 1 and 2 of 4 frames at once: 7 - mean(3, 1) and 7 - mean(4, 6)
    assert measures["comprehensiveness"].value == 5.0
    assert measures["sufficiency"].value == 2.0
    assert all(measure.z > 0 for measure in measures.values())
    assert found.verdict == "random"  # one order in 24 is as good: more than 2.5 %


def test_the_opposite_order_is_worse_than_random():
    weights = torch.tensor([5.0, 0, 1, 2, 3, 4, 6, 7])
    found = judge_frames(-weights.numpy(), band_of(weights)).removals["drop"]
    assert found.verdict == "worse"
    assert all(measure.z < 0 for measure in found.measures.values())


def test_a_band_knows_what_all_orders_give():
    """Mean and spread over all 4! orders, worked out by going through them."""
    band = band_of(orders=4000)["drop"]
    gaps = []
    for order in itertools.permutations(range(4)):
        curve = np.concatenate([[0], np.cumsum(WEIGHTS.numpy()[list(order)])])
        left = 7 - curve
        gaps.append(((curve - left)[1:] + (curve - left)[:-1]).mean() / 2)
    gap = judge_frames(WEIGHTS.numpy(), {"drop": band}).removals["drop"].measures["gap"]
    assert gap.expected == pytest.approx(0.0, abs=1e-12)
    assert gap.spread == pytest.approx(np.std(gaps), rel=0.05)
    assert gap.band[0] == pytest.approx(-gap.band[1])
    assert band.evaluations == 2**4


def test_deletion_of_an_order_is_insertion_of_the_same_backwards():
    band = band_of(orders=6)["drop"]
    np.testing.assert_allclose(band.insertion + band.deletion, 7.0)
    assert band.curves.shape == (6, 5)


def test_ties_are_no_order():
    """A map that says the same of all frames gets what random orders get."""
    found = judge_frames(np.zeros(4, np.float32), band_of())
    assert found.tied
    assert found.removals["drop"].verdict == "random"
    assert ranked(np.array([1.0, 1.0, 3.0]))[:, 0].tolist() == [2] * 8
    assert ranked(np.array([1.0, 2.0, 3.0])).tolist() == [[2, 1, 0]]


def test_where_every_order_gives_the_same_nothing_is_said():
    found = judge_frames(WEIGHTS.numpy(), band_of(torch.zeros(4)))
    assert found.removals["drop"].z is None
    assert found.removals["drop"].verdict == "random"
    assert "none is better" in found.sentence


def test_a_verdict_that_flips_is_flagged():
    weights = torch.tensor([5.0, 0, 1, 2, 3, 4, 6, 7])
    bands = band_of(weights)
    bands["mean"] = replace(bands["drop"], game=Sum(None, None, "mean", weights=weights))
    steady = judge_frames(weights.numpy(), bands)
    assert not steady.flips
    assert "better than random orders, however frames are taken away" in steady.sentence
    bands["mean"] = random_band(Sum(None, None, "mean", weights=-weights))
    found = judge_frames(weights.numpy(), bands)
    assert found.flips
    assert "better than random orders with frames dropped" in found.sentence
    assert "worse than random orders with frames replaced by the mean" in found.sentence


def test_how_many_frames_are_taken_at_once():
    assert taken_at_once(16) == [1, 2, 4, 8]
    assert taken_at_once(4) == [1, 2]
    assert taken_at_once(1) == [1]


def test_on_a_model_the_curves_are_its_own_answers():
    subject, target = toy_subject(), Target(2, foil=1)
    frames = np.array([0.1, 0.9, 0.5, 0.2], np.float32)
    found = frame_faithfulness(subject, target, frames, orders=10)
    assert tuple(found.removals) == REMOVALS
    logits = subject.model.classify(
        subject.trace().frame_embeddings[None, [1, 2]], torch.tensor([1, 2])
    )
    expected = (logits[0, 2] - logits[0, 1]).item()
    assert found.removals["drop"].insertion[2] == pytest.approx(expected, abs=1e-5)
    whole = target.of(subject.trace().logits).item()
    for scores in found.removals.values():
        assert scores.insertion[-1] == pytest.approx(whole, abs=1e-5)
        assert scores.deletion[0] == pytest.approx(whole, abs=1e-5)


def test_the_same_seed_gives_the_same_verdict():
    subject, frames = toy_subject(), np.array([0.1, 0.9, 0.1, 0.2], np.float32)
    first, again = (
        frame_faithfulness(subject, Target(0), frames, orders=10, seed=5) for _ in range(2)
    )
    for removal in REMOVALS:
        assert first.removals[removal].measures == again.removals[removal].measures


@pytest.mark.parametrize(
    ("frames", "message"),
    [(np.zeros(3), "Expected 4 frame scores"), (np.full(4, np.nan), "not numbers")],
)
def test_scores_that_cannot_be_ranked(frames, message):
    with pytest.raises(ParameterError, match=message):
        judge_frames(frames, band_of())


def test_too_few_orders():
    with pytest.raises(ParameterError, match="At least 2 random orders"):
        band_of(orders=1)


def test_verdict_and_direction_of_a_measure():
    less = Measure("deletion", value=1.0, expected=2.0, spread=0.4, band=(1.2, 2.8), better=-1)
    assert less.z == pytest.approx(2.5)
    assert less.verdict == "better"
    assert replace(less, value=3.0).verdict == "worse"
    assert replace(less, value=1.5).verdict == "random"


def test_hidden_patches_by_hand():
    """The loss of a map is that of the clip with its best patches painted over."""
    subject, target = toy_subject(), Target(3)
    band = patch_band(subject, target, share=0.25, draws=20)
    assert band.hidden == 4
    assert band.passes == MASKS
    patches = np.zeros((4, 4, 4), np.float32)
    patches[:, 1, :] = 1.0  # the second row of patches: pixel rows 8 to 15
    x = subject.x.clone()
    x[:, :, 8:16] = subject.x.mean(dim=(0, 2, 3))[:, None, None]
    expected = (subject.model(subject.x[None]) - subject.model(x[None]))[0, 3].item()
    assert judge_patches(patches, band).value == pytest.approx(expected, abs=1e-4)


def test_the_patches_that_matter_are_found_and_others_not():
    subject, target = toy_subject(), Target(3)
    blurred = patch_band(subject, target, fill="blur", share=0.5, draws=200)
    assert blurred.losses.std() > 0
    assert blurred.fill.shape == subject.x.shape
    random = np.random.default_rng(1).random((4, 4, 4)).astype(np.float32)
    assert judge_patches(random, blurred).z is not None
    assert abs(judge_patches(random, blurred).z) < 4


def test_patches_that_cannot_be_ranked():
    band = patch_band(toy_subject(), Target(0), draws=2)
    with pytest.raises(ParameterError, match="Expected patch scores"):
        judge_patches(np.zeros((4, 2, 2)), band)
    with pytest.raises(ParameterError, match="not numbers"):
        judge_patches(np.full((4, 4, 4), np.inf), band)
    with pytest.raises(ParameterError, match="hides 0 of 16"):
        patch_band(toy_subject(), Target(0), share=0.01)
    with pytest.raises(ParameterError, match="At least 2 masked"):
        patch_band(toy_subject(), Target(0), draws=1)
