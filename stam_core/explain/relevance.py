"""Relevance of tokens from attention and its gradients, layer by layer.

Source: Chefer, Gur and Wolf, "Generic Attention-model Explainability", arXiv 2103.15679.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch


def relevance_row(maps: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor]) -> torch.Tensor:
    """The CLS row of (I + Abar_L) ... (I + Abar_1) - I.

    Abar is the mean over heads of the positive part of gradient times attention: clamped in each
    head, before heads that speak for and against could cancel.

    Args:
        maps: [B,H,n,n] of each layer, first layer first.
        gradients: The target's gradients with respect to them, in the same order.

    Returns:
        [B,n], >= 0.
    """
    row = torch.zeros_like(maps[0][:, 0, :1])  # [B,1,n]
    row[..., 0] = 1.0
    for attention, gradient in zip(reversed(maps), reversed(gradients), strict=True):
        weighted = (gradient * attention).clamp_min(0.0).mean(dim=1)  # [B,n,n]
        row = row + row @ weighted
    row[..., 0] -= 1.0
    return row[:, 0]


def shares(scores: torch.Tensor) -> torch.Tensor:
    """Scores >= 0 [B,n] -> the same with rows that sum to 1; a row of zeros stays one."""
    return scores / scores.sum(dim=-1, keepdim=True).clamp_min(torch.finfo(scores.dtype).tiny)
