"""Shapley values of frames, against their definition, captum, and games worked out by hand."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from captum.attr import ShapleyValues

from stam_core.errors import ParameterError
from stam_core.explain import game as game_module
from stam_core.explain import shapley as shapley_module
from stam_core.explain.game import FrameGame
from stam_core.explain.shapley import Shapley, added_in_order, arrived, exact, student_t
from stam_core.types import Target
from tests.frame_toys import additive, hand_subject
from tests.test_record import hooks_of
from tests.toys import CONFIG, toy_subject

FIRST = Target(0)


def values_one_by_one(subject, target):
    """The value of every subset by a plain forward pass each: subset number -> value."""
    own, n = subject.frame_embeddings, len(subject.x)
    found = []
    for code in range(2**n):
        kept = torch.tensor([t for t in range(n) if code >> t & 1], dtype=torch.long)
        found.append(float(target.of(subject.model.classify(own[kept][None], kept))[0]))
    return np.array(found)


@pytest.mark.parametrize("target", [Target(1), Target(1, foil=3)])
def test_exact_equals_the_definition_over_all_orders(target):
    subject = toy_subject()
    values = values_one_by_one(subject, target)
    expected = np.zeros(4)
    for order in itertools.permutations(range(4)):
        code = 0
        for frame in order:
            expected[frame] += values[code | 1 << frame] - values[code]
            code |= 1 << frame
    expected /= math.factorial(4)
    scores = Shapley().scores(subject, target)
    np.testing.assert_allclose(scores.frames, expected, atol=1e-5)
    assert scores.details["v_all"] == pytest.approx(values[15], abs=1e-5)
    assert scores.details["v_none"] == pytest.approx(values[0], abs=1e-5)
    assert abs(scores.details["sum_error"]) < 1e-9
    assert scores.details["evaluations"] == 16
    assert scores.done == 1.0


def test_exact_equals_captum_on_six_frames():
    subject = toy_subject(dataclasses.replace(CONFIG, num_frames=6))
    table = torch.from_numpy(values_one_by_one(subject, Target(2)))

    def forward(kept):  # [B,6] of 0. and 1. -> [B]
        return table[(kept.long() << torch.arange(6)).sum(dim=1)]

    expected = ShapleyValues(forward).attribute(torch.ones(1, 6), baselines=0.0)
    scores = Shapley().scores(subject, Target(2))
    np.testing.assert_allclose(scores.frames, expected[0], atol=1e-5)


def test_additive_game_null_player_and_symmetry():
    weights = (1.5, 0.0, -2.0, 0.5)
    assert Shapley().scores(hand_subject(4, additive(*weights)), FIRST).frames.tolist() == [
        pytest.approx(weight, abs=1e-6) for weight in weights
    ]

    def value(present):  # 0, 1 and 2 only together; 3 nothing; 4 by itself
        return 6 * present[:, :3].prod(dim=1) + present[:, 4]

    shares = Shapley().scores(hand_subject(5, value), FIRST).frames
    np.testing.assert_allclose(shares, [2.0, 2.0, 2.0, 0.0, 1.0], atol=1e-6)


def test_a_glove_game():
    """One left glove (0), two right ones (1, 2), a pair is worth 6: shares 4, 1, 1."""
    pair = hand_subject(3, lambda present: 6 * present[:, 0] * present[:, 1:].amax(dim=1))
    np.testing.assert_allclose(Shapley().scores(pair, FIRST).frames, [4.0, 1.0, 1.0], atol=1e-6)


@pytest.mark.parametrize("removal", ["drop", "mean", "hold"])
@pytest.mark.parametrize("scale", ["logit", "probability"])
def test_shares_add_up_under_every_removal_and_scale(removal, scale):
    method = Shapley(removal=removal, scale=scale)
    scores = method.scores(toy_subject(), Target(1))
    gain = scores.details["v_all"] - scores.details["v_none"]
    assert float(scores.frames.sum()) == pytest.approx(gain, abs=1e-6)
    assert abs(scores.details["sum_error"]) < 1e-6


@pytest.fixture
def _small_steps(monkeypatch):
    monkeypatch.setattr(game_module, "_STEP_MACS", 0)  # 16 subsets a step


@pytest.mark.usefixtures("_small_steps")
def test_partial_results_come_early_and_close_in():
    subject = toy_subject(dataclasses.replace(CONFIG, num_frames=9))
    whole = Shapley().scores(subject, Target(1)).frames
    parts = []
    for scores in Shapley().stream(subject, Target(1)):
        parts.append(scores)
        assert hooks_of(subject.model) == 0
        assert torch.isfinite(scores.frames).all()
    shares = [scores.done for scores in parts]
    assert shares == sorted(shares)
    assert shares[0] == 20 / 512
    assert shares[-1] == 1.0
    assert torch.equal(parts[-1].frames, whole)
    errors = [float((scores.frames - whole).abs().max()) for scores in parts]
    assert max(errors[len(errors) // 2 :]) < max(errors[0], 1e-6)


@pytest.mark.usefixtures("_small_steps")
def test_the_first_partial_is_the_mean_of_coming_first_and_coming_last():
    subject = toy_subject(dataclasses.replace(CONFIG, num_frames=8))
    game = FrameGame(subject, Target(1))
    first = next(exact(game))
    eye = torch.eye(8).bool()
    none, every = game.values(torch.stack([torch.zeros(8), torch.ones(8)]).bool())
    expected = (game.values(eye) - none + every - game.values(~eye)) / 2
    torch.testing.assert_close(first.frames.float(), expected, atol=1e-5, rtol=0)


def test_sampled_shares_lie_in_their_interval_and_add_up():
    subject = toy_subject(dataclasses.replace(CONFIG, num_frames=7))
    truth = Shapley().scores(subject, Target(1)).frames
    scores = Shapley(subsets="sampled", pairs=64).scores(subject, Target(1))
    low, high = scores.series["low"], scores.series["high"]
    assert ((low <= truth) & (truth <= high)).sum() >= 6  # 95 % each
    assert (low < high).all()
    assert (low <= scores.frames).all()
    assert abs(scores.details["sum_error"]) < 1e-6
    assert scores.details["pairs"] == 64


def test_sampling_is_reproduced_by_its_seed():
    subject = toy_subject(dataclasses.replace(CONFIG, num_frames=7))
    first, again, other = (
        Shapley(subsets="sampled", pairs=8, seed=seed).scores(subject, Target(1)).frames
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_an_order_and_its_reverse_cancel_what_only_depends_on_being_early():
    """v = 1 as soon as any frame is there: whoever comes first takes all of it."""
    subject = hand_subject(3, lambda present: present.amax(dim=1))
    game = FrameGame(subject, FIRST)
    orders = torch.tensor([[2, 0, 1], [1, 0, 2]])
    between = game.values(arrived(orders))
    added = added_in_order(orders, between, torch.tensor([0.0, 1.0]).double())
    assert added.tolist() == [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]


def test_additive_frames_need_no_interval():
    subject = hand_subject(5, additive(1.0, 2.0, 3.0, 0.0, -1.0))
    scores = Shapley(subsets="sampled", pairs=8).scores(subject, FIRST)
    np.testing.assert_allclose(scores.series["low"], scores.series["high"], atol=1e-6)
    np.testing.assert_allclose(scores.frames, [1, 2, 3, 0, -1], atol=1e-6)


def test_auto_is_exact_where_that_is_affordable_and_samples_where_it_is_not(monkeypatch):
    subject = toy_subject(dataclasses.replace(CONFIG, num_frames=7))
    exact_frames = Shapley(subsets="all").scores(subject, Target(1)).frames
    assert torch.equal(Shapley().scores(subject, Target(1)).frames, exact_frames)
    cost = 2**7 * FrameGame(subject, Target(1)).macs_per_subset
    monkeypatch.setitem(shapley_module._AFFORDABLE_MACS, "cpu", cost * 0.99)
    assert Shapley().scores(subject, Target(1)).details["pairs"] == 64
    assert torch.equal(Shapley(subsets="all").scores(subject, Target(1)).frames, exact_frames)


def test_beyond_sixteen_frames_it_samples():
    subject = toy_subject(dataclasses.replace(CONFIG, num_frames=18))
    with pytest.raises(ParameterError, match=r"up to 16 frames\. Choose sampled"):
        Shapley(subsets="all").stream(subject, Target(1))
    scores = list(Shapley(pairs=8).stream(subject, Target(1)))
    assert set(scores[-1].series) == {"low", "high"}
    assert scores[-1].done == 1.0
    assert len(scores) >= 2


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.706), (2, 4.303), (3, 3.182), (7, 2.365), (63, 1.998)]
)
def test_students_t(freedom, quantile):
    assert student_t(freedom) == pytest.approx(quantile, rel=0.012)
