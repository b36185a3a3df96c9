"""Raw attention of the CLS tokens: what each layer and head looked at, nothing multiplied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from einops import rearrange

from stam_core.explain.base import Explainer, ExplainerInfo, Scores, choice

if TYPE_CHECKING:
    from stam_core.record import Subject
    from stam_core.types import Target

FUSED = ("mean", "max", "min")
LAYER_HELP = "A layer, counted from 1 at the input; 'last', or 'all' for the mean over layers."
HEAD_HELP = "One head, counted from 1, or how all heads are joined."


def join_heads(maps: torch.Tensor, head: str, axis: int) -> torch.Tensor:
    """Remove the head axis: the mean, max or min over it, or one head by its number from 1."""
    match head:
        case "mean":
            return maps.mean(dim=axis)
        case "max":
            return maps.amax(dim=axis)
        case "min":
            return maps.amin(dim=axis)
        case _:
            return maps.select(axis, int(head) - 1)


def pick_layer(maps: torch.Tensor, layer: str) -> torch.Tensor:
    """Remove the layer axis (the first): the last, the mean over "all", or one by its number."""
    match layer:
        case "last":
            return maps[-1]
        case "all":
            return maps.mean(dim=0)
        case _:
            return maps[int(layer) - 1]


@dataclass(frozen=True)
class TemporalAttention(Explainer):
    """How much the temporal CLS attends to each frame, in one layer."""

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
        summary="Share of its attention that the temporal CLS token gives to each frame.",
        paper="Sharir et al., arXiv 2103.13915",
        outputs=frozenset({"frames"}),
        signed=False,
        uses_target=False,
        passes="1, shared with the prediction",
        caveat=(
            "Attention is not effect: a frame that is looked at need not change the answer. In "
            "later layers a frame's token already holds something of all the others."
        ),
    )

    def scores(self, subject: Subject, target: Target | None) -> Scores:
        """Frames [T]; for mean or one head they sum to 1 with what CLS gives itself."""
        del target  # attention knows no class
        rows = subject.trace().time_maps[:, :, 0]  # [L,H,T+1]
        row = pick_layer(join_heads(rows, self.head, 1), self.layer)  # [T+1]
        sums_to_one = self.head not in ("max", "min")
        return Scores(frames=row[1:], unattributed=float(row[0]) if sums_to_one else None)


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
        summary="Share of its attention that each frame's CLS token gives to every patch.",
        paper="Dosovitskiy et al., arXiv 2010.11929",
        outputs=frozenset({"patches"}),
        signed=False,
        uses_target=False,
        passes="1, shared with the prediction",
        caveat=(
            "One layer's attention mixes tokens that are already mixtures of others, and a few "
            "patches may draw attention for no reason in the picture (arXiv 2309.16588). A frame's "
            "map does not depend on the other frames or on the class."
        ),
    )

    def scores(self, subject: Subject, target: Target | None) -> Scores:
        """Patches [T,h,w]; each frame sums to 1 minus what CLS gives itself (mean or one head)."""
        del target  # attention knows no class
        trace = subject.trace()
        row = pick_layer(join_heads(trace.space_cls_rows, self.head, 2), self.layer)  # [T,N+1]
        h, w = trace.patch_grid
        patches = rearrange(row[:, 1:], "t (h w) -> t h w", h=h, w=w)
        return Scores(patches=patches)
