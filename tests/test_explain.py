"""The contract of every method, and what STAM's structure promises."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from stam_core.errors import ParameterError, UnknownNameError
from stam_core.explain import (
    EXPLAINERS,
    configure,
    find_explainer,
    methods_of,
    parameter_specs,
    run,
)
from stam_core.models import MODELS, model_info
from stam_core.record import Subject
from stam_core.types import Target
from tests.test_record import hooks_of
from tests.toys import SCHEMES, info_of, toy_of, toy_stam, toy_subject

INFO = info_of("factorised")
PAIRS = [
    (scheme, name)
    for scheme in SCHEMES
    for name, method in EXPLAINERS.items()
    if scheme in method.info.schemes
]


def explain(name: str, subject: Subject, **parameters: object):
    target = Target(1) if EXPLAINERS[name].info.uses_target else None
    method = configure(EXPLAINERS[name], info_of(subject.scheme), parameters)
    return run(method, subject, target)


@pytest.mark.parametrize(("scheme", "name"), PAIRS)
def test_contract(scheme, name):
    subject = toy_of(scheme)
    before = {key: value.clone() for key, value in subject.model.state_dict().items()}
    x = subject.x.clone()
    first, again = explain(name, subject), explain(name, toy_of(scheme))
    info = EXPLAINERS[name].info
    assert first.method == name == info.name
    for output, scores, shape in (
        ("frames", first.frames, (4,)),
        ("patches", first.patches, (4, 4, 4)),
        ("pairs", first.pairs, (4, 4)),
    ):
        assert (scores is not None) == (output in info.outputs)
        if scores is not None:
            assert scores.shape == shape
            assert scores.dtype == np.float32
            assert np.isfinite(scores).all()
            assert info.signed or (scores >= 0).all()
            np.testing.assert_array_equal(scores, getattr(again, output))
    assert not first.series or "series" in info.outputs
    assert first.series.keys() == again.series.keys()
    for row, same in zip(first.series.values(), again.series.values(), strict=True):
        assert np.isfinite(row).all()
        np.testing.assert_array_equal(row, same)
    assert first.done == 1.0
    assert first.passes == again.passes >= 1.0
    assert all(np.isfinite(value) for value in first.details.values())
    # What was used can be asked for again, of this model.
    assert configure(EXPLAINERS[name], info_of(scheme), first.parameters)
    assert hooks_of(subject.model) == 0
    attention = [module for module in subject.model.modules() if hasattr(module, "fused_attn")]
    assert all(module.fused_attn for module in attention)
    assert not subject.model.training
    assert all(parameter.grad is None for parameter in subject.model.parameters())
    assert torch.equal(x, subject.x)
    after = subject.model.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())


@pytest.mark.parametrize("name", EXPLAINERS)
@pytest.mark.parametrize("model", MODELS)
def test_every_parameter_at_its_limits_and_choices(name, model):
    """The limits drawn for a model are limits the method accepts; beyond them it says so."""
    info = model_info(model)
    if name not in methods_of(info):
        with pytest.raises(ParameterError, match=f"{info.scheme}.* Choose another method"):
            parameter_specs(name, info)
        return
    for spec in parameter_specs(name, info):
        assert spec.help
        assert spec.label
        values = spec.choices if spec.kind == "choice" else (spec.minimum, spec.maximum)
        for value in (*values, spec.default):
            configured = configure(EXPLAINERS[name], info, {spec.name: value})
            assert getattr(configured, spec.name) == value
        with pytest.raises((ParameterError, UnknownNameError), match=spec.name):
            configure(EXPLAINERS[name], info, {spec.name: float("nan")})
        with pytest.raises((ParameterError, UnknownNameError), match=spec.name):
            configure(EXPLAINERS[name], info, {spec.name: 1000})


def test_every_layer_and_head_can_be_chosen():
    subject = toy_subject()
    trace = subject.trace()
    one = explain("temporal-attention", subject, layer="1", head="3")
    np.testing.assert_array_equal(one.frames, trace.time_maps[0, 2, 0, 1:])
    mean = explain("spatial-attention", subject, layer="2")
    expected = trace.space_cls_rows[1].mean(1)[:, 1:].reshape(4, 4, 4)
    np.testing.assert_allclose(mean.patches, expected)
    over_layers = explain("spatial-attention", subject, layer="all", head="4")
    expected = trace.space_cls_rows[:, :, 3].mean(0)[:, 1:].reshape(4, 4, 4)
    np.testing.assert_allclose(over_layers.patches, expected)


def test_parameters_are_checked():
    with pytest.raises(ParameterError, match="start_layer must be a number from 1 to 3"):
        configure(EXPLAINERS["spatial-rollout"], INFO, {"start_layer": 4})
    with pytest.raises(ParameterError, match="whole number"):
        configure(EXPLAINERS["spatial-rollout"], INFO, {"start_layer": 1.5})
    with pytest.raises(ParameterError, match="residual must be a number"):
        configure(EXPLAINERS["spatial-rollout"], INFO, {"residual": "much"})
    with pytest.raises(ParameterError, match="residual must be a number"):
        configure(EXPLAINERS["spatial-rollout"], INFO, {"residual": 10**400})
    with pytest.raises(UnknownNameError, match="Known: mean, max, min"):
        configure(EXPLAINERS["rollout"], INFO, {"head_fusion": "median"})
    with pytest.raises(UnknownNameError, match="parameter of rollout 'depth'"):
        configure(EXPLAINERS["rollout"], INFO, {"depth": 1})
    with pytest.raises(UnknownNameError, match="Known: temporal-attention"):
        find_explainer("magic")


@pytest.mark.parametrize("fusion", ["mean", "max", "min"])
@pytest.mark.parametrize("discard_ratio", [0.0, 0.6])
def test_space_time_rollout_adds_up_to_one(fusion, discard_ratio):
    parts = explain("rollout", toy_subject(), head_fusion=fusion, discard_ratio=discard_ratio)
    assert parts.patches.sum() + parts.unattributed == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(parts.frames, parts.patches.sum((1, 2)), rtol=1e-6)
    assert 0 < parts.unattributed < 1


def test_space_time_rollout_is_the_product_of_both():
    subject = toy_subject()
    joint = explain("rollout", subject)
    space = explain("spatial-rollout", subject)
    time = explain("temporal-rollout", subject)
    np.testing.assert_allclose(joint.patches, time.frames[:, None, None] * space.patches, rtol=1e-5)


def test_temporal_scores_add_up():
    for name in ("temporal-attention", "temporal-rollout"):
        scores = explain(name, toy_subject())
        assert scores.frames.sum() + scores.unattributed == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("name", ["spatial-rollout", "spatial-attention"])
def test_a_frames_spatial_map_does_not_depend_on_the_other_frames(name):
    subject = toy_subject()
    others = subject.x.flip(0)
    others[0] = 0.5
    flipped = dataclasses.replace(subject, x=others, traces={})
    here = explain(name, subject).patches
    there = explain(name, flipped).patches
    np.testing.assert_allclose(there[1:], here[::-1][1:], atol=1e-6)


def test_a_model_that_copies_one_patch_and_one_frame_is_traced_to_them():
    """Attention set by hand: every CLS looks at patch 5 alone, the clip's CLS at frame 2 alone."""
    subject = toy_subject()
    trace = subject.trace("mean")
    space = torch.eye(17).repeat(3, 4, 1, 1)
    space[-1, :, 0] = torch.nn.functional.one_hot(torch.tensor(1 + 5), 17)
    time = torch.eye(5).repeat(2, 8, 1, 1)
    time[-1, :, 0] = torch.nn.functional.one_hot(torch.tensor(1 + 2), 5)
    subject.traces["mean"] = dataclasses.replace(trace, space_maps=space, time_maps=time)
    joint = explain("rollout", subject, residual=0.0)
    assert joint.patches[2].flatten()[5] == pytest.approx(1.0)
    assert joint.patches.sum() == pytest.approx(1.0)
    assert joint.unattributed == pytest.approx(0.0, abs=1e-6)


def test_dropping_a_frame_token_equals_masking_it_as_a_key():
    model = toy_stam()
    embeddings = model.embed_frames(toy_subject().x[None])
    kept = torch.tensor([0, 1, 3])
    dropped = model.classify(embeddings[:, kept], kept)
    tokens = torch.cat([embeddings[:, kept], embeddings[:, 2:3] * 0], dim=1)

    def mask(module, args, out):  # the last key is the masked frame's
        out = out.clone()
        out[..., -1] = 0
        return out / out.sum(-1, keepdim=True)

    for attention in model.time_attention:
        attention.fused_attn = False
        attention.attn_drop.register_forward_hook(mask)
    masked = model.classify(tokens, torch.tensor([0, 1, 3, 2]))
    torch.testing.assert_close(dropped, masked, atol=2e-6, rtol=0)


def test_no_frame_at_all_is_the_answer_of_cls_alone():
    model = toy_stam()
    logits = model.classify(torch.zeros(1, 0, 32))
    assert logits.shape == (1, 5)
    assert torch.isfinite(logits).all()
