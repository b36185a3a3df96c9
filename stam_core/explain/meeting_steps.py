"""Rollout where space and time meet in every layer, layer by layer, as it is between frames.

The product of the layers has (1+T*N) squared entries. What a person can follow are its T+1 squared
between CLS and the frames: what the patches of a frame give on the mean, what those of a frame get
together. These are read off exactly, without forming the product: T+1 rows pass the layers. As
everywhere in rollout, values, feed-forward layers, LayerNorm, the sign of a contribution and the
class are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from stam_core.explain.divided import divided_rows
from stam_core.explain.rollout import rollout_rows
from stam_core.types import DividedTrace, JointTrace

if TYPE_CHECKING:
    from collections.abc import Callable

    Pass = Callable[[torch.Tensor, int, int, float], torch.Tensor]


@dataclass(frozen=True, eq=False)
class MeetingStep:
    """One layer of such a rollout; rows ask, columns are asked, CLS first."""

    layer: int  # from 1
    mixed: torch.Tensor  # [T+1,T+1] the layer by itself, with its residual share
    product: torch.Tensor  # [T+1,T+1] this layer's and all before it
    alone: torch.Tensor  # [1+T*N] the row of CLS in the layer by itself, without residual
    row: torch.Tensor  # [1+T*N] the row of CLS in the product; sums to 1


def meeting_steps(
    trace: DividedTrace | JointTrace, *, residual: float = 0.5, discard_ratio: float = 0.0
) -> list[MeetingStep]:
    """Every intermediate result of the rollout of divided or joint attention.

    Args:
        trace: With maps whose heads are fused.
        residual: Share of each row of a map that stays with the token itself, in [0,1].
        discard_ratio: Share of the lowest keys of each row that is dropped, in [0,1).
    """
    layers, n_frames, through = _passing(trace, discard_ratio)
    n_patches = trace.patch_grid[0] * trace.patch_grid[1]
    starts = _frame_rows(n_frames, n_patches).to(trace.logits)
    steps = []
    for layer in range(1, layers + 1):
        product = through(starts, 1, layer, residual)
        steps.append(
            MeetingStep(
                layer,
                by_frame(through(starts, layer, layer, residual), n_frames),
                by_frame(product, n_frames),
                through(starts[:1], layer, layer, 0.0)[0],
                product[0],
            )
        )
    return steps


def by_frame(rows: torch.Tensor, n_frames: int) -> torch.Tensor:
    """[n,1+T*N] -> [n,1+T]: CLS, and the sum over each frame's patches."""
    return torch.cat([rows[:, :1], rows[:, 1:].reshape(len(rows), n_frames, -1).sum(-1)], dim=1)


def _frame_rows(n_frames: int, n_patches: int) -> torch.Tensor:
    """[T+1,1+T*N]: CLS, and the mean of each frame's patches."""
    rows = torch.zeros(1 + n_frames, 1 + n_frames * n_patches)
    rows[0, 0] = 1.0
    means = torch.eye(n_frames).repeat_interleave(n_patches, dim=1) / n_patches
    rows[1:, 1:] = means
    return rows


def _passing(trace: DividedTrace | JointTrace, discard_ratio: float) -> tuple[int, int, Pass]:
    """Layers, frames, and how rows pass from one layer down to another, both counted from 1."""
    if isinstance(trace, JointTrace):
        maps = trace.joint_maps
        assert maps is not None  # every head fusion keeps maps

        def through(rows: torch.Tensor, low: int, high: int, residual: float) -> torch.Tensor:
            some = maps[low - 1 : high]
            return rollout_rows(rows, some, residual=residual, discard_ratio=discard_ratio)

        n_patches = trace.patch_grid[0] * trace.patch_grid[1]
        return len(maps), (maps.shape[-1] - 1) // n_patches, through
    space, time = trace.space_maps, trace.time_maps
    assert space is not None
    assert time is not None

    def pass_both(rows: torch.Tensor, low: int, high: int, residual: float) -> torch.Tensor:
        some = slice(low - 1, high)
        return divided_rows(
            rows, space[some], time[some], residual=residual, discard_ratio=discard_ratio
        )

    return len(space), space.shape[1], pass_both
