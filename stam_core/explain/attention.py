"""Raw attention of the CLS tokens: what each layer and head looked at, nothing multiplied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from stam_core.explain.base import Explainer, ExplainerInfo, Scores, choice
from stam_core.explain.flows import flow_of

if TYPE_CHECKING:
    from stam_core.record import Subject
    from stam_core.types import Target

FUSED = ("mean", "max", "min")
LAYER_HELP = "A layer, counted from 1 at the input; 'last', or 'all' for the mean over layers."
HEAD_HELP = "One head, counted from 1, or how all heads are joined."


@dataclass(frozen=True)
class TemporalAttention(Explainer):
    """How much the frames are attended to, in one layer."""

    layer: str = choice(
        "last",
        label="Layer",
        help=LAYER_HELP,
        choices=("last", "all"),
        numbered="time_layers",
    )
    head: str = choice("mean", label="Head", help=HEAD_HELP, choices=FUSED, numbered="time_heads")

    info: ClassVar[ExplainerInfo] = ExplainerInfo(
        name="temporal-attention",
        title="Temporal attention",
        summary=(
            "Share of its attention that the (temporal) CLS token gives to each frame; in divided "
            "attention, where CLS takes no part in time, that the patches give on average."
        ),
        paper="Sharir et al., arXiv 2103.13915",
        outputs=frozenset({"frames"}),
        signed=False,
        uses_target=False,
        passes="1, shared with the prediction",
        caveat=(
            "Attention is not effect: a frame that is looked at need not change the answer. In "
            "later layers a frame's token already holds something of all the others."
        ),
        schemes=frozenset({"factorised", "divided", "joint"}),
    )

    def scores(self, subject: Subject, target: Target | None) -> Scores:
        """Frames [T]; for mean or one head they sum to 1 with what CLS gives itself."""
        del target  # attention knows no class
        return flow_of(subject).frame_attention(subject, self.layer, self.head)


@dataclass(frozen=True)
class SpatialAttention(Explainer):
    """How much a frame's CLS attends to each of its patches, in one layer."""

    layer: str = choice(
        "last",
        label="Layer",
        help=LAYER_HELP,
        choices=("last", "all"),
        numbered="space_layers",
    )
    head: str = choice("mean", label="Head", help=HEAD_HELP, choices=FUSED, numbered="space_heads")

    info: ClassVar[ExplainerInfo] = ExplainerInfo(
        name="spatial-attention",
        title="Spatial attention",
        summary=(
            "Share of its attention that each frame's CLS token (the clip's one CLS token in joint "
            "attention) gives to every patch."
        ),
        paper="Dosovitskiy et al., arXiv 2010.11929",
        outputs=frozenset({"patches"}),
        signed=False,
        uses_target=False,
        passes="1, shared with the prediction",
        caveat=(
            "One layer's attention mixes tokens that are already mixtures of others, and a few "
            "patches may draw attention for no reason in the picture (arXiv 2309.16588). No class "
            "is asked about. Where frames pass through space by themselves (as in STAM), a frame's "
            "map does not depend on the other frames."
        ),
    )

    def scores(self, subject: Subject, target: Target | None) -> Scores:
        """Patches [T,h,w]; each frame sums to 1 minus what CLS gives itself (mean or one head).

        In joint attention the whole clip does.
        """
        del target  # attention knows no class
        return flow_of(subject).patch_attention(subject, self.layer, self.head)
