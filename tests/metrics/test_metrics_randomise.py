"""Shuffled weights: what changes, what must not, and that the shared model is left alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from stam_core.errors import ParameterError
from stam_core.explain import EXPLAINERS
from stam_core.explain.base import Explainer, Scores
from stam_core.metrics.randomise import (
    alike,
    layers_from_the_head,
    randomise,
    randomised_steps,
    shuffle_weights,
)
from tests.toys import toy_stam, toy_subject

ABOUT = EXPLAINERS["temporal-attention"].info


@dataclass(frozen=True)
class Blind(Explainer):
    """Looks at the pixels alone."""

    info: ClassVar = replace(ABOUT, name="blind")

    def scores(self, subject, target):
        return Scores(frames=subject.x.mean(dim=(1, 2, 3)))


@dataclass(frozen=True)
class OfTheHead(Explainer):
    """Looks at the head alone."""

    info: ClassVar = replace(ABOUT, name="head")

    def scores(self, subject, target):
        return Scores(frames=subject.model.head.weight[0, :4])


def test_layers_come_from_the_head_down_and_hold_every_parameter_once():
    model = toy_stam()
    layers = layers_from_the_head(model)
    assert [name for name, _ in layers] == [
        "head",
        "temporal.layers.1",
        "temporal.layers.0",
        "temporal",
        "spatial.blocks.2",
        "spatial.blocks.1",
        "spatial.blocks.0",
        "spatial.patch_embed.proj",
        "spatial",
    ]
    names = [name for _, members in layers for name in members]
    assert sorted(names) == sorted(name for name, _ in model.named_parameters())
    assert "temporal.norm.weight" in dict(layers)["temporal.layers.1"]


def test_shuffling_keeps_every_value():
    model = toy_stam()
    before = model.head.weight.clone()
    untouched = model.temporal.layers[0].linear1.weight.clone()
    shuffle_weights(model, ["head.weight"], torch.Generator().manual_seed(0))
    assert not torch.equal(before, model.head.weight)
    torch.testing.assert_close(before.flatten().sort()[0], model.head.weight.flatten().sort()[0])
    assert torch.equal(untouched, model.temporal.layers[0].linear1.weight)


def test_a_map_that_does_not_look_at_the_model_is_flagged():
    found = randomise(toy_subject(), Blind(), None)
    assert all(step.frames == 1.0 for step in found.steps)
    assert found.frames_unchanged
    assert "hardly depends" in found.sentence


def test_a_map_of_the_head_changes_with_the_head():
    subject = toy_subject()
    first, second, *rest = randomised_steps(subject, OfTheHead(), None)
    assert first.layer == ""
    assert second.layer == "head"
    assert first.frames == 1.0
    assert second.frames < 1.0
    assert {step.frames for step in rest} == {second.frames}


def test_a_spatial_map_changes_only_with_the_spatial_stage():
    found = randomise(toy_subject(), EXPLAINERS["spatial-attention"](), None)
    by_layer = {step.layer: step.patches for step in found.steps}
    assert by_layer["temporal"] == 1.0
    assert by_layer["spatial.blocks.2"] < 1.0
    assert all(step.frames is None for step in found.steps)
    assert abs(found.steps[-1].patches) < 0.5
    assert not found.patches_unchanged
    assert "depends on what the model has learned" in found.sentence


def test_the_shared_model_is_left_alone_and_a_seed_repeats_it():
    subject = toy_subject()
    before = {key: value.clone() for key, value in subject.model.state_dict().items()}
    method = EXPLAINERS["rollout"]()
    first = randomise(subject, method, None, seed=3)
    assert first == randomise(subject, method, None, seed=3)
    assert first != randomise(subject, method, None, seed=4)
    after = subject.model.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())
    assert subject.traces == {}


def test_likeness_at_the_edges():
    rising, flat = np.arange(4.0), np.ones(4)
    assert alike(rising, -rising) == -1.0
    assert alike(flat, flat) == 1.0
    assert alike(rising, flat) == 0.0
    assert alike(rising, np.full(4, np.nan)) == 0.0
    assert alike(None, rising) is None


def test_a_method_without_scores_of_places():
    @dataclass(frozen=True)
    class Curve(Explainer):
        info: ClassVar = replace(ABOUT, outputs=frozenset({"series"}), title="A curve")

    with pytest.raises(ParameterError, match="A curve scores neither frames nor patches"):
        randomise(toy_subject(), Curve(), None)
