"""Recording a factorised model: the spatial stage a few frames at a time, then the temporal one."""

from __future__ import annotations

import torch

from stam_core.record.listen import frame_keeper, heard_each, listen
from stam_core.record.protocols import VideoModel
from stam_core.types import MapStorage, Trace

# Frames that pass through the spatial stage together: enough to fill the matrix units, and a clip
# of 64 frames needs no more memory than one of 16.
FRAMES_AT_ONCE = 16
# Fewer while recording large maps: at ViT-B those of 4 frames (8 MB a layer, and as much again on
# the way) stay near the processor's cache, those of 16 do not, and going through memory costs more
# than all else here. Small maps go together: each group costs the interpreter all of its layers.
RECORDED_BYTES = 8 * 2**20


def recorded_at_once(model: VideoModel, patch_grid: tuple[int, int]) -> int:
    """How many frames pass through the spatial stage together while their maps are recorded.

    Args:
        model: The model.
        patch_grid: (h, w).
    """
    n_tokens = 1 + patch_grid[0] * patch_grid[1]
    heads = max(int(getattr(layer, "num_heads", 1)) for layer in model.space_attention)
    return min(FRAMES_AT_ONCE, max(1, RECORDED_BYTES // (4 * heads * n_tokens**2)))


def embed_frames(
    model: VideoModel,
    x: torch.Tensor,
    *,
    dtype: torch.dtype = torch.float32,
    at_once: int = FRAMES_AT_ONCE,
) -> torch.Tensor:
    """The spatial stage, a few frames at a time.

    Args:
        model: The model, in eval mode.
        x: [T,3,S,S] preprocessed frames, on the model's device.
        dtype: float32, or the type matrix products run in (autocast).
        at_once: Frames that pass through together.

    Returns:
        [T,D] float32.
    """
    with torch.autocast(x.device.type, dtype=dtype, enabled=dtype != torch.float32):
        parts = [model.embed_frames(part[None])[0] for part in torch.split(x, at_once)]
    return torch.cat(parts).float()


def record_factorised(
    model: VideoModel,
    x: torch.Tensor,
    *,
    maps: MapStorage,
    patch_grid: tuple[int, int],
    dtype: torch.dtype,
) -> Trace:
    """See `record`. The temporal stage always runs in float32, so that edits of frames are exact.

    Raises:
        RecordingError: A layer was not heard exactly once per group of frames.
    """
    at_once = recorded_at_once(model, patch_grid)
    with listen(model.space_attention, frame_keeper(maps)) as space:
        embeddings = embed_frames(model, x, dtype=dtype, at_once=at_once)
    with listen(model.time_attention, lambda attention: attention[0].float().cpu()) as time:
        logits = model.classify(embeddings[None])[0]
    n_groups = -(-len(x) // at_once)
    layers = [list(zip(*calls, strict=True)) for calls in heard_each(space, n_groups)]
    rows = torch.stack([torch.cat(row_parts) for row_parts, _ in layers])  # [L,T,H,N+1]
    kept = (
        None if maps == "rows" else torch.stack([torch.cat(map_parts) for _, map_parts in layers])
    )
    return Trace(
        logits=logits.float().cpu(),
        frame_embeddings=embeddings.cpu(),
        space_cls_rows=rows,
        space_maps=kept,
        time_maps=torch.stack([calls[0] for calls in heard_each(time, 1)]),
        maps=maps,
        patch_grid=patch_grid,
    )
