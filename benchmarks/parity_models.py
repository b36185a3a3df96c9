"""Whole models: logits, embeddings, every attention map and rollouts, from official weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from einops import rearrange
from torch import nn

from benchmarks.parity_fixtures import Comparison, Fixture
from benchmarks.parity_timesformer import as_clips, timesformer_info, timesformer_outputs
from stam_core.explain.rollout import rollout
from stam_core.models import build_model
from stam_core.models.stam import Stam, StamConfig
from stam_core.models.timesformer import TimeSformer
from stam_core.models.weights import fill
from stam_core.record import record
from stam_core.types import ModelInfo, Preprocessing, WeightsInfo

LOGITS = 2e-5  # fp32; reloading the official code itself moves them by 4e-6
MAPS = 1e-5
INPUTS = {"input", "input_resized"}  # of a fixture's io_keys; the others are answers


def compare_stam(fixture: Fixture) -> Iterator[Comparison]:
    """Logits, embeddings, every attention map and both rollouts of a STAM."""
    golden = fixture.tensors().tensors
    state = {name: golden[name] for name in golden.keys() - set(fixture.facts["io_keys"])}
    info = stam_info(fixture)
    clips = rearrange(golden["input"], "(b t) c y x -> b t c y x", t=info.num_frames)
    yield from compare_outputs(fixture, dict(stam_outputs(fixture, info, state, clips)), golden)


def compare_outputs(
    fixture: Fixture, ours: dict[str, torch.Tensor], golden: dict[str, torch.Tensor]
) -> Iterator[Comparison]:
    """Every answer that the fixture names, and the logits that a recorded pass gave."""
    family = fixture.family
    for output in sorted(set(fixture.facts["io_keys"]) - INPUTS):
        if output in ours:
            tolerance = LOGITS if "logits" in output else MAPS
            yield fixture.compare(family, output, ours[output], golden[output], tolerance)
        else:
            yield fixture.missing(family, output)
    recorded = ours["logits while recording"]
    yield fixture.compare(family, "logits while recording", recorded, golden["logits"], LOGITS)


def compare_timesformer(fixture: Fixture) -> Iterator[Comparison]:
    """Logits, tokens and every attention map of a TimeSformer, under either of its key forms."""
    golden = fixture.tensors().tensors
    state = {name: golden[name] for name in golden.keys() - set(fixture.facts["io_keys"])}
    info = timesformer_info(fixture.name, fixture.facts)
    model = loaded(fixture, info, state)
    assert isinstance(model, TimeSformer)
    clips, resized = (
        as_clips(golden[name], fixture.facts) if name in golden else None
        for name in ("input", "input_resized")
    )
    assert clips is not None
    yield from compare_outputs(fixture, dict(timesformer_outputs(model, clips, resized)), golden)


def stam_outputs(
    fixture: Fixture, info: ModelInfo, state: dict[str, torch.Tensor], clips: torch.Tensor
) -> Iterator[tuple[str, torch.Tensor]]:
    """(name in the fixture, our answer) for clips [B,T,3,S,S]."""
    model = loaded(fixture, info, state)
    assert isinstance(model, Stam)
    v1 = {name: value for name, value in state.items() if not name.endswith("attn.qkv.bias")}
    with torch.no_grad():
        embeddings = model.embed_frames(clips)  # [B,T,D]
        yield "logits", model(clips)
        yield "inter.frame_cls", embeddings
        yield "inter.clip_embedding", model.embed_clip(embeddings)
        yield "inter.logits_mean_aggregate", model.head(embeddings.mean(dim=1))
        yield "inter.logits_without_qkv_bias", loaded(fixture, info, v1)(clips)
    traces = [record(model, clip, maps="full", patch_grid=info.patch_grid) for clip in clips]
    yield "logits while recording", torch.stack([trace.logits for trace in traces])
    kept = [trace.space_maps for trace in traces if trace.space_maps is not None]
    space = torch.cat(kept, dim=1)  # [L,B*T,H,N+1,N+1]
    time = torch.stack([trace.time_maps for trace in traces], dim=1)  # [L,B,H,T+1,T+1]
    yield from ((f"inter.attn_spatial.{layer}", maps) for layer, maps in enumerate(space))
    yield from ((f"inter.attn_temporal.{layer}", maps) for layer, maps in enumerate(time))
    yield "inter.rollout_spatial", rollout(space.mean(dim=2))
    yield "inter.rollout_temporal", rollout(time.mean(dim=2))


def stam_info(fixture: Fixture) -> ModelInfo:
    """The fixture's sizes as one of our models."""
    sizes, spatial, temporal = (fixture.facts[key] for key in ("config", "spatial", "temporal"))
    config = StamConfig(
        side=sizes["img_size"],
        patch_size=sizes["patch_size"],
        width=sizes["embed_dim"],
        depth=sizes["depth"],
        heads=sizes["num_heads"],
        mlp_ratio=float(spatial["mlp_ratio"]),
        num_frames=sizes["frames"],
        time_depth=sizes["temporal_layers"],
        time_heads=temporal["nhead"],
        time_feedforward=temporal["dim_feedforward"],
        num_classes=sizes["num_classes"],
    )
    return ModelInfo(
        name=fixture.name,
        title=fixture.name,
        family="stam",
        config=config,
        labels=tuple(map(str, range(config.num_classes))),
        num_frames=config.num_frames,
        preprocessing=Preprocessing(resize_side=config.side, side=config.side),
        sampling="official",
        official_fps=None,
        weights=WeightsInfo(source=fixture.path.name, licence="Apache-2.0", embedded=False),
        paper="2103.13915",
        summary="",
    )


def loaded(fixture: Fixture, info: ModelInfo, state: dict[str, torch.Tensor]) -> nn.Module:
    """The model with the official state loaded strictly, under the official names."""
    checkpoint = replace(fixture.tensors(), tensors=state)
    model: nn.Module = build_model(info)
    fill(model, info, checkpoint, source=fixture.path.name)
    return model
