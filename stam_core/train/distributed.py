"""Several processes that train one model, as torchrun starts them; alone, nothing happens."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed

# The first process may render for hours while the others wait.
_PATIENCE = timedelta(hours=24)


@dataclass(frozen=True)
class World:
    """Which process this is, of how many."""

    rank: int = 0
    size: int = 1


def world() -> World:
    """The processes that train together; one where nothing was joined."""
    if distributed.is_available() and distributed.is_initialized():
        return World(distributed.get_rank(), distributed.get_world_size())
    return World()


def is_first_process() -> bool:
    """Whether this process is the one that tells and writes, before joining and after leaving."""
    return os.environ.get("RANK", "0") == "0" or not _started_by_torchrun()


@contextmanager
def joined(device: str) -> Iterator[str]:
    """Join the processes that torchrun started, if it did; yields the device of this one.

    Args:
        device: "cpu", "cuda" or one device by name; "cuda" becomes a GPU per process.
    """
    if not _started_by_torchrun() or distributed.is_initialized():
        yield device
        return
    on_gpu = torch.device(device).type == "cuda"
    if on_gpu:
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if on_gpu else "gloo", timeout=_PATIENCE)
    try:
        yield device
    finally:
        distributed.destroy_process_group()


def wait_for_all() -> None:
    """Until every process is here."""
    if world().size > 1:
        distributed.barrier()


@contextmanager
def first_process_first() -> Iterator[None]:
    """The first process does the block alone; the others after it, finding what it wrote."""
    if world().rank != 0:
        wait_for_all()
    yield
    if world().rank == 0:
        wait_for_all()


def sum_over_processes(figures: dict[str, float], device: torch.device) -> dict[str, float]:
    """Figures of the same names from every process, added up."""
    if world().size == 1:
        return figures
    values = torch.tensor(list(figures.values()), dtype=torch.float64, device=device)
    distributed.all_reduce(values)
    return dict(zip(figures, values.tolist(), strict=True))


def largest_over_processes(number: int, device: torch.device) -> int:
    """The largest of one number from every process."""
    if world().size == 1:
        return number
    value = torch.tensor([number], device=device)
    distributed.all_reduce(value, distributed.ReduceOp.MAX)
    return int(value.item())


def _started_by_torchrun() -> bool:
    return all(name in os.environ for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR"))
