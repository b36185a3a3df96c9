"""Attention rollout: attention followed through all layers, residual connections included.

Source: Abnar and Zuidema, "Quantifying Attention Flow in Transformers", arXiv 2005.00928.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

import torch
from einops import rearrange

from stam_core.explain.attention import join_heads
from stam_core.explain.base import Explainer, ExplainerInfo, Scores, choice, number
from stam_core.types import HeadFusion, Target

if TYPE_CHECKING:
    from stam_core.record import Subject

PAPER = "Abnar & Zuidema, arXiv 2005.00928"
CAVEAT = (
    "Rollout follows attention weights only: it ignores what is passed along (values), the "
    "feed-forward layers, LayerNorm, the sign of a contribution and the class. Attention is not "
    "effect."
)


def discard_lowest(maps: torch.Tensor, ratio: float) -> torch.Tensor:
    """Zero the lowest share of every row; CLS (key 0) and the highest other key always stay.

    Args:
        maps: [...,n,n] attention, heads fused.
        ratio: Share in [0,1) of the n-1 keys other than CLS.
    """
    n_keys = maps.shape[-1] - 1
    n_discarded = min(int(ratio * n_keys), n_keys - 1)
    if n_discarded <= 0:
        return maps
    lowest = maps[..., 1:].topk(n_discarded, dim=-1, largest=False).indices + 1
    return maps.scatter(-1, lowest, 0.0)


def mix_residual(maps: torch.Tensor, residual: float) -> torch.Tensor:
    """Renormalise rows [...,n,n] to sum 1, then give `residual` of each to the token itself."""
    rows = maps / maps.sum(dim=-1, keepdim=True).clamp_min(torch.finfo(maps.dtype).tiny)
    eye = torch.eye(maps.shape[-1], dtype=maps.dtype, device=maps.device)
    return (1.0 - residual) * rows + residual * eye


def rollout(
    maps: torch.Tensor,
    *,
    residual: float = 0.5,
    discard_ratio: float = 0.0,
    start_layer: int = 1,
    cls_only: bool = False,
) -> torch.Tensor:
    """Multiply the layers' maps, the later layer on the left.

    Args:
        maps: [L,...,n,n] attention with heads fused, first layer first.
        residual: Share of each row that stays with the token itself, in [0,1].
        discard_ratio: Share of the lowest keys of each row that is dropped, in [0,1).
        start_layer: First layer that counts, from 1.
        cls_only: Compute row 0 alone, at 1/n of the work.

    Returns:
        [...,n,n], or [...,n] for `cls_only`; rows sum to 1.
    """
    n = maps.shape[-1]
    rows = torch.eye(n, dtype=maps.dtype, device=maps.device)[: 1 if cls_only else n]
    rolled = rows.expand(*maps.shape[1:-2], -1, n)  # [...,1 or n,n]
    for layer_maps in maps[start_layer - 1 :].flip(0):  # from the last layer down: R <- R A
        rolled = rolled @ mix_residual(discard_lowest(layer_maps, discard_ratio), residual)
    return rolled[..., 0, :] if cls_only else rolled


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

    def cls_row(self, maps: torch.Tensor, start_layer: int) -> torch.Tensor:
        """[L,...,n,n] maps, heads fused -> [...,n], the CLS row of their rollout; sums to 1."""
        return rollout(
            maps,
            residual=self.residual,
            discard_ratio=self.discard_ratio,
            start_layer=start_layer,
            cls_only=True,
        )

    def space_rows(self, subject: Subject, start_layer: int) -> torch.Tensor:
        """[T,N+1] for the frames' CLS tokens."""
        maps = subject.trace(cast("HeadFusion", self.head_fusion)).space_maps
        assert maps is not None  # every head fusion keeps maps
        return self.cls_row(maps, start_layer)

    def time_row(self, subject: Subject, start_layer: int) -> torch.Tensor:
        """[T+1] for the temporal CLS token."""
        return self.cls_row(join_heads(subject.trace().time_maps, self.head_fusion, 1), start_layer)


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
    )

    def scores(self, subject: Subject, target: Target | None) -> Scores:
        """Frames [T]; with `unattributed` they sum to 1."""
        del target  # rollout knows no class
        row = self.time_row(subject, self.start_layer)
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
    )

    def scores(self, subject: Subject, target: Target | None) -> Scores:
        """Patches [T,h,w]; a frame sums to 1 minus the share left on its CLS."""
        del target  # rollout knows no class
        rows = self.space_rows(subject, self.start_layer)
        h, w = subject.patch_grid
        return Scores(patches=rearrange(rows[:, 1:], "t (h w) -> t h w", h=h, w=w))


@dataclass(frozen=True)
class SpaceTimeRollout(Rollout):
    """Temporal times spatial rollout: every patch's share in the token the answer is read from.

    R[t,p] = Rt[0,t] * Rs_t[0,p]. What stays on a CLS token is `unattributed`, and all adds up:
    sum R + Rt[0,0] + sum_t Rt[0,t] * Rs_t[0,0] = 1.
    """

    start_layer: int = number(
        1,
        label="Start layer (space)",
        help="First spatial layer that counts; a later one keeps the map from spreading.",
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
        space = self.space_rows(subject, self.start_layer)  # [T,N+1]
        time = self.time_row(subject, self.time_start_layer)  # [T+1]
        joint = time[1:, None] * space  # [T,N+1]
        h, w = subject.patch_grid
        patches = rearrange(joint[:, 1:], "t (h w) -> t h w", h=h, w=w)
        return Scores(
            frames=patches.sum(dim=(1, 2)),
            patches=patches,
            unattributed=float(time[0] + joint[:, 0].sum()),
        )
