"""Frames taken away, moved and repeated, against games worked out by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from stam_core.explain.curves import DecisionCurve, since_when
from stam_core.explain.game import FrameGame, nearest_kept
from stam_core.explain.leave_out import Interactions, LeaveOneOut
from stam_core.explain.order import OrderReliance
from stam_core.explain.sufficiency import SufficientFrames
from stam_core.models.stam import Stam
from stam_core.record import Subject
from stam_core.types import Target
from tests.frame_toys import additive, hand_subject
from tests.toys import CONFIG, toy_stam, toy_subject

FIRST = Target(0)


def every_subset(n: int) -> torch.Tensor:
    return (torch.arange(2**n)[:, None] >> torch.arange(n) & 1).bool()


class Plain:
    """The toy with what a staged model must offer and nothing more."""

    def __init__(self, model: Stam) -> None:
        self.scheme = model.scheme
        self.space_attention = model.space_attention
        self.time_attention = model.time_attention
        self.embed_frames = model.embed_frames
        self.classify = model.classify


VARIANTS = {
    "post": CONFIG,
    "pre": dataclasses.replace(CONFIG, time_norm="pre", time_activation="gelu", time_depth=3),
    "one layer": dataclasses.replace(CONFIG, time_depth=1, time_final_norm=False),
    "many frames": dataclasses.replace(CONFIG, num_frames=20),
}


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("sharpness", [1.0, 30.0])
def test_the_short_way_gives_the_answers_of_classify(name, sharpness):
    """Sharpness 30 drives scores beyond where exp may go without the maximum of its row."""
    config = VARIANTS[name]
    model = toy_stam(config)
    for layer in model.temporal.layers:
        layer.attn.qkv.weight[: config.width] *= sharpness  # the queries
    n_frames = config.num_frames
    embeddings = torch.randn(n_frames + 1, config.width)
    for n in (0, 1, 3, n_frames):
        frames = torch.randint(n_frames + 1, (7, n))
        places = torch.rand(7, n_frames).argsort(dim=1)[:, :n]
        expected = model.classify(embeddings[frames], places)
        found = model.classify_choices(embeddings, frames, places)
        torch.testing.assert_close(found, expected, atol=1e-5 * sharpness, rtol=0)


def test_a_frame_chosen_twice_for_one_place_counts_twice():
    model = toy_stam()
    embeddings = torch.randn(4, 32)
    frames = torch.tensor([[1, 1, 2]])
    expected = model.classify(embeddings[frames], torch.tensor([[0, 0, 3]]))
    found = model.classify_choices(embeddings, frames, torch.tensor([[0, 0, 3]]))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("removal", ["drop", "mean", "hold"])
@pytest.mark.parametrize("places", ["keep", "close"])
def test_a_model_without_the_short_way_gives_the_same_values(removal, places):
    subject = toy_subject()
    plain = Subject(Plain(subject.model), subject.x, subject.patch_grid)
    kept = every_subset(4)
    here, there = (
        FrameGame(one, Target(2, 1), removal, places).values(kept) for one in (subject, plain)
    )
    torch.testing.assert_close(here, there, atol=1e-5, rtol=0)


def test_removing_a_token_equals_masking_it_as_a_key():
    subject = toy_subject()
    model, embeddings = subject.model, subject.trace().frame_embeddings
    kept = every_subset(4)
    values = FrameGame(subject, FIRST).values(kept)
    open_keys = torch.cat([torch.ones(16, 1), kept], dim=1)[:, None, None]  # [16,1,1,5]

    def mask(module, args, out):
        out = out * open_keys
        return out / out.sum(-1, keepdim=True)

    for attention in model.time_attention:
        attention.fused_attn = False
        attention.attn_drop.register_forward_hook(mask)
    masked = model.classify(embeddings.expand(16, 4, 32))[:, 0]
    torch.testing.assert_close(values, masked, atol=1e-5, rtol=0)


def test_what_stands_where_a_frame_was():
    subject = toy_subject()
    own = subject.trace().frame_embeddings
    kept = torch.tensor([[True, False, False, True]])

    def value(tokens, at):
        return subject.model.classify(tokens[None], torch.tensor(at))[:, 0]

    mean = own.mean(0)
    expected = {
        ("drop", "keep"): value(own[[0, 3]], [0, 3]),
        ("drop", "close"): value(own[[0, 3]], [0, 1]),
        ("mean", "keep"): value(torch.stack([own[0], mean, mean, own[3]]), [0, 1, 2, 3]),
        ("hold", "keep"): value(own[[0, 0, 3, 3]], [0, 1, 2, 3]),
    }
    for (removal, places), wanted in expected.items():
        found = FrameGame(subject, FIRST, removal, places).values(kept)
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)
    assert abs(expected["drop", "keep"] - expected["drop", "close"]) > 1e-3
    none = torch.zeros(1, 4, dtype=torch.bool)
    alone = float(subject.model.classify(torch.zeros(1, 0, 32))[0, 0])
    for removal in ("drop", "hold"):
        assert FrameGame(subject, FIRST, removal).values(none).item() == pytest.approx(
            alone, abs=1e-5
        )
    means = value(mean.expand(4, 32), [0, 1, 2, 3])
    torch.testing.assert_close(
        FrameGame(subject, FIRST, "mean").values(none), means, atol=1e-5, rtol=0
    )


def test_nearest_kept_frame_the_earlier_of_two():
    kept = torch.tensor([[1, 0, 0, 0, 1], [0, 0, 1, 0, 0], [0, 1, 0, 1, 0]]).bool()
    assert nearest_kept(kept).tolist() == [[0, 0, 0, 4, 4], [2] * 5, [1, 1, 1, 3, 3]]


def test_value_and_lead_of_a_target_a_foil_and_a_probability():
    subject = toy_subject()
    logits = torch.tensor([[3.0, 1.0, 2.0, 0.0, -1.0]])
    assert FrameGame(subject, Target(2)).read(logits) == 2.0
    assert FrameGame(subject, Target(2, 0)).read(logits) == -1.0
    probability = FrameGame(subject, Target(2, 0), scale="probability").read(logits)
    assert probability == pytest.approx((np.exp(2) - np.exp(3)) / np.exp([3, 1, 2, 0, -1]).sum())
    assert FrameGame(subject, Target(0)).lead(logits) == 1.0
    assert FrameGame(subject, Target(2)).lead(logits) == -1.0
    assert FrameGame(subject, Target(2, 1)).lead(logits) == 1.0  # its foil alone counts


def test_leave_one_out_by_hand():
    scores = LeaveOneOut().scores(hand_subject(4, additive(1.0, -2.0, 0.0, 0.5)), FIRST)
    assert scores.frames.tolist() == [1.0, -2.0, 0.0, 0.5]
    assert scores.details["v_all"] == -0.5
    redundant = hand_subject(3, lambda present: present[:, :2].amax(dim=1) + present[:, 2])
    assert LeaveOneOut().scores(redundant, FIRST).frames.tolist() == [0.0, 0.0, 1.0]


def test_pairs_are_below_zero_where_redundant_and_above_where_they_need_each_other():
    def value(present):
        either = present[:, :2].amax(dim=1)  # 0 and 1 show the same
        both = present[:, 2] * present[:, 3]  # 2 and 3 mean something together
        return 2 * either + 3 * both + present[:, 4]

    scores = Interactions().scores(hand_subject(5, value), FIRST)
    expected = torch.zeros(5, 5, dtype=torch.float64)
    expected[0, 1] = expected[1, 0] = -2.0
    expected[2, 3] = expected[3, 2] = 3.0
    assert torch.equal(scores.pairs, expected)
    assert scores.details["redundant_share"] == pytest.approx(0.1)


def test_interactions_of_the_toy_are_four_answers_each():
    subject = toy_subject()
    own, model = subject.trace().frame_embeddings, subject.model
    pairs = Interactions().scores(subject, FIRST).pairs

    def value(*kept):
        return model.classify(own[list(kept)][None], torch.tensor(kept))[0, 0]

    expected = value(0, 1, 2, 3) - value(0, 2, 3) - value(0, 1, 2) + value(0, 2)  # without 1, 3
    assert pairs[1, 3] == pytest.approx(float(expected), abs=1e-5)
    assert torch.equal(pairs, pairs.T)


def test_the_smallest_sufficient_set_by_hand():
    """Frames 1 and 3 together score 2 against the other class's 1; nothing else does."""
    subject = hand_subject(5, lambda present: 2 * present[:, 1] * present[:, 3], threshold=1.0)
    partial, last = SufficientFrames().stream(subject, FIRST)
    assert partial.frames.tolist() == [0.0] * 5  # no single frame is enough
    assert last.frames.tolist() == [0.0, 1.0, 0.0, 1.0, 0.0]
    assert last.series["order"].tolist() == [1.0, 3.0]
    assert last.series["best_lead"].tolist() == [-1.0, 1.0]
    facts = ("size", "lead", "sets_of_this_size", "exhaustive", "found", "empty_is_enough")
    assert [last.details[name] for name in facts] == [2.0, 1.0, 1.0, 1.0, 1.0, 0.0]


