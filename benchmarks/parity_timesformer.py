"""TimeSformer as the golden numbers ask it: sizes, inputs, and every output under its own name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from einops import rearrange

from stam_core.models.timesformer import TimeSformer, TimeSformerConfig
from stam_core.record import listen
from stam_core.types import ModelInfo, Preprocessing, WeightsInfo

SCHEMES = {"divided_space_time": "divided", "joint_space_time": "joint", "space_only": "space"}
Json = dict[str, Any]  # parsed JSON: any value


def timesformer_info(name: str, facts: Json) -> ModelInfo:
    """The fixture's sizes as one of our models."""
    sizes = facts["config"]
    stated = sizes["img_size"]
    width = sizes["embed_dim"]
    config = TimeSformerConfig(
        scheme=SCHEMES[sizes["attention_type"]],  # type: ignore[arg-type]
        side=stated if isinstance(stated, int) else stated[0],
        patch_size=sizes["patch_size"],
        width=width,
        depth=sizes["depth"],
        heads=sizes["num_heads"],
        mlp_ratio=sizes.get("intermediate", 4 * width) / width,
        num_frames=sizes["frames"],
        num_classes=sizes["num_classes"],
    )
    return ModelInfo(
        name=name,
        title=name,
        family="timesformer",
        config=config,
        labels=tuple(map(str, range(config.num_classes))),
        num_frames=config.num_frames,
        preprocessing=Preprocessing(resize_side=config.side, side=config.side),
        sampling="uniform",
        official_fps=None,
        weights=WeightsInfo(source=name, licence="random numbers", embedded=False),
        paper="2102.05095",
        summary="",
    )


def as_clips(x: torch.Tensor, facts: Json) -> torch.Tensor:
    """A fixture's input as [B,T,3,y,x]."""
    return (
        x if facts["input_layout"] == "(B, T, 3, H, W)" else rearrange(x, "b c t y x -> b t c y x")
    )


def official_order(tokens: torch.Tensor, n_frames: int) -> torch.Tensor:
    """[B,1+T*N,...] with patch p of frame t at 1+t*N+p -> the same with it at 1+p*T+t."""
    patches = rearrange(tokens[:, 1:], "b (t p) ... -> b (p t) ...", t=n_frames)
    return torch.cat([tokens[:, :1], patches], dim=1)


@torch.no_grad()
def timesformer_outputs(
    model: TimeSformer, clips: torch.Tensor, resized: torch.Tensor | None
) -> Iterator[tuple[str, torch.Tensor]]:
    """(name in the fixture, our answer) for clips [B,T,3,S,S] and other clips of other sizes."""
    n_frames = clips.shape[1]
    yield "logits", model(clips)
    if resized is not None:
        yield "logits_resized", model(resized)
    yield "inter.clip_embedding", model.embed_clip(clips)
    cls, patches = model.encode(clips)
    if model.config.scheme == "space":
        yield "inter.frame_cls", cls
        tokens = torch.cat([cls[:, :, None], patches], dim=2).mean(dim=1)  # [B,1+N,D]
    else:
        joined = torch.cat([cls, rearrange(patches, "b t p d -> b (t p) d")], dim=1)
        tokens = official_order(joined, n_frames)
    yield "inter.tokens_before_norm", tokens
    with (
        listen(model.space_attention, torch.clone) as space,
        listen(model.time_attention, torch.clone) as time,
        listen(model.joint_attention, torch.clone) as joint,
    ):
        yield "logits while recording", model(clips)
    for kind, heard in (("spatial", space), ("temporal", time), ("joint", joint)):
        for layer, (maps,) in enumerate(heard):
            assert isinstance(maps, torch.Tensor)
            if kind == "joint":  # [B,H,n,n]: both axes hold tokens
                queries = official_order(maps.transpose(1, 2), n_frames).transpose(1, 2)
                maps = official_order(queries.movedim(3, 1), n_frames).movedim(1, 3)
            yield f"inter.attn_{kind}.{layer}", maps
