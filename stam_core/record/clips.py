"""Recording the models that take a clip whole: one pass hears every list of attention modules.

Of each map the CLS rows are kept of every head, and the map itself with its heads fused as it
passes: at ViT-B, 8 frames, 15 MB for divided attention and 118 MB for joint, in place of 180 MB
and 1.4 GB.
"""

from __future__ import annotations

from typing import cast

import torch

from stam_core.record.listen import Kept, frame_keeper, fuse, heard_each, listen, stacked
from stam_core.record.protocols import JoinsFrames, VideoModel
from stam_core.types import DividedTrace, JointTrace, MapStorage, SpaceTrace

# Numbers that pass through a whole model together: 111 frames of 224 x 224 pixels (64 MiB).
NUMBERS_AT_ONCE = 2**24


def classify_clips(
    model: VideoModel,
    embeddings: torch.Tensor,
    positions: torch.Tensor | None = None,
    *,
    dtype: torch.dtype = torch.float32,
) -> torch.Tensor:
    """`classify`, in the type that the model's main work runs in: [B,n,D] -> logits [B,K] float32.

    A factorised model's temporal stage stays in float32: see `record_factorised`.
    """
    whole = model.scheme != "factorised"
    device = embeddings.device.type
    with torch.autocast(device, dtype=dtype, enabled=whole and dtype != torch.float32):
        return model.classify(embeddings, positions).float()


def record_divided(
    model: VideoModel,
    x: torch.Tensor,
    *,
    maps: MapStorage,
    patch_grid: tuple[int, int],
    dtype: torch.dtype,
) -> DividedTrace:
    """See `record`.

    Raises:
        RecordingError: A layer was not heard exactly once.
    """

    def keep_time(attention: torch.Tensor) -> Kept:
        attention = attention.float()  # [N,H,T,T]
        return attention.mean(dim=(0, 2)).cpu(), fuse(attention, maps)

    with (
        listen(model.space_attention, frame_keeper(maps)) as space,
        listen(model.time_attention, keep_time) as time,
    ):
        logits = classify_clips(model, model.embed_frames(x[None]), dtype=dtype)[0]
    rows, space_maps = _layers(space)
    received, time_maps = _layers(time)
    return DividedTrace(
        logits=logits.cpu(),
        space_cls_rows=rows,
        space_maps=space_maps,
        maps=maps,
        patch_grid=patch_grid,
        time_received=received,
        time_maps=time_maps,
    )


def record_space(
    model: VideoModel,
    x: torch.Tensor,
    *,
    maps: MapStorage,
    patch_grid: tuple[int, int],
    dtype: torch.dtype,
) -> SpaceTrace:
    """See `record`.

    Raises:
        RecordingError: A layer was not heard exactly once.
    """
    with listen(model.space_attention, frame_keeper(maps)) as heard:
        logits = classify_clips(model, model.embed_frames(x[None]), dtype=dtype)[0]
    rows, kept = _layers(heard)
    return SpaceTrace(logits.cpu(), rows, kept, maps, patch_grid)


def record_joint(
    model: VideoModel,
    x: torch.Tensor,
    *,
    maps: MapStorage,
    patch_grid: tuple[int, int],
    dtype: torch.dtype,
) -> JointTrace:
    """See `record`.

    Raises:
        RecordingError: A layer was not heard exactly once.
    """

    def keep(attention: torch.Tensor) -> Kept:
        attention = attention.float()  # [1,H,1+T*N,1+T*N]
        fused = fuse(attention, maps)
        return attention[0, :, 0].to("cpu", copy=True), None if fused is None else fused[0]

    with listen(cast("JoinsFrames", model).joint_attention, keep) as heard:
        logits = classify_clips(model, model.embed_frames(x[None]), dtype=dtype)[0]
    rows, kept = _layers(heard)
    return JointTrace(logits.cpu(), rows, kept, maps, patch_grid)


def _layers(heard: list[list[object]]) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Rows [L,...] and maps [L,...] of layers that were each heard once."""
    once = cast("list[list[Kept]]", heard_each(heard, 1))
    return torch.stack([rows for ((rows, _),) in once]), stacked([maps for ((_, maps),) in once])
