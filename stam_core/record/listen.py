"""Hear attention maps while a model runs.

The fused attention kernels never form the attention maps, and hooks placed under them see nothing
without saying so. Here every module listened to has its fused kernel switched off while recording
(that instance only, restored afterwards) and every map is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from stam_core.types import MapStorage

Kept = tuple[torch.Tensor, torch.Tensor | None]  # rows of every head; maps with their heads fused


class RecordingError(RuntimeError):
    """A layer was heard less or more often than it must be: our own bug, never the user's."""


@contextmanager
def listen(
    attention: Sequence[nn.Module], keep: Callable[[torch.Tensor], object]
) -> Iterator[list[list[object]]]:
    """Hear each attention module's post-softmax map while the block runs.

    Args:
        attention: Modules with a `fused_attn` switch and an identity tap `attn_drop` after softmax.
        keep: What to keep of a map [B,H,n,n]; called once per forward of each module.

    Yields:
        One list a module, filled with what `keep` returned, in the order of the calls.
    """
    heard: list[list[object]] = [[] for _ in attention]
    fused = [module.fused_attn for module in attention]
    handles = []
    try:
        for module, calls in zip(attention, heard, strict=True):
            # the argument is bound now: `calls` is another list in the next round
            def hook(
                _m: nn.Module, _i: object, out: torch.Tensor, calls: list[object] = calls
            ) -> None:
                calls.append(keep(out))

            handles.append(module.get_submodule("attn_drop").register_forward_hook(hook))
            module.fused_attn = False  # type: ignore[assignment]
        yield heard
    finally:
        for handle in handles:
            handle.remove()
        for module, was in zip(attention, fused, strict=True):
            module.fused_attn = was


def fuse(maps: torch.Tensor, storage: MapStorage) -> torch.Tensor | None:
    """[B,H,n,n] -> what `storage` keeps of it, on the CPU; None for the rows alone."""
    match storage:
        case "rows":
            return None
        case "mean":
            return maps.mean(dim=1).cpu()
        case "max":
            return maps.amax(dim=1).cpu()
        case "min":
            return maps.amin(dim=1).cpu()
        case "full":
            # Copied: what is heard may be a view of something larger.
            return maps.to("cpu", copy=True)


def frame_keeper(storage: MapStorage) -> Callable[[torch.Tensor], Kept]:
    """What is kept of a layer that looks within frames, [B,H,N+1,N+1]: CLS rows, fused maps."""

    def keep(attention: torch.Tensor) -> Kept:
        attention = attention.float()
        # Copied: a view of the rows would keep the whole map, 119 MB a layer at ViT-B.
        return attention[:, :, 0].to("cpu", copy=True), fuse(attention, storage)

    return keep


def heard_each(heard: list[list[object]], n_calls: int) -> list[list[torch.Tensor]]:
    """What was heard, after a check that each layer was heard `n_calls` times.

    Raises:
        RecordingError: One was not.
    """
    counts = [len(calls) for calls in heard]
    if any(count != n_calls for count in counts):
        raise RecordingError(f"each layer must be heard {n_calls} times, but was {counts}")
    return heard  # type: ignore[return-value]


def stacked(layers: Sequence[torch.Tensor | None]) -> torch.Tensor | None:
    """One tensor of all layers; None where nothing was kept of them."""
    kept = [layer for layer in layers if layer is not None]
    return torch.stack(kept) if kept else None
