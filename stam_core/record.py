"""Listen to a model once: one forward pass in, its attention maps and embeddings out.

The fused attention kernels never form the attention maps, and hooks placed under them see nothing
without saying so. Here every module listened to has its fused kernel switched off while recording
(that instance only, restored afterwards) and every map is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from stam_core.types import MapStorage, Trace

# Frames that pass through the spatial stage together: enough to fill the matrix units, and a clip
# of 64 frames needs no more memory than one of 16.
FRAMES_AT_ONCE = 16
# Fewer while recording: the attention maps of 4 frames (30 MB a layer at ViT-B) stay near the
# processor's cache, those of 16 do not, and going through memory costs more than all else here.
RECORDED_AT_ONCE = 4


# Frame tokens that pass through the temporal stage together; at ViT-B 4096 of them need 60 MB.
TOKENS_AT_ONCE = 4096
# Numbers that pass through it together: where a model has no spatial stage of its own and its
# "embeddings" are the frames themselves, 111 frames of 224 x 224 pixels (64 MiB).
NUMBERS_AT_ONCE = 2**24


class StagedModel(Protocol):
    """What a model with a spatial and a separate temporal stage offers to be recorded."""

    @property
    def space_attention(self) -> list[nn.Module]:
        """Spatial attention modules, first layer first."""
        ...

    @property
    def time_attention(self) -> list[nn.Module]:
        """Temporal attention modules, first layer first."""
        ...

    def embed_frames(self, x: torch.Tensor) -> torch.Tensor:
        """Input x [B,T,3,S,S] -> [B,T,D]."""
        ...

    def classify(
        self, embeddings: torch.Tensor, positions: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Embeddings [B,n,D] -> logits [B,K]."""
        ...


@runtime_checkable
class ChoosesFrames(Protocol):
    """What a model may offer besides: many choices of one clip's frames, faster than `classify`."""

    def classify_choices(
        self, embeddings: torch.Tensor, frames: torch.Tensor, places: torch.Tensor
    ) -> torch.Tensor:
        """Embeddings [V,D], of them frames [M,n] at places [M,n] -> logits [M,K]."""
        ...


