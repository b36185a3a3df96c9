"""What the answer loses when a frame, or a pair of frames, is taken away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, cast

import torch

from stam_core.explain.base import Explainer, ExplainerInfo, Scores
from stam_core.explain.game import (
    WHOLE_PASSES,
    FrameGame,
    places_parameter,
    removal_parameter,
    scale_parameter,
)

if TYPE_CHECKING:
    from stam_core.record import Subject
    from stam_core.types import Target

OFF_DISTRIBUTION = (
    "A clip with frames removed is something that training never showed (arXiv 1806.10758): see "
    "whether the verdict stays under another way of removing."
)


@dataclass(frozen=True)
class FrameMethod(Explainer):
    """Base of the methods that take frames away: how, and what is measured."""

    removal: Literal["drop", "mean", "hold"] = removal_parameter()
    places: Literal["keep", "close"] = places_parameter()
    scale: Literal["logit", "probability"] = scale_parameter()

    def game(self, subject: Subject, target: Target | None) -> FrameGame:
        """The clip as a game of its frames."""
        return FrameGame(subject, cast("Target", target), self.removal, self.places, self.scale)


def all_but(num_frames: int, *removed: torch.Tensor) -> torch.Tensor:
    """One row for each entry of `removed` ([M] each), else one: all frames but those [M,T] bool."""
    kept = torch.ones(len(removed[0]) if removed else 1, num_frames, dtype=torch.bool)
    for frames in removed:
        kept[torch.arange(len(frames)), frames] = False
    return kept


@dataclass(frozen=True)
class LeaveOneOut(FrameMethod):
    """v(all) - v(all but t): what the target's value loses without frame t."""

    info: ClassVar[ExplainerInfo] = ExplainerInfo(
        name="leave-one-out",
        title="Leave one out",
        summary="What the class's value loses when this frame alone is taken away.",
        paper="",
        outputs=frozenset({"frames"}),
        signed=True,
        uses_target=True,
        passes="1, and the temporal stage T times (0.2 % of a pass each)" + WHOLE_PASSES,
        caveat=(
            "Of two frames that show the same, neither is missed: both get nothing though the pair "
            "may carry the answer. " + OFF_DISTRIBUTION
        ),
    )

    def stream(self, subject: Subject, target: Target | None) -> Iterator[Scores]:
        """Frames [T], signed; above 0 the frame speaks for the target. 0 before its turn comes."""
        game = self.game(subject, target)
        n = game.num_frames
        kept = torch.cat([all_but(n), all_but(n, torch.arange(n))])
        values = torch.empty(0)
        for some, done in game.in_steps(kept):
            values = torch.cat([values, game.values(some)])
            frames = torch.zeros(n)
            frames[: len(values) - 1] = values[0] - values[1:]
            details = {"v_all": float(values[0]), "evaluations": len(values)}
            yield Scores(frames=frames, details=details, done=done)


@dataclass(frozen=True)
class Interactions(FrameMethod):
    """v(all) - v(-i) - v(-j) + v(-ij): what two frames do together beyond what each does alone."""

    info: ClassVar[ExplainerInfo] = ExplainerInfo(
        name="interactions",
        title="Interactions of frames",
        summary=(
            "For each pair of frames, what both do together beyond each by itself: below 0 they "
            "are redundant (one stands in for the other), above 0 they need each other."
        ),
        paper="",
        outputs=frozenset({"pairs"}),
        signed=True,
        uses_target=True,
        passes="1, and the temporal stage 1 + T + T(T-1)/2 times (137 at 16 frames)" + WHOLE_PASSES,
        caveat=(
            "Measured with all the other frames in place: among fewer frames a pair may behave "
            "otherwise. " + OFF_DISTRIBUTION
        ),
    )

    def stream(self, subject: Subject, target: Target | None) -> Iterator[Scores]:
        """Pairs [T,T], symmetric with a zero diagonal; < 0 redundant, > 0 synergistic.

        They come with the last step: each rests on four answers.
        """
        game = self.game(subject, target)
        n = game.num_frames
        first, second = torch.triu_indices(n, n, offset=1)
        every = torch.arange(n)
        kept = torch.cat([all_but(n), all_but(n, every), all_but(n, first, second)])
        found = []
        for some, done in game.in_steps(kept):
            found.append(game.values(some))
            if done < 1:
                yield Scores(done=done)
        values = torch.cat(found).double()
        v_all, without, without_both = values[0], values[1 : 1 + n], values[1 + n :]
        pairs = torch.zeros(n, n, dtype=torch.float64)
        pairs[first, second] = v_all - without[first] - without[second] + without_both
        upper = pairs[first, second]
        yield Scores(
            pairs=pairs + pairs.T,
            details={
                "v_all": float(v_all),
                "redundant_share": float((upper < 0).double().mean()) if n > 1 else 0.0,
                "evaluations": len(kept),
            },
        )
