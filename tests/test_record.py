from __future__ import annotations

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from einops import rearrange

from stam_core.models.stam import Stam
from stam_core.record import (
    FRAMES_AT_ONCE,
    RecordingError,
    frames,
    listen,
    record,
    recorded_at_once,
)
from tests.toys import CONFIG, toy_stam, toy_subject


def hooks_of(model: torch.nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


def test_recording_gives_the_logits_of_a_plain_forward_pass():
    subject = toy_subject()
    plain = subject.model(subject.x[None])[0]
    for maps in ("rows", "mean", "max", "min", "full"):
        trace = record(subject.model, subject.x, maps=maps, patch_grid=(4, 4))
        torch.testing.assert_close(trace.logits, plain, atol=1e-5, rtol=0)


def test_shapes_and_row_sums():
    trace = toy_subject().trace("mean")
    assert trace.space_cls_rows.shape == (3, 4, 4, 17)
    assert trace.space_maps.shape == (3, 4, 17, 17)
    assert trace.time_maps.shape == (2, 8, 5, 5)
    assert trace.frame_embeddings.shape == (4, 32)
    for maps in (trace.space_cls_rows, trace.space_maps, trace.time_maps):
        torch.testing.assert_close(maps.sum(-1), torch.ones(maps.shape[:-1]))


def test_first_spatial_map_is_softmax_of_scaled_queries_and_keys():
    """Computed by hand from the first block's weights."""
    subject = toy_subject()
    vit = subject.model.spatial
    tokens = vit._pos_embed(vit.patch_embed(subject.x))
    block = vit.blocks[0]
    qkv = F.linear(block.norm1(tokens), block.attn.qkv.weight, block.attn.qkv.bias)
    q, k, _ = rearrange(qkv, "t n (three h d) -> three t h n d", three=3, h=CONFIG.heads)
    expected = (q @ k.mT / 8**0.5).softmax(-1)  # 32 channels / 4 heads = 8 a head
    full = subject.trace("full").space_maps[0]
    torch.testing.assert_close(full, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("maps", "fuse"), [("mean", "mean"), ("max", "amax"), ("min", "amin")])
def test_fused_storage_equals_fusing_the_full_maps(maps, fuse):
    subject = toy_subject()
    full = subject.trace("full").space_maps
    torch.testing.assert_close(subject.trace(maps).space_maps, getattr(full, fuse)(dim=2))
    torch.testing.assert_close(subject.trace(maps).space_cls_rows, full[:, :, :, 0])


def test_a_clip_longer_than_a_group_of_frames_is_recorded_whole():
    config = dataclasses.replace(CONFIG, num_frames=FRAMES_AT_ONCE + 3)
    subject = toy_subject(config)
    trace = subject.trace("mean")
    assert trace.space_maps.shape[1] == FRAMES_AT_ONCE + 3
    last = record(subject.model, subject.x[-3:], maps="mean", patch_grid=(4, 4))
    torch.testing.assert_close(trace.space_maps[:, -3:], last.space_maps)


def test_large_maps_are_recorded_fewer_frames_at_a_time(monkeypatch):
    subject = toy_subject()
    together = subject.trace("full")
    assert recorded_at_once(subject.model, (4, 4)) == FRAMES_AT_ONCE  # 4 heads, 17 tokens: 5 KB
    monkeypatch.setattr(frames, "RECORDED_BYTES", 4 * 4 * 17**2)
    assert recorded_at_once(subject.model, (4, 4)) == 1
    apart = toy_subject().trace("full")
    torch.testing.assert_close(apart.space_maps, together.space_maps)
    torch.testing.assert_close(apart.logits, together.logits)


def test_nothing_is_left_behind_also_after_an_error():
    model = toy_stam()
    x = torch.rand(4, 3, 32, 32)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    x_before = x.clone()
    record(model, x, patch_grid=(4, 4))
    with pytest.raises(AssertionError):  # timm refuses the wrong side, in the middle of a recording
        record(model, torch.rand(4, 3, 40, 40), patch_grid=(5, 5))
    assert hooks_of(model) == 0
    assert all(module.fused_attn for module in model.space_attention + model.time_attention)
    assert not model.training
    assert torch.equal(x, x_before)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_layer_that_was_not_heard_is_an_error(monkeypatch):
    model = toy_stam()
    bypassed = [*model.space_attention[:2], toy_stam().space_attention[2]]
    monkeypatch.setattr(Stam, "space_attention", bypassed)
    with pytest.raises(RecordingError, match=r"heard 1 times, but was \[1, 1, 0\]"):
        record(model, torch.rand(4, 3, 32, 32), patch_grid=(4, 4))


def test_listen_restores_a_module_that_was_not_fused():
    model = toy_stam()
    model.space_attention[0].fused_attn = False
    with listen(model.space_attention, lambda maps: None):
        assert not any(module.fused_attn for module in model.space_attention)
    assert [module.fused_attn for module in model.space_attention] == [False, True, True]


def test_rows_are_content_with_what_is_there_and_nothing_is_recorded_twice():
    subject = toy_subject()
    first = subject.trace("mean")
    assert subject.trace("rows") is first
    assert subject.trace("mean") is first
    assert list(subject.traces) == ["mean"]
    assert subject.n_bytes > first.n_bytes