def test_beyond_the_exhaustive_size_the_set_grows_and_drops_what_it_does_not_need():
    subject = hand_subject(6, additive(1.0, 1.0, 0.0, 1.0, 1.0, 1.0), threshold=3.5)
    last = SufficientFrames().scores(subject, FIRST)
    assert last.details["size"] == last.frames.sum() == 4
    assert last.frames[2] == 0
    assert last.details["exhaustive"] == 0.0

    def decoy(present):  # frame 0 leads alone, and brings nothing beside 1, 2 or 3
        others = present[:, 1:4]
        return others.sum(dim=1) + 1.1 * present[:, 0] * (1 - others.amax(dim=1))

    subject = hand_subject(5, decoy, threshold=2.9)
    last = SufficientFrames(exhaustive=1).scores(subject, FIRST)
    assert last.frames.tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]


def test_no_set_is_enough_for_a_class_that_never_wins():
    last = SufficientFrames().scores(hand_subject(5, additive(*[1.0] * 5), threshold=9.0), FIRST)
    assert last.details["found"] == last.details["size"] == last.frames.sum() == 0.0
    assert last.series["best_lead"].tolist() == [-8.0, -7.0, -6.0, -5.0, -4.0]
    again = SufficientFrames().scores(hand_subject(5, additive(*[1.0] * 5), 9.0), Target(0, 2))
    assert again.details["empty_is_enough"] == again.details["found"] == 1.0  # against that foil
    assert again.details["size"] == 1.0  # the smallest that has a frame


