"""One recorded pass of any model, and the clip in front of its model that explainers question."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import torch

from stam_core.record.clips import (
    NUMBERS_AT_ONCE,
    classify_clips,
    record_divided,
    record_joint,
    record_space,
)
from stam_core.record.frames import embed_frames, record_factorised
from stam_core.record.protocols import ChoosesFrames, ReadsDepths, VideoModel, embeds_frames
from stam_core.types import AnyTrace, MapStorage, Scheme, Trace

# Frame tokens that pass through a temporal stage together; at ViT-B 4096 of them need 60 MB.
TOKENS_AT_ONCE = 4096
# Fused maps above this are not recorded before a method asks for them.
FIRST_MAPS_BYTES = 160 * 2**20


class Recorder(Protocol):
    """What records a pass of the models of one scheme."""

    def __call__(
        self,
        model: VideoModel,
        x: torch.Tensor,
        *,
        maps: MapStorage,
        patch_grid: tuple[int, int],
        dtype: torch.dtype,
    ) -> AnyTrace:
        """See `record`."""
        ...


RECORDERS: dict[Scheme, Recorder] = {
    "factorised": record_factorised,
    "divided": record_divided,
    "joint": record_joint,
    "space": record_space,
}


@torch.no_grad()
def record(
    model: VideoModel,
    x: torch.Tensor,
    *,
    maps: MapStorage = "mean",
    patch_grid: tuple[int, int],
    dtype: torch.dtype = torch.float32,
) -> AnyTrace:
    """Run one clip through the model and keep what an explanation needs.

    Args:
        model: The model, in eval mode; it is the caller's to hold a lock around this call.
        x: [T,3,S,S] preprocessed frames, on the model's device.
        maps: How much of the maps to keep (see `MapStorage`).
        patch_grid: (h, w).
        dtype: Type of the matrix products; of a factorised model, of its spatial stage alone.

    Returns:
        The trace of the model's scheme; its logits are those of a plain forward pass.

    Raises:
        RecordingError: A layer was not heard as often as it must be.
    """
    return RECORDERS[model.scheme](model, x, maps=maps, patch_grid=patch_grid, dtype=dtype)


@dataclass
class Meter:
    """Work done for a subject beyond its recorded passes, in full forward passes."""

    passes: float = 0.0


@dataclass(frozen=True, eq=False)
class Subject:
    """One clip in front of one model: what an explainer may ask. Remembers the traces it made.

    Attributes:
        model: The model, in eval mode, shared with other subjects.
        x: [T,3,S,S] preprocessed frames, on the model's device.
        patch_grid: (h, w).
        dtype: Type of the matrix products; of a factorised model, of its spatial stage alone.
        input_mean: What was subtracted from each colour in [0,1] to make `x`.
        input_std: What it was divided by.
        meter: Counts the passes of `classify` where each is one of the whole model.
    """

    model: VideoModel
    x: torch.Tensor
    patch_grid: tuple[int, int]
    dtype: torch.dtype = torch.float32
    input_mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    input_std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    traces: dict[MapStorage, AnyTrace] = field(default_factory=dict, repr=False)
    meter: Meter = field(default_factory=Meter, repr=False)

    @property
    def scheme(self) -> Scheme:
        """How the model's attention joins space and time."""
        return self.model.scheme

    @property
    def embeds_frames(self) -> bool:
        """Whether other choices of the frames cost a temporal stage alone; else a whole pass."""
        return embeds_frames(self.model)

    def trace(self, maps: MapStorage = "rows") -> AnyTrace:
        """A trace that holds at least `maps`; records a pass only where none does yet.

        "rows" is content with any trace, so the first question records "mean", which answers most
        of the later ones too, unless that would take much memory.
        """
        if maps == "rows":
            known = next(iter(self.traces.values()), None)
            if known is not None:
                return known
            maps = "mean" if self._map_bytes <= FIRST_MAPS_BYTES else "rows"
        if maps not in self.traces:
            self.traces[maps] = record(
                self.model, self.x, maps=maps, patch_grid=self.patch_grid, dtype=self.dtype
            )
        return self.traces[maps]

    @property
    def _map_bytes(self) -> int:
        """Of one fused map a layer in space, or over the whole clip."""
        n_frames, n_patches = len(self.x), self.patch_grid[0] * self.patch_grid[1]
        if self.scheme == "joint":
            layers = getattr(self.model, "joint_attention", ())
            return 4 * len(layers) * (1 + n_frames * n_patches) ** 2
        return 4 * len(self.model.space_attention) * n_frames * (1 + n_patches) ** 2

    @torch.no_grad()
    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Other frames as `classify` takes them: x [n,3,S,S] -> [n,D] on the CPU."""
        return embed_frames(self.model, x.to(self.x.device), dtype=self.dtype).cpu()

    @property
    def frame_embeddings(self) -> torch.Tensor:
        """The clip's frames as `classify` takes them: [T,D] float32 on the CPU."""
        if not self.embeds_frames:
            return self.embed(self.x)
        trace = self.trace()
        assert isinstance(trace, Trace)  # what factorised models leave
        return trace.frame_embeddings

    @torch.no_grad()
    def classify(
        self, embeddings: torch.Tensor, positions: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The answers to other rows of frames, some at a time.

        Args:
            embeddings: [M,n,D]; any n, 0 included.
            positions: [M,n] slots 0..T-1; None: 0..n-1.

        Returns:
            Logits [M,K] float32 on the CPU.
        """
        device = self.x.device
        at_once = self._rows_at_once(*embeddings.shape[1:])
        parts = []
        for start in range(0, len(embeddings), at_once):
            rows = slice(start, start + at_once)
            at = None if positions is None else positions[rows].to(device)
            given = embeddings[rows].to(device)
            parts.append(classify_clips(self.model, given, at, dtype=self.dtype).cpu())
        self._count(len(embeddings), embeddings.shape[1])
        return torch.cat(parts)

    @torch.no_grad()
    def classify_choices(
        self, embeddings: torch.Tensor, frames: torch.Tensor, places: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The answers to many choices of the same embeddings.

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
        at_once = self._rows_at_once(n, embeddings.shape[1])
        parts = [
            self.classify(embeddings[some], at)
            for some, at in zip(
                torch.split(frames, at_once), torch.split(places, at_once), strict=True
            )
        ]
        return torch.cat(parts)

    @torch.no_grad()
    def classify_depths(self) -> torch.Tensor | None:
        """Logits [L,K] after each layer that sees time; None where the model does not tell them."""
        if not isinstance(self.model, ReadsDepths):
            return None
        embeddings = self.frame_embeddings.to(self.x.device)
        self._count(1, len(self.x))
        return self.model.classify_depths(embeddings[None])[:, 0].float().cpu()

    def _rows_at_once(self, n_frames: int, width: int) -> int:
        """Rows of frames that pass through together."""
        if self.embeds_frames:
            return max(1, TOKENS_AT_ONCE // (n_frames + 1))
        return max(1, NUMBERS_AT_ONCE // max(1, n_frames * width))

    def _count(self, n_rows: int, n_frames: int) -> None:
        if not self.embeds_frames:
            self.meter.passes += n_rows * n_frames / len(self.x)

    @property
    def n_bytes(self) -> int:
        """Memory held, in bytes."""
        return int(self.x.nbytes) + sum(trace.n_bytes for trace in self.traces.values())
