"""Heads and layers of attention maps: joined, or one of them picked."""

from __future__ import annotations

import torch


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
