"""Does the order of the frames matter to the answer, or only which frames there are?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, cast

import torch

from stam_core.explain.base import Explainer, ExplainerInfo, Scores, number
from stam_core.explain.game import WHOLE_PASSES, FrameGame, scale_parameter

if TYPE_CHECKING:
    from stam_core.record import Subject
    from stam_core.types import Target


@dataclass(frozen=True)
class OrderReliance(Explainer):
    """The target's value for the clip as it is, reversed, shuffled, and frozen on each frame."""

    shuffles: int = number(
        64,
        label="Shuffles",
        help="Random orders: one draw may be lucky, so they are shown as a distribution.",
        minimum=8,
        maximum=512,
        step=8,
    )
    seed: int = number(0, label="Seed", help="Of the shuffles.", minimum=0, maximum=999, step=1)
    scale: Literal["logit", "probability"] = scale_parameter()

    info: ClassVar[ExplainerInfo] = ExplainerInfo(
        name="order-reliance",
        title="Reliance on order",
        summary=(
            "The class's value with the frames in order, reversed, shuffled many times, and with "
            "one frame in every place."
        ),
        paper="",
        outputs=frozenset({"series"}),
        signed=True,
        uses_target=True,
        passes="1, and the temporal stage 2 + shuffles + T times" + WHOLE_PASSES,
        caveat=(
            "A value that survives shuffling shows that order is not needed for this clip, not "
            "that the model cannot use it. Shuffled clips are something training never showed."
        ),
    )

    def stream(self, subject: Subject, target: Target | None) -> Iterator[Scores]:
        """Series original [1], reversed [1], shuffles [n], frozen [T], all with the last step.

        Details: mean and spread of the shuffles, how many of those spreads the original lies above
        their mean (`z`), and the share of shuffles and frozen clips with the target still on top.
        """
        game = FrameGame(subject, cast("Target", target), scale=self.scale)
        n = game.num_frames
        generator = torch.Generator().manual_seed(self.seed)
        shuffled = torch.stack(
            [torch.randperm(n, generator=generator) for _ in range(self.shuffles)]
        )
        frozen = torch.arange(n)[:, None].expand(n, n)
        orders = torch.cat([torch.arange(n)[None], torch.arange(n).flip(0)[None], shuffled, frozen])
        found = []
        for some, done in game.in_steps(orders):
            found.append(game.logits_of_orders(some))
            if done < 1:
                yield Scores(done=done)
        logits = torch.cat(found)  # [M,K]
        parts = [1, 1, self.shuffles, n]
        names = ("original", "reversed", "shuffles", "frozen")
        values = dict(zip(names, torch.split(game.read(logits), parts), strict=True))
        on_top = dict(zip(names, torch.split((game.lead(logits) > 0).float(), parts), strict=True))
        yield Scores(series=values, details=_details(values, on_top))


def _details(values: dict[str, torch.Tensor], on_top: dict[str, torch.Tensor]) -> dict[str, float]:
    shuffles = values["shuffles"].double()
    mean, spread = float(shuffles.mean()), float(shuffles.std())
    original = float(values["original"])
    details = {
        "shuffles_mean": mean,
        "shuffles_spread": spread,
        "reversed_change": float(values["reversed"]) - original,
        **{f"{name}_on_top": float(held.mean()) for name, held in on_top.items()},
    }
    if spread > 1e-6 * max(1.0, abs(mean)):  # else no order makes a difference
        details["z"] = (original - mean) / spread
    return details
