"""Methods that go backwards: gradient-weighted attention and Grad-CAM, against direct ways."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from stam_core.explain import EXPLAINERS, flow_factorised, gradients
from stam_core.explain.grad_cam import GradCam, class_activation
from stam_core.explain.gradient_attention import GradientAttention
from stam_core.explain.relevance import relevance_row, shares
from stam_core.record import RecordingError
from stam_core.types import Target
from tests.toys import toy_subject

TARGET = Target(1)
BACKWARD = ("gradient-attention", "embedding-gradients", "integrated-gradients", "grad-cam")


def traces_left_behind(model: torch.nn.Module) -> list[str]:
    """Whatever a method could have forgotten to take away."""
    left = [
        name
        for name, module in model.named_modules()
        if module._forward_hooks or module._forward_pre_hooks or module._backward_hooks
    ]
    left += [name for name, p in model.named_parameters() if p.grad is not None or p.requires_grad]
    attention = [*model.space_attention, *model.time_attention]
    return left + ["fused" for module in attention if not module.fused_attn]


def dense_relevance(subject, target):
    """Chefer's rule written out: one graph of the whole model, whole matrices, later on the left.

    Returns the temporal R [T+1,T+1] and the spatial ones [T,N+1,N+1], identity subtracted.
    """
    model, maps, handles = subject.model, [], []
    for module in (*model.space_attention, *model.time_attention):
        module.fused_attn = False
        hook = module.attn_drop.register_forward_hook(lambda _m, _i, out: maps.append(out))
        handles.append(hook)
    x = subject.x.clone().requires_grad_()
    logits = model(x[None])[0]
    value = logits[target.index]
    if target.foil is not None:
        value = value - logits[target.foil]
    given = torch.autograd.grad(value, maps)
    for module in (*model.space_attention, *model.time_attention):
        module.fused_attn = True
    for handle in handles:
        handle.remove()
    n_space = len(model.space_attention)

    def relevance(layers):
        n = maps[layers[0]].shape[-1]
        rolled = torch.eye(n).repeat(len(maps[layers[0]]), 1, 1)
        for layer in layers:
            heads = (given[layer] * maps[layer]).detach()
            weighted = torch.where(heads > 0, heads, torch.zeros(())).sum(1) / heads.shape[1]
            rolled = rolled + torch.einsum("bij,bjk->bik", weighted, rolled)
        return rolled - torch.eye(n)

    time = relevance(list(range(n_space, len(maps))))[0]
    return time, relevance(list(range(n_space)))


@pytest.mark.parametrize("target", [Target(1), Target(3, foil=0)])
def test_gradient_attention_is_chefers_rule_written_out(target, monkeypatch):
    monkeypatch.setattr(
        flow_factorised, "recorded_at_once", lambda *_: 3
    )  # groups of 3 and 1 frames
    subject = toy_subject()
    found = GradientAttention().scores(subject, target)
    time, space = dense_relevance(toy_subject(), target)
    frames = time[0, 1:] / time[0, 1:].sum()
    maps = space[:, 0, 1:] / space[:, 0, 1:].sum(dim=1, keepdim=True)
    torch.testing.assert_close(found.frames, frames, rtol=1e-4, atol=1e-6)
    expected = (frames[:, None] * maps).view(4, 4, 4)
    torch.testing.assert_close(found.patches, expected, rtol=1e-3, atol=1e-6)
    assert found.details["relevance"] == pytest.approx(float(time[0, 1:].sum()), rel=1e-4)
    assert found.patches.sum() == pytest.approx(1.0, abs=1e-5)
    assert found.unattributed == pytest.approx(0.0, abs=1e-5)


def test_heads_are_clamped_before_their_mean():
    """Two heads, one for and one against: the mean of 0.4 and 0, not of 0.4 and -0.6."""
    attention = torch.tensor([[[[0.5, 0.5], [0.0, 1.0]], [[0.4, 0.6], [1.0, 0.0]]]])  # [1,2,2,2]
    gradient = torch.tensor([[[[0.0, 0.8], [0.0, 0.0]], [[0.0, -1.0], [0.5, 0.0]]]])
    row = relevance_row([attention], [gradient])
    torch.testing.assert_close(row, torch.tensor([[0.0, 0.2]]))


def test_the_later_layer_stands_on_the_left():
    """CLS reads frame 1 in layer 2, which read frame 2 in layer 1: CLS gets to frame 2.

    The reversed product would give frame 2 nothing.
    """
    first, second = torch.zeros(1, 1, 3, 3), torch.zeros(1, 1, 3, 3)
    first[0, 0, 1, 2], second[0, 0, 0, 1] = 0.5, 0.25
    ones = torch.ones(1, 1, 3, 3)
    row = relevance_row([first, second], [ones, ones])
    torch.testing.assert_close(row, torch.tensor([[0.0, 0.25, 0.125]]))


def test_frames_without_any_relevance_stay_at_zero():
    torch.testing.assert_close(
        shares(torch.tensor([[0.0, 0.0], [1.0, 3.0]])), torch.tensor([[0.0, 0.0], [0.25, 0.75]])
    )


def test_gradient_attention_comes_by_groups_of_frames(monkeypatch):
    monkeypatch.setattr(flow_factorised, "recorded_at_once", lambda *_: 1)
    parts = list(GradientAttention().stream(toy_subject(), TARGET))
    assert [part.done for part in parts] == [0.25, 0.5, 0.75, 1.0]
    torch.testing.assert_close(parts[0].frames, parts[-1].frames)
    assert (parts[0].patches[1:] == 0).all()  # kept as it was when given out
    torch.testing.assert_close(parts[0].patches[0], parts[-1].patches[0])


def test_spatial_maps_speak_about_the_class_and_the_other_frames():
    """Unlike plain rollout's, which know neither."""
    subject = toy_subject()
    one = GradientAttention().scores(subject, Target(0)).patches
    other = GradientAttention().scores(subject, Target(4)).patches
    assert (one - other).abs().max() > 1e-3


