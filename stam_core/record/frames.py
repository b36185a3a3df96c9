"""Recording a factorised model: the spatial stage a few frames at a time, then the temporal one."""

from __future__ import annotations

import torch

from stam_core.record.listen import frame_keeper, heard_each, listen
from stam_core.record.protocols import VideoModel
from stam_core.types import MapStorage, Trace

# Frames that pass through the spatial stage together: enough to fill the matrix units, and a clip
# of 64 frames needs no more memory than one of 16.
FRAMES_AT_ONCE = 16
# Fewer while recording: the attention maps of 4 frames (30 MB a layer at ViT-B) stay near the
# processor's cache, those of 16 do not, and going through memory costs more than all else here.
RECORDED_AT_ONCE = 4


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
    with listen(model.space_attention, frame_keeper(maps)) as space:
        embeddings = embed_frames(model, x, dtype=dtype, at_once=RECORDED_AT_ONCE)
    with listen(model.time_attention, lambda attention: attention[0].float().cpu()) as time:
        logits = model.classify(embeddings[None])[0]
    n_groups = -(-len(x) // RECORDED_AT_ONCE)
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
