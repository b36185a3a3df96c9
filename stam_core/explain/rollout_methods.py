"""The methods that roll attention out: over time, over space, and over both.

Source: Abnar and Zuidema, "Quantifying Attention Flow in Transformers", arXiv 2005.00928.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

from einops import rearrange

from stam_core.explain.base import Explainer, ExplainerInfo, Scores, choice, number
from stam_core.explain.flow_factorised import space_rows, time_row
from stam_core.explain.flows import flow_of
from stam_core.explain.rollout import RolloutChoices
from stam_core.types import HeadFusion, Target

if TYPE_CHECKING:
    from stam_core.record import Subject

PAPER = "Abnar & Zuidema, arXiv 2005.00928"
CAVEAT = (
    "Rollout follows attention weights only: it ignores what is passed along (values), the "
    "feed-forward layers, LayerNorm, the sign of a contribution and the class. Attention is not "
    "effect."
)


@dataclass(frozen=True)
class Rollout(Explainer):
    """What the rollouts of space, of time and of both have in common."""

    head_fusion: str = choice(
        "mean",
        label="Head fusion",
        help="How the heads of a layer become one map.",
        choices=("mean", "max", "min"),
    )
    discard_ratio: float = number(
        0.0,
        label="Discard ratio",
        help="Share of the weakest connections of every token that is dropped.",
        minimum=0.0,
        maximum=0.95,
        step=0.05,
    )
    residual: float = number(
        0.5,
        label="Residual share",
        help="How much of a token stays itself in each layer (0.5 by convention).",
        minimum=0.0,
        maximum=0.95,
        step=0.05,
    )

    def choices(self, start_layer: int, time_start_layer: int = 1) -> RolloutChoices:
        """The parameters, as the mathematics takes them."""
        return RolloutChoices(
            head_fusion=cast("HeadFusion", self.head_fusion),
            discard_ratio=self.discard_ratio,
            residual=self.residual,
            start_layer=start_layer,
            time_start_layer=time_start_layer,
        )


@dataclass(frozen=True)
class TemporalRollout(Rollout):
    """Attention followed through the temporal layers."""

    start_layer: int = number(
        1,
        label="Start layer",
        help="First temporal layer that counts.",
        minimum=1,
        maximum="time_layers",
        step=1,
    )

    info: ClassVar[ExplainerInfo] = ExplainerInfo(
        name="temporal-rollout",
        title="Temporal rollout",
        summary="Share of each frame in the temporal CLS token, attention multiplied over layers.",
        paper=PAPER,
        outputs=frozenset({"frames"}),
        signed=False,
        uses_target=False,
        passes="1, shared with the prediction",
        caveat=CAVEAT,
        schemes=frozenset({"factorised"}),
    )

    def scores(self, subject: Subject, target: Target | None) -> Scores:
        """Frames [T]; with `unattributed` they sum to 1."""
        del target  # rollout knows no class
        row = time_row(subject, self.choices(1, self.start_layer))
        return Scores(frames=row[1:], unattributed=float(row[0]))


@dataclass(frozen=True)
class SpatialRollout(Rollout):
    """Attention followed through the spatial layers of every frame."""

    start_layer: int = number(
        1,
        label="Start layer",
        help="First spatial layer that counts; a later one keeps the map from spreading.",
        minimum=1,
        maximum="space_layers",
        step=1,
    )

    info: ClassVar[ExplainerInfo] = ExplainerInfo(
        name="spatial-rollout",
        title="Spatial rollout",
        summary="Share of each patch in its frame's embedding, attention multiplied over layers.",
        paper=PAPER,
        outputs=frozenset({"patches"}),
        signed=False,
        uses_target=False,
        passes="1, shared with the prediction; one more for each head fusion other than mean",
        caveat=CAVEAT + " A frame's map does not depend on the other frames.",
        schemes=frozenset({"factorised", "space"}),
    )

    def scores(self, subject: Subject, target: Target | None) -> Scores:
        """Patches [T,h,w]; a frame sums to 1 minus the share left on its CLS."""
        del target  # rollout knows no class
        rows = space_rows(subject, self.choices(self.start_layer))
        h, w = subject.patch_grid
        return Scores(patches=rearrange(rows[:, 1:], "t (h w) -> t h w", h=h, w=w))


@dataclass(frozen=True)
class SpaceTimeRollout(Rollout):
    """Every patch's share in the token the answer is read from, through all layers of the model.

    What stays on a CLS token is `unattributed`, and all adds up to 1. How space and time are
    multiplied is each scheme's own: see the modules `flow_*`.
    """

    start_layer: int = number(
        1,
        label="Start layer",
        help="First (spatial) layer that counts; a later one keeps the map from spreading.",
        minimum=1,
        maximum="space_layers",
        step=1,
    )
    time_start_layer: int = number(
        1,
        label="Start layer (time)",
        help="First temporal layer that counts.",
        minimum=1,
        maximum="time_layers",
        step=1,
        schemes=frozenset({"factorised"}),
    )

    info: ClassVar[ExplainerInfo] = ExplainerInfo(
        name="rollout",
        title="Space-time rollout",
        summary="Share of every patch of every frame in the token the answer is read from.",
        paper=PAPER,
        outputs=frozenset({"frames", "patches"}),
        signed=False,
        uses_target=False,
        passes="1, shared with the prediction; one more for each head fusion other than mean",
        caveat=CAVEAT,
    )

    def scores(self, subject: Subject, target: Target | None) -> Scores:
        """Patches [T,h,w] and their sums by frame [T]; with `unattributed` they sum to 1."""
        del target  # rollout knows no class
        choices = self.choices(self.start_layer, self.time_start_layer)
        return flow_of(subject).rollout(subject, choices)