@runtime_checkable
class ReadsDepths(Protocol):
    """What a model may offer besides: its answer as it stands after each temporal layer."""

    def classify_depths(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Embeddings [B,n,D] -> logits [L,B,K]."""
        ...


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


def embed_frames(
    model: StagedModel,
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


def _fuse(maps: torch.Tensor, storage: MapStorage) -> torch.Tensor | None:
    """[B,H,n,n] -> what `storage` keeps of it; None for the rows alone."""
    match storage:
        case "rows":
            return None
        case "mean":
            return maps.mean(dim=1)
        case "max":
            return maps.amax(dim=1)
        case "min":
            return maps.amin(dim=1)
        case "full":
            return maps


def _join(heard: list[list[object]], n_calls: int) -> list[list[torch.Tensor]]:
    """Check that each layer was heard `n_calls` times."""
    counts = [len(calls) for calls in heard]
    if any(count != n_calls for count in counts):
        raise RecordingError(f"each layer must be heard {n_calls} times, but was {counts}")
    return heard  # type: ignore[return-value]


def record(
    model: StagedModel,
    x: torch.Tensor,
    *,
    maps: MapStorage = "mean",
    patch_grid: tuple[int, int],
    dtype: torch.dtype = torch.float32,
) -> Trace:
    """Run one clip through the model and keep what an explanation needs.

    The temporal stage always runs in float32: it is 0.2 % of the work, and edits of frames are then
    exact.

    Args:
        model: The model, in eval mode; it is the caller's to hold a lock around this call.
        x: [T,3,S,S] preprocessed frames, on the model's device.
        maps: How much of the spatial maps to keep (see `MapStorage`).
        patch_grid: (h, w).
        dtype: Type of the spatial stage's matrix products.

    Returns:
        The trace; its logits are those of a plain forward pass.

    Raises:
        RecordingError: A layer was not heard exactly once per group of frames.
    """

    def keep_space(attention: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        attention = attention.float()  # [t,H,N+1,N+1]
        fused = _fuse(attention, maps)
        # Copied: a view of the rows would keep the whole map, 119 MB a layer at ViT-B.
        return attention[:, :, 0].to("cpu", copy=True), None if fused is None else fused.cpu()

    with torch.no_grad():
        with listen(model.space_attention, keep_space) as space:
            embeddings = embed_frames(model, x, dtype=dtype, at_once=RECORDED_AT_ONCE)
        with listen(model.time_attention, lambda attention: attention[0].float().cpu()) as time:
            logits = model.classify(embeddings[None])[0]
    n_groups = -(-len(x) // RECORDED_AT_ONCE)
    layers = [list(zip(*calls, strict=True)) for calls in _join(space, n_groups)]
    rows = torch.stack([torch.cat(row_parts) for row_parts, _ in layers])  # [L,T,H,N+1]
    kept = (
        None if maps == "rows" else torch.stack([torch.cat(map_parts) for _, map_parts in layers])
    )
    return Trace(
        logits=logits.float().cpu(),
        frame_embeddings=embeddings.cpu(),
        space_cls_rows=rows,
        space_maps=kept,
        time_maps=torch.stack([calls[0] for calls in _join(time, 1)]),
        maps=maps,
        patch_grid=patch_grid,
    )


@dataclass(frozen=True, eq=False)
class Subject:
    """One clip in front of one model: what an explainer may ask. Remembers the traces it made.

    Attributes:
        model: The model, in eval mode, shared with other subjects.
        x: [T,3,S,S] preprocessed frames, on the model's device.
        patch_grid: (h, w).
        dtype: Type of the spatial stage's matrix products.
        input_mean: What was subtracted from each colour in [0,1] to make `x`.
        input_std: What it was divided by.
    """

    model: StagedModel
    x: torch.Tensor
    patch_grid: tuple[int, int]
    dtype: torch.dtype = torch.float32
    input_mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    input_std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    traces: dict[MapStorage, Trace] = field(default_factory=dict, repr=False)

    def trace(self, maps: MapStorage = "rows") -> Trace:
        """A trace that holds at least `maps`; records a pass only where none does yet.

        "rows" is content with any trace, so the first question records "mean", which answers most
        of the later ones too.
        """
        if maps == "rows":
            known = next(iter(self.traces.values()), None)
            return known if known is not None else self.trace("mean")
        if maps not in self.traces:
            self.traces[maps] = record(
                self.model, self.x, maps=maps, patch_grid=self.patch_grid, dtype=self.dtype
            )
        return self.traces[maps]

    @torch.no_grad()
    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Other frames through the spatial stage: x [n,3,S,S] -> [n,D] on the CPU."""
        return embed_frames(self.model, x.to(self.x.device), dtype=self.dtype).cpu()

    @torch.no_grad()
    def classify(
        self, embeddings: torch.Tensor, positions: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Other rows of frames through the temporal stage, some at a time.

        Args:
            embeddings: [M,n,D]; any n, 0 included.
            positions: [M,n] slots 0..T-1; None: 0..n-1.

        Returns:
            Logits [M,K] float32 on the CPU.
        """
        device = self.x.device
        at_once = max(1, TOKENS_AT_ONCE // (embeddings.shape[1] + 1))
        parts = []
        for start in range(0, len(embeddings), at_once):
            rows = slice(start, start + at_once)
            at = None if positions is None else positions[rows].to(device)
            parts.append(self.model.classify(embeddings[rows].to(device), at).float().cpu())
        return torch.cat(parts)

    @property
    def frame_embeddings(self) -> torch.Tensor:
        """[T,D] float32 on the CPU; of the recording where the model can be recorded."""
        if not self.model.time_attention:
            return self.embed(self.x)
        return self.trace().frame_embeddings

    @torch.no_grad()
    def classify_choices(
        self, embeddings: torch.Tensor, frames: torch.Tensor, places: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Many choices of the same embeddings through the temporal stage.

        Args:
            embeddings: [V,D] what is chosen from.
            frames: [M,n] of 0..V-1; any n, 0 included.
            places: [M,n] slots 0..T-1; None: 0..n-1.

        Returns:
            Logits [M,K] float32 on the CPU; to 1e-5 those of `classify(embeddings[frames], places)`
            by whatever shorter way the model offers.
        """
        n = frames.shape[1]
        if places is None:
            places = torch.arange(n).expand(len(frames), -1)
        if isinstance(self.model, ChoosesFrames):
            device = self.x.device
            given = (embeddings.to(device), frames.to(device), places.to(device))
            return self.model.classify_choices(*given).float().cpu()
        at_once = max(1, NUMBERS_AT_ONCE // max(1, n * embeddings.shape[1]))
        parts = [
            self.classify(embeddings[some], at)
            for some, at in zip(
                torch.split(frames, at_once), torch.split(places, at_once), strict=True
            )
        ]
        return torch.cat(parts)

    @torch.no_grad()
    def classify_depths(self) -> torch.Tensor | None:
        """Logits [L,K] after each temporal layer; None where the model does not offer them."""
        if not isinstance(self.model, ReadsDepths):
            return None
        embeddings = self.frame_embeddings.to(self.x.device)
        return self.model.classify_depths(embeddings[None])[:, 0].float().cpu()

    @property
    def n_bytes(self) -> int:
        """Memory held, in bytes."""
        return int(self.x.nbytes) + sum(trace.n_bytes for trace in self.traces.values())
