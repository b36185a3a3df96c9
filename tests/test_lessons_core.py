"""The lessons' core: a head by hand, rollout by layers, maps of a model that forgets."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from toys import toy_subject

from stam_core.errors import ParameterError
from stam_core.explain import EXPLAINERS
from stam_core.explain.by_hand import has_frame_heads, head_by_hand
from stam_core.explain.one_frame import frame_credit, value_with_frame
from stam_core.explain.patch_tokens import patch_tokens
from stam_core.explain.rollout import rollout
from stam_core.explain.rollout_steps import rollout_steps, spread
from stam_core.metrics.forgetting import forgetting
from stam_core.metrics.randomise import randomise
from stam_core.models.timesformer import TimeSformer, TimeSformerConfig
from stam_core.types import Target


@pytest.mark.parametrize("layer", [1, 2])
@pytest.mark.parametrize("head", [1, 5, 8])
def test_a_head_by_hand_is_the_recorded_map(layer: int, head: int) -> None:
    subject = toy_subject()
    by_hand = head_by_hand(subject, layer, head)
    recorded = subject.trace().time_maps[layer - 1, head - 1]
    torch.testing.assert_close(by_hand.weights, recorded, atol=1e-6, rtol=0)


def test_its_numbers_follow_from_each_other() -> None:
    head = head_by_hand(toy_subject(), 2, 3)
    assert head.queries.shape == (5, 4)  # 4 frames and CLS; 32 channels in 8 heads
    assert head.scale == 0.5
    query, key = head.queries[2].tolist(), head.keys[4].tolist()
    product = sum(a * b for a, b in zip(query, key, strict=True))
    assert float(head.products[2, 4]) == pytest.approx(product, abs=1e-5)
    scores = head.scores[2].tolist()
    total = sum(math.exp(score) for score in scores)
    assert float(head.weights[2, 4]) == pytest.approx(math.exp(scores[4]) / total, abs=1e-6)
    mixed = sum(float(head.weights[2, j]) * float(head.values[j, 1]) for j in range(5))
    assert float(head.mixed[2, 1]) == pytest.approx(mixed, abs=1e-5)


def test_a_head_by_hand_leaves_no_hook() -> None:
    subject = toy_subject()
    head_by_hand(subject, 1, 1)
    assert all(not module._forward_pre_hooks for module in subject.model.modules())  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("layer", "head", "message"),
    [(0, 1, "layers are 1 to 2"), (3, 1, "layers are 1"), (1, 9, "heads are 1 to 8")],
)
def test_a_head_that_is_not_there_is_refused(layer: int, head: int, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        head_by_hand(toy_subject(), layer, head)


def test_a_model_without_frame_tokens_has_no_such_heads() -> None:
    assert has_frame_heads(toy_subject().model)
    assert not has_frame_heads(object())
    whole = TimeSformer(
        TimeSformerConfig(side=16, patch_size=8, width=16, depth=1, heads=2, num_frames=2)
    )
    assert not has_frame_heads(whole)


def test_rollout_by_steps_ends_at_rollout_and_begins_with_the_first_layer() -> None:
    maps = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(3)).softmax(dim=-1)
    steps = rollout_steps(maps, residual=0.3, discard_ratio=0.4)
    torch.testing.assert_close(steps[-1].product, rollout(maps, residual=0.3, discard_ratio=0.4))
    torch.testing.assert_close(steps[0].product, steps[0].mixed)
    assert [step.layer for step in steps] == [1, 2, 3]


def test_two_layers_by_hand() -> None:
    first = torch.tensor([[0.0, 1.0], [0.0, 1.0]])  # both look at token 1
    second = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # each looks at itself
    one, two = rollout_steps(torch.stack([first, second]), residual=0.5)
    assert one.product.tolist() == [[0.5, 0.5], [0.0, 1.0]]
    assert two.mixed.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert two.product.tolist() == [[0.5, 0.5], [0.0, 1.0]]


@pytest.mark.parametrize(
    ("shares", "expected"),
    [([1.0, 0.0, 0.0], 1.0), ([1.0, 1.0, 1.0], 3.0), ([2.0, 2.0, 0.0], 2.0), ([0.0, 0.0], 2.0)],
)
def test_spread_counts_what_carries_weight(shares: list[float], expected: float) -> None:
    assert spread(torch.tensor(shares)) == pytest.approx(expected)


def test_maps_of_a_forgetting_model_have_the_likeness_of_randomise() -> None:
    subject, target = toy_subject(), Target(1)
    explainer = EXPLAINERS["temporal-attention"]()
    steps = list(forgetting(subject, {"attention": explainer}, target, seed=4))
    known = randomise(subject, explainer, target, seed=4).steps
    assert [step.layer for step in steps] == [step.layer for step in known]
    assert [step.likeness["attention"] for step in steps] == [step.frames for step in known]
    assert steps[0].number == 0
    assert steps[-1].number == steps[-1].count
    now = explainer.scores(subject, None).frames
    assert now is not None
    np.testing.assert_allclose(steps[0].scores["attention"], now.numpy(), atol=1e-6)
    assert not np.allclose(steps[-1].scores["attention"], steps[0].scores["attention"])


def test_a_forgetting_copy_leaves_the_model_as_it_was() -> None:
    subject = toy_subject()
    before = {name: value.clone() for name, value in subject.model.state_dict().items()}  # type: ignore[attr-defined]
    list(forgetting(subject, {"space": EXPLAINERS["spatial-rollout"]()}, Target(0)))
    after = subject.model.state_dict()  # type: ignore[attr-defined]
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_credit_of_one_frame_adds_up_and_black_gets_none_against_black() -> None:
    subject, target = toy_subject(), Target(2)
    picture = subject.x[1].clone()
    picture[:, :8, :8] = 0.0  # the first patch
    credit = frame_credit(subject, target, 1, picture, torch.zeros_like(picture), steps=64)
    rise = credit.value - credit.baseline_value
    assert float(credit.patches.sum()) == pytest.approx(rise, rel=0.02, abs=1e-3)
    assert float(credit.patches[0, 0]) == 0.0
    grey = frame_credit(subject, target, 1, picture, torch.full_like(picture, 0.5), steps=8)
    assert abs(float(grey.patches[0, 0])) > 1e-4
    assert grey.value == pytest.approx(credit.value, abs=1e-5)


def test_the_frame_as_it_is_gives_the_clips_own_value() -> None:
    subject, target = toy_subject(), Target(3)
    with torch.no_grad():
        value = value_with_frame(subject, target, 2, subject.x[2:3])
    assert float(value[0]) == pytest.approx(float(subject.trace().logits[3]), abs=1e-4)


def test_a_patchs_numbers_are_those_of_the_models_own_embedding() -> None:
    subject = toy_subject()
    tokens = patch_tokens(subject, 2)
    assert tokens is not None
    embed = subject.model.spatial.patch_embed  # type: ignore[attr-defined]
    patch = subject.x[2, :, 8:16, 16:24].flatten()  # row 1, column 2 of 4 x 4
    by_hand = embed.proj.weight.flatten(1) @ patch + embed.proj.bias
    torch.testing.assert_close(tokens[1 * 4 + 2], by_hand, atol=1e-5, rtol=1e-5)