def test_grad_cam_by_hand():
    """Two patches, two channels; CLS, the first token, counts neither in tokens nor gradients."""
    tokens = torch.tensor([[[9.0, 9.0], [1.0, 2.0], [3.0, -1.0]]])
    gradient = torch.tensor([[[7.0, 7.0], [1.0, 0.0], [0.0, -1.0]]])  # means 0.5 and -0.5
    torch.testing.assert_close(class_activation(tokens, gradient), torch.tensor([[0.0, 2.0]]))


def test_grad_cam_is_that_of_one_whole_backward_pass():
    subject = toy_subject()
    model, kept = subject.model, []
    x = subject.x.clone().requires_grad_()
    norm = model.spatial.blocks[-1].norm1
    handle = norm.register_forward_hook(lambda _m, _i, out: kept.append(out))
    logits = model(x[None])[0]
    handle.remove()
    (given,) = torch.autograd.grad(logits[1] - logits[2], kept)
    weights = given[:, 1:].sum(1) / 16  # [T,D]
    expected = torch.einsum("td,tpd->tp", weights, kept[0][:, 1:]).clamp(min=0).view(4, 4, 4)
    found = GradCam().scores(toy_subject(), Target(1, foil=2))
    assert expected.max() > 0
    torch.testing.assert_close(found.patches, expected.detach(), rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(found.frames, found.patches.sum((1, 2)))


def test_a_layer_that_is_not_heard_is_an_error():
    subject = toy_subject()
    subject.trace()
    module = subject.model.space_attention[1]
    module.attn_drop.forward = lambda attention: attention
    subject.model.spatial.blocks[1].attn = torch.nn.Identity()
    subject.model.spatial.blocks[1].attn.fused_attn = True
    subject.model.spatial.blocks[1].attn.attn_drop = torch.nn.Identity()
    subject.model.spatial.blocks[1].attn.forward = lambda x, **_: x
    with pytest.raises(RecordingError, match="each of 3 layers must be heard once"):
        GradientAttention().scores(subject, TARGET)


@pytest.mark.parametrize("name", [*BACKWARD, "occlusion"])
def test_nothing_is_left_behind(name):
    subject = toy_subject()
    EXPLAINERS[name]().scores(subject, TARGET)
    assert traces_left_behind(subject.model) == []
    assert not subject.x.requires_grad
    assert not subject.trace().frame_embeddings.requires_grad
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("name", [*BACKWARD, "occlusion"])
@pytest.mark.parametrize("stage", ["space", "time"])
def test_nothing_is_left_behind_by_a_model_that_fails(name, stage, monkeypatch):
    subject = toy_subject()
    subject.trace()

    def fail(*_args: object, **_more: object):
        raise ArithmeticError("the model broke")

    if stage == "space":
        monkeypatch.setattr(subject.model.spatial.blocks[-1].mlp, "forward", fail)
    else:
        monkeypatch.setattr(subject.model.head, "forward", fail)
    if (name, stage) == ("embedding-gradients", "space"):
        pytest.skip("it never asks the spatial stage")
    with pytest.raises(ArithmeticError, match="the model broke"):
        EXPLAINERS[name]().scores(subject, TARGET)
    monkeypatch.undo()
    assert traces_left_behind(subject.model) == []
    assert not subject.x.requires_grad
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("name", [*BACKWARD, "occlusion"])
def test_a_stream_that_is_left_in_the_middle_leaves_nothing(name, monkeypatch):
    monkeypatch.setattr(flow_factorised, "recorded_at_once", lambda *_: 1)
    subject = toy_subject()
    stream = EXPLAINERS[name]().stream(subject, TARGET)
    next(stream)
    assert traces_left_behind(subject.model) == []  # between two steps others may ask
    assert torch.is_grad_enabled()
    stream.close()
    assert traces_left_behind(subject.model) == []


@pytest.mark.parametrize("name", [*BACKWARD, "occlusion"])
def test_they_work_where_gradients_are_switched_off_outside(name):
    with torch.no_grad():
        off = EXPLAINERS[name]().scores(toy_subject(), TARGET)
        assert not torch.is_grad_enabled()
    on = EXPLAINERS[name]().scores(toy_subject(), TARGET)
    for here, there in ((off.frames, on.frames), (off.patches, on.patches)):
        if here is not None:
            torch.testing.assert_close(here, there)


def test_groups_of_frames_hold_what_the_memory_allows(monkeypatch):
    """Toy: 3 layers, 17 tokens of 32 channels; 14 numbers a channel, 4 bytes a number."""
    subject = toy_subject()
    per_frame = 4 * 3 * 17 * 14 * 32
    monkeypatch.setattr(gradients, "BYTES_AT_ONCE", 5 * per_frame + 1)
    assert gradients.frames_at_once(subject, maps=False) == 5
    assert gradients.frames_at_once(subject, maps=True) == 3  # 4 heads x 17 keys twice: 1.3 x
    monkeypatch.setattr(gradients, "BYTES_AT_ONCE", 1)
    assert gradients.frames_at_once(subject, maps=True) == 1


def test_the_embeddings_gradient_is_the_slope_of_the_value():
    subject = toy_subject()
    gradient = gradients.embedding_gradient(subject, Target(2, foil=1))
    own = subject.trace().frame_embeddings.double()
    model = subject.model.double()
    step = torch.zeros_like(own)
    step[2, 5] = 1e-4
    both = model.classify(torch.stack([own + step, own - step]))
    values = both[:, 2] - both[:, 1]
    slope = float((values[0] - values[1]) / 2e-4)
    assert float(gradient[2, 5]) == pytest.approx(slope, rel=1e-3)


def test_a_frames_grad_cam_depends_on_the_other_frames():
    """Its tokens do not; their gradients come through time."""
    subject = toy_subject()
    other = subject.x.clone()
    other[3] = 0.5
    changed = dataclasses.replace(subject, x=other, traces={})
    here, there = GradCam().scores(subject, TARGET), GradCam().scores(changed, TARGET)
    assert (here.patches[0] - there.patches[0]).abs().max() > 1e-6
