"""What the answer would be for other frames: the clip as a game whose players are its frames.

Frame embeddings do not depend on each other, so every subset and every order of the frames costs
one pass of the temporal stage (0.2 % of the model's work) and is exact. A removed frame is still
something that training never showed: the model always saw T frames (arXiv 1806.10758).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch

from stam_core.explain.base import choice

if TYPE_CHECKING:
    from stam_core.record import Subject
    from stam_core.types import Target

Removal = Literal["drop", "mean", "hold"]
REMOVALS: tuple[Removal, ...] = ("drop", "mean", "hold")
Places = Literal["keep", "close"]
Scale = Literal["logit", "probability"]


def removal_parameter() -> Any:  # noqa: ANN401 - a dataclass field
    """The parameter of every method that takes frames away."""
    return choice(
        "drop",
        label="Removed frames",
        help=(
            "What stands where a frame was: nothing (drop), the clip's mean embedding (mean), or "
            "the nearest frame that is kept (hold)."
        ),
        choices=REMOVALS,
    )


def places_parameter() -> Any:  # noqa: ANN401
    """The parameter that goes with dropping."""
    return choice(
        "keep",
        label="Positions",
        help=(
            "After dropping, the kept frames keep their positions in time (keep) or move together "
            "(close): two different questions."
        ),
        choices=("keep", "close"),
    )


def scale_parameter() -> Any:  # noqa: ANN401
    """The parameter that says what is measured."""
    return choice(
        "logit",
        label="Measured on",
        help="The class's logit, or its probability, which saturates near 0 and 1.",
        choices=("logit", "probability"),
    )


@dataclass(frozen=True, eq=False)
class FrameGame:
    """The target's value for any choice of one clip's frames."""

    subject: Subject
    target: Target
    removal: Removal = "drop"
    places: Places = "keep"
    scale: Scale = "logit"

    @property
    def num_frames(self) -> int:
        """T, the players."""
        return len(self.subject.x)

    def read(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits [M,K] -> values [M]."""
        return self.target.of(logits if self.scale == "logit" else logits.softmax(dim=-1))

    def values(self, kept: torch.Tensor) -> torch.Tensor:
        """The value of each subset.

        Args:
            kept: [M,T] bool, frames that stay.

        Returns:
            [M] float32 on the CPU. With no frame kept: of the temporal CLS alone ("drop", and
            "hold", which then has nothing to hold), or of the mean embedding T times ("mean").
        """
        kept = kept.cpu()
        values = torch.empty(len(kept))
        for rows, frames, places in self._groups(kept):
            values[rows] = self._values_of(frames, places, kept[rows])
        return values

    def ordered(self, frames: torch.Tensor) -> torch.Tensor:
        """The value of other orders: frames [M,n] of 0..T-1, at slots 0..n-1 -> [M]."""
        embeddings = self.subject.trace().frame_embeddings[frames]
        return self.read(self.subject.classify(embeddings, None))

    def _groups(
        self, kept: torch.Tensor
    ) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]]:
        """Rows with as many tokens: (rows [m], frames [m,n], their places [m,n] or None)."""
        counts = kept.sum(dim=1)
        if self.removal == "mean":
            rows = torch.arange(len(kept))
            return [(rows, torch.arange(self.num_frames).expand(len(kept), -1), None)]
        groups = []
        full = torch.where(counts > 0, self.num_frames, 0) if self.removal == "hold" else counts
        for n in full.unique().tolist():
            rows = (full == n).nonzero()[:, 0]
            if n == 0 or self.removal == "drop":
                frames = kept[rows].nonzero()[:, 1].view(len(rows), n)
            else:
                frames = nearest_kept(kept[rows])
            keeps = self.removal == "drop" and self.places == "keep"
            groups.append((rows, frames, frames if keeps else None))
        return groups

    def _values_of(
        self, frames: torch.Tensor, places: torch.Tensor | None, kept: torch.Tensor
    ) -> torch.Tensor:
        own = self.subject.trace().frame_embeddings  # [T,D]
        embeddings = own[frames]  # [m,n,D]
        if self.removal == "mean":
            embeddings = torch.where(kept[..., None], embeddings, own.mean(dim=0))
        return self.read(self.subject.classify(embeddings, places))


def nearest_kept(kept: torch.Tensor) -> torch.Tensor:
    """For each place the nearest frame that is kept, the earlier of two: [M,T] bool -> [M,T]."""
    at = torch.arange(kept.shape[1])
    far = kept.shape[1]
    distance = (at[:, None] - at).abs() + 0.25 * (at > at[:, None])  # [place,frame], ties: earlier
    masked = distance.expand(len(kept), -1, -1).masked_fill(~kept[:, None], 2.0 * far)
    return masked.argmin(dim=-1)
