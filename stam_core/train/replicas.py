"""One step's gradient: in one piece, split over threads, or split over processes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from stam_core.errors import ParameterError
from stam_core.train.distributed import sum_over_processes, world
from stam_core.train.dropout import begin_rows

Batch = tuple[torch.Tensor, ...]  # tensors with one row per example
Figures = dict[str, float]
Loss = Callable[[nn.ModuleDict, Batch], tuple[torch.Tensor, Figures]]


class Backward(Protocol):
    """Leaves the gradient of the whole batch's mean loss in the modules' parameters."""

    def backward(self, loss: Loss, batch: Batch, seed: int) -> Figures:
        """The batch's mean loss and figures; `seed` settles dropout."""


class Replicas:
    """The same parameters in several threads, each with a gradient of its own.

    On a busy CPU this is faster than threads inside each operation: they wait for one another once
    per step.
    """

    def __init__(self, modules: nn.ModuleDict, threads: int) -> None:
        """`threads` views of `modules`; the first is `modules` itself."""
        self.modules = [modules, *(copy.deepcopy(modules) for _ in range(threads - 1))]
        for other in self.modules[1:]:
            for shared, mine in zip(modules.parameters(), other.parameters(), strict=True):
                mine.data = shared.data
        self.pool = ThreadPoolExecutor(threads)

    def backward(self, loss: Loss, batch: Batch, seed: int) -> Figures:
        """See `Backward`."""
        total = len(batch[0])
        n_parts = min(len(self.modules), total)

        def work(place: int) -> Figures:
            first, stop = share_of(total, place, n_parts)
            modules = self.modules[place]
            modules.zero_grad()
            modules.train(self.modules[0].training)
            begin_rows(modules, seed, first, stop, total)
            value, figures = loss(modules, tuple(rows[first:stop] for rows in batch))
            share = (stop - first) / total
            (value * share).backward()  # type: ignore[no-untyped-call]
            return _weighted(value, figures, share)

        with _one_thread_per_operation(active=len(self.modules) > 1):
            results = list(self.pool.map(work, range(n_parts)))
        for other in self.modules[1:n_parts]:
            for mine, theirs in zip(self.modules[0].parameters(), other.parameters(), strict=True):
                if mine.grad is not None and theirs.grad is not None:
                    mine.grad += theirs.grad
        return {key: sum(result[key] for result in results) for key in results[0]}


class Processes:
    """Every process its own part of the same batch; torch's DDP averages the gradients."""

    def __init__(self, modules: nn.ModuleDict) -> None:
        """The same modules with the same weights in every process."""
        self.modules = modules
        self._wrapped: DistributedDataParallel | None = None

    def backward(self, loss: Loss, batch: Batch, seed: int) -> Figures:
        """See `Backward`."""
        here, total = world(), len(batch[0])
        if total < here.size:
            raise ParameterError(
                f"A batch of {total} cannot be split over {here.size} processes. "
                "Take larger batches or fewer processes."
            )
        first, stop = share_of(total, here.rank, here.size)
        begin_rows(self.modules, seed, first, stop, total)
        if self._wrapped is None:
            # Which heads a loss leaves out never changes: DDP learns it in the first step, where it
            # would otherwise wait for their gradients.
            self._wrapped = DistributedDataParallel(
                _LossOfModules(self.modules, loss), static_graph=True
            )
        self.modules.zero_grad()
        value, figures = self._wrapped(tuple(rows[first:stop] for rows in batch))
        share = (stop - first) / total
        (value * (share * here.size)).backward()  # DDP divides by the number of processes
        return sum_over_processes(_weighted(value, figures, share), value.device)


class _LossOfModules(nn.Module):
    """A loss as a module, because DDP watches what passes through a `forward`."""

    def __init__(self, modules: nn.ModuleDict, loss: Loss) -> None:
        super().__init__()
        self.parts, self.loss = modules, loss

    def forward(self, batch: Batch) -> tuple[torch.Tensor, Figures]:
        return self.loss(self.parts, batch)


def share_of(total: int, place: int, places: int) -> tuple[int, int]:
    """[first, stop) of `total` rows for one of several places; they differ by one row at most."""
    return total * place // places, total * (place + 1) // places


def _weighted(value: torch.Tensor, figures: Figures, share: float) -> Figures:
    told = {"loss": float(value.detach()), **figures}
    return {key: figure * share for key, figure in told.items()}


@contextmanager
def _one_thread_per_operation(*, active: bool) -> Iterator[None]:
    before = torch.get_num_threads()
    if active:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
