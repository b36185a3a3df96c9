"""Attention over short rows, faster to train in plain matrix products than in the fused kernel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def plain_products(short: Iterable[nn.Module]) -> Iterator[None]:
    """Without the fused kernel while the block runs; copies made in it stay so.

    The kernel's way back costs two fifths of all time in bf16, and more than a third in fp32, where
    rows hold a frame's 65 tokens, or 16 frames.

    Args:
        short: the attention modules, each with timm's switch `fused_attn`.
    """
    modules = list(short)
    was = [module.fused_attn for module in modules]
    try:
        for module in modules:
            module.fused_attn = False  # type: ignore[assignment]
        yield
    finally:
        for module, fused in zip(modules, was, strict=True):
            module.fused_attn = fused
