"""What the answer would be for other frames: the clip as a game whose players are its frames.

Where frames are embedded one by one (STAM) the embeddings do not depend on each other, so every
subset and every order of the frames costs one pass of the temporal stage (0.2 % of the model's
work) and is exact. Other models are asked whole each time. A removed frame is still something that
training never showed: the model always saw T frames (arXiv 1806.10758).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast

import torch

from stam_core.explain.base import Scores, choice

if TYPE_CHECKING:
    from torch import nn

    from stam_core.record import Subject
    from stam_core.types import Target

Removal = Literal["drop", "mean", "hold"]
REMOVALS: tuple[Removal, ...] = ("drop", "mean", "hold")
Places = Literal["keep", "close"]
Scale = Literal["logit", "probability"]

# Goes with what a method costs.
WHOLE_PASSES = "; each time a whole pass where the model has no stage for frames alone"
# Subsets whose index arrays are made together.
_ROWS_AT_ONCE = 4096
# Multiply-accumulates between two partial results, about a quarter of a second on two cores: as
# long as others may have to wait for the model.
_STEP_MACS = 4096 * 9 * 12 * 128**2 * 3
# Of a transformer layer with a feed-forward 4 times as wide, in units of width squared per token.
_LAYER_MACS = 12


def removal_parameter() -> Any:  # noqa: ANN401 - a dataclass field
    """The parameter of every method that takes frames away."""
    return choice(
        "drop",
        label="Removed frames",
        help=(
            "What stands where a frame was: nothing (drop), the mean of the clip's frames (mean; "
            "of their embeddings where the model has such, else of their pixels), or the nearest "
            "frame that is kept (hold)."
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

    @cached_property
    def choices(self) -> torch.Tensor:
        """[T+1,D] what a place can hold: each frame's embedding, then their mean."""
        own = self.subject.frame_embeddings
        return torch.cat([own, own.mean(dim=0, keepdim=True)])

    @property
    def macs_per_subset(self) -> float:
        """Multiply-accumulates of one subset's value, about."""
        if not self.subject.embeds_frames:
            return whole_pass_macs(self.subject)
        width = self.choices.shape[1]
        layers = max(1, len(self.subject.model.time_attention))
        tokens = self.num_frames / 2 + 1 if self.removal == "drop" else self.num_frames + 1
        return _LAYER_MACS * tokens * width**2 * layers

    @property
    def subsets_per_step(self) -> int:
        """Subsets worth about a quarter of a second on two cores, at least 16.

        Where each costs a pass of the whole model, at least one.
        """
        least = 16 if self.subject.embeds_frames else 1
        return max(least, int(_STEP_MACS / self.macs_per_subset))

    def in_steps(self, rows: torch.Tensor) -> Iterator[tuple[torch.Tensor, float]]:
        """Subsets or orders [M,...], `subsets_per_step` at a time, and the share up to their end.

        For methods that stream: between two steps the model is free for others.
        """
        seen = 0
        for some in torch.split(rows, self.subsets_per_step):
            seen += len(some)
            yield some, seen / len(rows)

    def with_pauses(
        self,
        ask: Callable[[torch.Tensor], torch.Tensor],
        kept: torch.Tensor,
        so_far: Scores,
    ) -> Generator[Scores, None, torch.Tensor]:
        """The answer of `ask` (`values` or `leads`) to subsets [M,T]; `so_far` between its steps.

        For parts of a stream that are small where there is a stage for frames alone, and are
        answered in one go then, but take long where each subset is a pass of the whole model.
        """
        if self.subject.embeds_frames:
            return ask(kept)
        found = []
        for some, done in self.in_steps(kept):
            found.append(ask(some))
            if done < 1:
                yield so_far
        return torch.cat(found)

    def read(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits [M,K] -> values [M]."""
        return self.target.of(logits if self.scale == "logit" else logits.softmax(dim=-1))

    def lead(self, logits: torch.Tensor) -> torch.Tensor:
        """By how much the target's logit leads its foil, or else every other class: [M,K] -> [M].

        Above 0 the target is the answer.
        """
        if self.target.foil is not None:
            return self.target.of(logits)
        others = logits.clone()
        others[..., self.target.index] = -torch.inf
        return logits[..., self.target.index] - others.amax(dim=-1)

    def values(self, kept: torch.Tensor) -> torch.Tensor:
        """The value of each subset.

        Args:
            kept: [M,T] bool, frames that stay.

        Returns:
            [M] float32 on the CPU. With no frame kept: of the temporal CLS alone ("drop", and
            "hold", which then has nothing to hold), or of the mean embedding T times ("mean").
        """
        return self._each(kept, self.read)[0]

    def leads(self, kept: torch.Tensor) -> torch.Tensor:
        """`lead` of each subset: [M,T] bool -> [M]."""
        return self._each(kept, self.lead)[0]

    def values_and_leads(self, kept: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Both from the same answers: [M,T] bool -> [M] each."""
        values, leads = self._each(kept, self.read, self.lead)
        return values, leads

    def logits_of_orders(self, frames: torch.Tensor) -> torch.Tensor:
        """The answers to other orders: frames [M,n] of 0..T-1, at slots 0..n-1 -> [M,K]."""
        return self.subject.classify_choices(self.choices, frames)

    def ordered(self, frames: torch.Tensor) -> torch.Tensor:
        """The value of other orders: frames [M,n] of 0..T-1, at slots 0..n-1 -> [M]."""
        return self.read(self.logits_of_orders(frames))

    def _each(
        self, kept: torch.Tensor, *reads: Callable[[torch.Tensor], torch.Tensor]
    ) -> list[torch.Tensor]:
        """What each of `reads` makes of the answers to the subsets: [M] each."""
        kept = kept.cpu()
        found = [torch.empty(len(kept)) for _ in reads]
        for start in range(0, len(kept), _ROWS_AT_ONCE):
            some = kept[start : start + _ROWS_AT_ONCE]
            for rows, frames, places in self._groups(some):
                logits = self.subject.classify_choices(self.choices, frames, places)
                for values, read in zip(found, reads, strict=True):
                    values[start + rows] = read(logits)
        return found

    def _groups(
        self, kept: torch.Tensor
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]]:
        """Rows with as many tokens: (rows [m], choices [m,n], their places [m,n] or None)."""
        num_frames = self.num_frames
        if self.removal == "mean":
            frames = torch.where(kept, torch.arange(num_frames), num_frames)
            yield torch.arange(len(kept)), frames, None
            return
        counts = kept.sum(dim=1)
        if self.removal == "hold":
            counts = torch.where(counts > 0, num_frames, 0)
        for n in sorted(set(counts.tolist())):
            rows = (counts == n).nonzero()[:, 0]
            if self.removal == "hold" and n > 0:
                yield rows, nearest_kept(kept[rows]), None
            else:
                frames = kept[rows].nonzero()[:, 1].view(len(rows), n)
                yield rows, frames, frames if self.places == "keep" else None


def whole_pass_macs(subject: Subject) -> int:
    """Multiply-accumulates of one clip, but for the attention itself: each token, each weight."""
    h, w = subject.patch_grid
    weights = sum(weight.numel() for weight in cast("nn.Module", subject.model).parameters())
    return max(1, weights * (len(subject.x) * h * w + 1))


def nearest_kept(kept: torch.Tensor) -> torch.Tensor:
    """For each place the nearest frame that is kept, the earlier of two: [M,T] bool -> [M,T]."""
    at = torch.arange(kept.shape[1])
    far = kept.shape[1]
    distance = (at[:, None] - at).abs() + 0.25 * (at > at[:, None])  # [place,frame], ties: earlier
    masked = distance.expand(len(kept), -1, -1).masked_fill(~kept[:, None], 2.0 * far)
    return masked.argmin(dim=-1)
