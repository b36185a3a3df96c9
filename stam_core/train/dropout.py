"""Dropout that depends on a row's place in the whole batch, not on who computes the row.

With torch's own, a batch split over threads or processes would lose other values than the same
batch in one piece, and threads would draw them in no certain order.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class RowDropout(nn.Module):
    """Drops values with probability `p` while training, as its place, seed and row settle."""

    def __init__(self, p: float, place: int) -> None:
        """`place` tells one dropout of a model from another."""
        super().__init__()
        self.p, self.place = p, place
        self.seed, self.first, self.stop, self.total = 0, 0, 0, 0
        self.calls = 0

    def begin(self, seed: int, first: int, stop: int, total: int) -> None:
        """The next forward pass sees rows `first` to `stop - 1` of a batch of `total`."""
        self.seed, self.first, self.stop, self.total = seed, first, stop, total
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[n,...] -> [n,...]; n a multiple of the rows announced by `begin`."""
        if not self.training or self.p == 0.0:
            return x
        rows = self.stop - self.first
        if rows == 0 or len(x) % rows:
            return F.dropout(x, self.p, training=True)
        each = len(x) // rows  # a row may have been unfolded into several, such as its frames
        generator = torch.Generator(x.device)
        generator.manual_seed((self.seed * 4_099 + self.place) * 64 + self.calls)
        self.calls += 1
        shape = (self.total * each, *x.shape[1:])
        drawn = torch.rand(shape, generator=generator, device=x.device)
        kept = drawn[self.first * each : self.stop * each] >= self.p
        return x * kept / (1.0 - self.p)


def use_row_dropout(modules: nn.Module) -> None:
    """Replace every `nn.Dropout` inside by one that depends on the row."""
    found = [
        (parent, name, child)
        for parent in modules.modules()
        for name, child in parent.named_children()
        if type(child) is nn.Dropout
    ]
    for place, (parent, name, child) in enumerate(found):
        setattr(parent, name, RowDropout(child.p, place).train(child.training))


def begin_rows(modules: nn.Module, seed: int, first: int, stop: int, total: int) -> None:
    """Tell every RowDropout which rows of which step come next."""
    for module in modules.modules():
        if isinstance(module, RowDropout):
            module.begin(seed, first, stop, total)
