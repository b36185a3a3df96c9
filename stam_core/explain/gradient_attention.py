"""Gradient-weighted attention: what was looked at, and also moves the target.

Source: Chefer, Gur and Wolf, "Generic Attention-model Explainability", arXiv 2103.15679.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from stam_core.explain.base import Explainer, ExplainerInfo, Scores
from stam_core.explain.flows import flow_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stam_core.record import Subject
    from stam_core.types import Target


@dataclass(frozen=True)
class GradientAttention(Explainer):
    """Attention weighted with its positive gradient, through all layers."""

    info: ClassVar[ExplainerInfo] = ExplainerInfo(
        name="gradient-attention",
        title="Gradient-weighted attention",
        summary=(
            "Share of every patch of every frame in the attention that speaks for the class, "
            "followed through all layers of space and time."
        ),
        paper="Chefer et al., arXiv 2103.15679",
        outputs=frozenset({"frames", "patches"}),
        signed=False,
        uses_target=True,
        passes="1, shared with the prediction, and about 3 more (forward and backward)",
        caveat=(
            "Shares of what speaks for the class: what speaks against it is cut off, and how much "
            "there was in all is not shown. A gradient tells of small changes of the attention, "
            "not of what happens when a frame is gone. Values and feed-forward layers are ignored."
        ),
    )

    def stream(self, subject: Subject, target: Target | None) -> Iterator[Scores]:
        """Frames [T], sum 1; patches [T,h,w] that sum to them, by groups of frames where it can."""
        assert target is not None  # `info.uses_target`
        return flow_of(subject).relevance(subject, target)
