"""Attention rollout: attention followed through all layers, residual connections included.

Source: Abnar and Zuidema, "Quantifying Attention Flow in Transformers", arXiv 2005.00928.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from stam_core.types import HeadFusion


@dataclass(frozen=True)
class RolloutChoices:
    """How a rollout is made; the parameters of the methods in `rollout_methods`."""

    head_fusion: HeadFusion = "mean"
    discard_ratio: float = 0.0
    residual: float = 0.5
    start_layer: int = 1  # first layer that counts, from 1; where time has layers of its own: space
    time_start_layer: int = 1


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
    rolled = rollout_rows(
        rows.expand(*maps.shape[1:-2], -1, n),  # [...,1 or n,n]
        maps[start_layer - 1 :],
        residual=residual,
        discard_ratio=discard_ratio,
    )
    return rolled[..., 0, :] if cls_only else rolled


def rollout_rows(
    rows: torch.Tensor, maps: torch.Tensor, *, residual: float, discard_ratio: float
) -> torch.Tensor:
    """Rows [...,m,n] times the rollout of maps [L,...,n,n], whose product is never formed."""
    for layer_maps in maps.flip(0):  # from the last layer down: R <- R A
        rows = rows @ mix_residual(discard_lowest(layer_maps, discard_ratio), residual)
    return rows


def cls_row(maps: torch.Tensor, choices: RolloutChoices, start_layer: int) -> torch.Tensor:
    """[L,...,n,n] maps, heads fused -> [...,n], the CLS row of their rollout; sums to 1."""
    return rollout(
        maps,
        residual=choices.residual,
        discard_ratio=choices.discard_ratio,
        start_layer=start_layer,
        cls_only=True,
    )
