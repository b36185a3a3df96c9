"""Integrated gradients: the target's rise from a baseline to the clip, shared out.

Source: Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", arXiv 1703.01365.
The integration itself is captum's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

import torch
from einops import reduce

from stam_core.explain.base import Explainer, ExplainerInfo, Scores, choice, number
from stam_core.explain.baselines import Baseline, baseline
from stam_core.explain.captum_bridge import integrate
from stam_core.explain.gradients import embed_for_gradients, frames_at_once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stam_core.record import Subject
    from stam_core.types import Target

PAPER = "Sundararajan et al., arXiv 1703.01365; computed with captum"
# Points of one stretch of the way; after each, others may ask the model.
STEPS_AT_ONCE = 4


def completeness(total: float, value: float, baseline_value: float) -> dict[str, float]:
    """What the scores must add up to, and by how much they miss it."""
    rise = value - baseline_value
    delta = total - rise
    return {
        "value": value,
        "baseline_value": baseline_value,
        "delta": delta,
        "relative_delta": abs(delta) / max(abs(rise), torch.finfo(torch.float32).eps),
    }


@dataclass(frozen=True)
class IntegratedGradients(Explainer):
    """Integrated gradients on the pixels, summed over each patch."""

    baseline: str = choice(
        "blur",
        label="Compared with",
        help=(
            "Where the way to the clip begins: black, each frame blurred, the clip's mean colour, "
            "or still (the mean of all frames, so that only change in time counts). Pixels that "
            "equal the baseline get no credit, black ones none against black."
        ),
        choices=("black", "blur", "mean", "still"),
    )
    steps: int = number(
        32,
        label="Steps",
        help="Points on the way. More cost more and bring the sum closer to the true rise.",
        minimum=4,
        maximum=256,
        step=4,
    )

    info: ClassVar[ExplainerInfo] = ExplainerInfo(
        name="integrated-gradients",
        title="Integrated gradients",
        summary=(
            "How much each patch's pixels add to the class on the way from a baseline to the clip; "
            "all add up to the whole rise."
        ),
        paper=PAPER,
        outputs=frozenset({"frames", "patches"}),
        signed=True,
        uses_target=True,
        passes="3 for each step, 4 where memory is short: about 100 with 32 steps",
        caveat=(
            "It depends on the baseline, and the clips on the way are ones that training never "
            "showed. Look at the relative error of the sum: above a few percent, take more steps."
        ),
    )

    def stream(self, subject: Subject, target: Target | None) -> Iterator[Scores]:
        """Patches [T,h,w] and frames [T], signed; partial ones explain the way so far."""
        assert target is not None  # `info.uses_target`
        x, start = subject.x, baseline(subject, cast("Baseline", self.baseline))

        def value(clips: torch.Tensor) -> torch.Tensor:
            embedded = torch.stack([embed_for_gradients(subject, clip) for clip in clips])
            return target.of(subject.model.classify(embedded))

        with torch.no_grad():
            ends = value(torch.stack([x, start])).tolist()
        recomputes = frames_at_once(subject, maps=False) < len(x)
        total, done = torch.zeros_like(x), 0
        while done < self.steps:
            n_steps = min(STEPS_AT_ONCE, self.steps - done)
            at, until = done / self.steps, (done + n_steps) / self.steps
            total += integrate(
                value, torch.lerp(start, x, at), torch.lerp(start, x, until),
                steps=n_steps, clips_at_once=1,
            )  # fmt: skip
            done += n_steps
            passes = 3.0 + done * (4.0 if recomputes else 3.0)
            yield self._scores(subject, total, ends, passes, done / self.steps)

    @staticmethod
    def _scores(
        subject: Subject, total: torch.Tensor, ends: list[float], passes: float, done: float
    ) -> Scores:
        h, w = subject.patch_grid
        patches = reduce(total, "t c (h y) (w x) -> t h w", "sum", h=h, w=w)
        return Scores(
            frames=patches.sum(dim=(1, 2)),
            patches=patches,
            details=completeness(float(patches.sum()), *ends) if done == 1.0 else {},
            passes=passes,
            done=done,
        )


@dataclass(frozen=True)
class EmbeddingGradients(Explainer):
    """Integrated gradients on the frame embeddings: the temporal stage alone, in milliseconds."""

    baseline: str = choice(
        "mean",
        label="Compared with",
        help=(
            "Where the way to the clip's embeddings begins: at the mean of them, on every frame "
            "(what sets a frame apart counts), or at zero."
        ),
        choices=("zero", "mean"),
    )
    steps: int = number(
        64,
        label="Steps",
        help="Points on the way. More bring the sum closer to the true rise.",
        minimum=8,
        maximum=256,
        step=8,
    )

    info: ClassVar[ExplainerInfo] = ExplainerInfo(
        name="embedding-gradients",
        title="Gradients on embeddings",
        summary=(
            "How much each frame's embedding adds to the class on the way from a baseline to the "
            "clip; all add up to the whole rise."
        ),
        paper=PAPER,
        outputs=frozenset({"frames"}),
        signed=True,
        uses_target=True,
        passes="1, shared with the prediction, and less than 1 more (the temporal stage alone)",
        caveat=(
            "It depends on the baseline, and the embeddings on the way are no frames that exist. "
            "A frame like the mean of the clip gets little, however much it matters."
        ),
        schemes=frozenset({"factorised"}),
    )

    def scores(self, subject: Subject, target: Target | None) -> Scores:
        """Frames [T], signed; the sum is the target's rise, but for `delta` in the details."""
        assert target is not None  # `info.uses_target`
        own = subject.frame_embeddings.to(subject.x.device)  # [T,D]
        mean = own.mean(dim=0).expand_as(own)
        start = torch.zeros_like(own) if self.baseline == "zero" else mean

        def value(embeddings: torch.Tensor) -> torch.Tensor:
            return target.of(subject.model.classify(embeddings))

        with torch.no_grad():
            ends = value(torch.stack([own, start])).tolist()
        total = integrate(value, start, own, steps=self.steps, clips_at_once=self.steps)
        frames = total.sum(dim=-1)
        return Scores(frames=frames, details=completeness(float(frames.sum()), *ends))
