"""Rollout, layer by layer: what each multiplication does to the map, and how it flattens.

Source: Abnar and Zuidema, arXiv 2005.00928. As everywhere in rollout, values, feed-forward layers,
LayerNorm, the sign of a contribution and the class are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from stam_core.explain.rollout import discard_lowest, mix_residual


@dataclass(frozen=True, eq=False)
class RolloutStep:
    """One layer of a rollout."""

    layer: int  # from 1
    mixed: torch.Tensor  # [n,n] the layer's map after discarding, with its residual share
    product: torch.Tensor  # [n,n] this layer's and all before it, later layer on the left


def rollout_steps(
    maps: torch.Tensor, *, residual: float = 0.5, discard_ratio: float = 0.0
) -> list[RolloutStep]:
    """Every intermediate result of a rollout; the last product is `rollout(maps)`.

    Args:
        maps: [L,n,n] attention with heads fused, first layer first.
        residual: Share of each row that stays with the token itself, in [0,1].
        discard_ratio: Share of the lowest keys of each row that is dropped, in [0,1).
    """
    product = torch.eye(maps.shape[-1], dtype=maps.dtype)
    steps = []
    for layer, layer_map in enumerate(maps, start=1):
        mixed = mix_residual(discard_lowest(layer_map, discard_ratio), residual)
        product = mixed @ product
        steps.append(RolloutStep(layer, mixed, product))
    return steps


def spread(shares: torch.Tensor) -> float:
    """Over how many entries shares [n] are spread: exp of their entropy, from 1 to n.

    They are made to sum to 1 first; n where all are 0.
    """
    total = float(shares.sum())
    if total <= 0:
        return float(len(shares))
    share = shares.double() / total
    return float(torch.special.entr(share).sum().exp())
