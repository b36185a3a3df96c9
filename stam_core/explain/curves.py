"""When did it decide: the answer while frames come in, and layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from stam_core.explain.base import ExplainerInfo, Scores
from stam_core.explain.game import WHOLE_PASSES
from stam_core.explain.leave_out import OFF_DISTRIBUTION, FrameMethod

if TYPE_CHECKING:
    from stam_core.record import Subject
    from stam_core.types import Target


@dataclass(frozen=True)
class DecisionCurve(FrameMethod):
    """The target's value for the first n frames, the last n frames, and after each layer."""

    info: ClassVar[ExplainerInfo] = ExplainerInfo(
        name="decision-curve",
        title="When did it decide",
        summary=(
            "The class's value from the first 0, 1, ... T frames alone, from the last, and as the "
            "head would read it after each temporal layer."
        ),
        paper="depth: logit lens, nostalgebraist 2020",
        outputs=frozenset({"series"}),
        signed=True,
        uses_target=True,
        passes="1, and the temporal stage 2T times" + WHOLE_PASSES,
        caveat=(
            "The model never watches a clip as it comes in: it is asked again for each part. The "
            "head was trained on the last layer only; what it reads in an earlier one is a hint. "
            + OFF_DISTRIBUTION
        ),
    )

    def stream(self, subject: Subject, target: Target | None) -> Iterator[Scores]:
        """Series prefix, suffix [T+1] and depth [L], each with its lead over the other classes.

        They come with the last step: part of a curve could be read as the whole. Details
        prefix_decided, suffix_decided and depth_decided: the fewest frames, or the first layer
        (from 1), from which on the target stays on top; absent where it is not in the end.
        """
        game = self.game(subject, target)
        n = game.num_frames
        count, frame = torch.arange(n + 1)[:, None], torch.arange(n)
        kept = torch.cat([frame < count, frame >= n - count])  # [2(T+1),T]
        found = []
        for some, done in game.in_steps(kept):
            found.append(torch.stack(game.values_and_leads(some)))
            if done < 1:
                yield Scores(done=done)
        values, leads = torch.cat(found, dim=1)  # [2(T+1)] each
        prefix, suffix = torch.split(values, n + 1)
        prefix_lead, suffix_lead = torch.split(leads, n + 1)
        series = {
            "prefix": prefix, "suffix": suffix,
            "prefix_lead": prefix_lead, "suffix_lead": suffix_lead,
        }  # fmt: skip
        decided = {"prefix": since_when(prefix_lead), "suffix": since_when(suffix_lead)}
        logits = subject.classify_depths()  # [L,K]
        if logits is not None:
            series |= {"depth": game.read(logits), "depth_lead": game.lead(logits)}
            layer = since_when(series["depth_lead"])
            decided["depth"] = None if layer is None else layer + 1
        details = {f"{name}_decided": float(at) for name, at in decided.items() if at is not None}
        yield Scores(series=series, details=details)


def since_when(lead: torch.Tensor) -> int | None:
    """The first index from which on every lead [n] is above 0; None: the last is not."""
    behind = (lead <= 0).nonzero()[:, 0]
    since = 0 if len(behind) == 0 else int(behind[-1]) + 1
    return since if since < len(lead) else None