def test_prefix_and_suffix_by_hand():
    subject = hand_subject(4, additive(1.0, 2.0, 4.0, -3.0), threshold=2.5)
    scores = DecisionCurve().scores(subject, FIRST)
    assert scores.series["prefix"].tolist() == [0.0, 1.0, 3.0, 7.0, 4.0]
    assert scores.series["suffix"].tolist() == [0.0, -3.0, 1.0, 3.0, 4.0]
    assert scores.series["prefix_lead"].tolist() == [-2.5, -1.5, 0.5, 4.5, 1.5]
    assert scores.details == {"prefix_decided": 2.0, "suffix_decided": 3.0}
    assert "depth" not in scores.series  # the model does not offer it


@pytest.mark.parametrize(
    ("lead", "since"),
    [([1, 1], 0), ([-1, 1], 1), ([1, -1, 1], 2), ([1, 0], None), ([-1, -1], None)],
)
def test_decided_is_from_where_the_target_stays_on_top(lead, since):
    assert since_when(torch.tensor(lead)) == since


@pytest.mark.parametrize("name", ["post", "pre"])
def test_depth_is_the_head_on_cls_after_each_layer(name):
    config = VARIANTS[name]
    subject = toy_subject(config)
    scores = DecisionCurve().scores(subject, Target(3))
    assert scores.series["depth"].shape == (config.time_depth,)
    logits = subject.trace().logits
    assert scores.series["depth"][-1] == pytest.approx(float(logits[3]), abs=1e-5)
    assert scores.series["prefix"][-1] == pytest.approx(float(logits[3]), abs=1e-5)
    shallow = toy_stam(config)
    shallow.temporal.layers = shallow.temporal.layers[:1]
    first = shallow.classify(subject.trace().frame_embeddings[None])[0, 3]
    assert scores.series["depth"][0] == pytest.approx(float(first), abs=1e-5)


def weighted_places(seen: torch.Tensor) -> torch.Tensor:
    """Frame t at slot s brings t * s: [B,n,T] -> [B]."""
    n, frames = seen.shape[1:]
    return torch.einsum("bst,s,t->b", seen, torch.arange(n).float(), torch.arange(frames).float())


def test_reliance_on_order_by_hand():
    subject = hand_subject(4, weighted_places, threshold=13.5, by_place=True)
    scores = OrderReliance(shuffles=16).scores(subject, FIRST)
    assert scores.series["original"].tolist() == [14.0]  # 0 + 1 + 4 + 9
    assert scores.series["reversed"].tolist() == [4.0]  # 0 + 2 + 2 + 0
    assert scores.series["frozen"].tolist() == [0.0, 6.0, 12.0, 18.0]
    assert scores.details["reversed_change"] == -10.0
    assert scores.details["original_on_top"] == 1.0
    assert scores.details["frozen_on_top"] == 0.25
    shuffles = scores.series["shuffles"]
    assert shuffles.shape == (16,)
    assert 4 <= shuffles.min() < shuffles.max() <= 14
    z = (14 - shuffles.double().mean()) / shuffles.double().std()
    assert scores.details["z"] == pytest.approx(float(z))


def test_shuffles_come_from_their_seed():
    subject = toy_subject(dataclasses.replace(CONFIG, num_frames=8))
    first, again, other = (
        OrderReliance(shuffles=8, seed=seed).scores(subject, FIRST).series["shuffles"]
        for seed in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_model_blind_to_order_has_no_score_for_it():
    scores = OrderReliance(shuffles=8).scores(hand_subject(3, additive(1.0, 2.0, 3.0)), FIRST)
    assert "z" not in scores.details
    assert set(scores.series["shuffles"].tolist()) == {6.0}
    assert scores.details["shuffles_on_top"] == 1.0
