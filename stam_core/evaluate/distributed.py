"""Several processes that share one list: who they are, and how they tell each other.

Started by torchrun, which sets the environment; without it there is one process and nothing to do.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

Item = TypeVar("Item")
# Ranks meet at the end only, and one may have much slower clips than another.
PATIENCE = timedelta(days=2)


@dataclass(frozen=True)
class Ranks:
    """The place of this process among those that share the work."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0  # on this machine
    local_world: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that reports."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> list[Item]:
        """Every `world`-th item, from `rank` on: slow classes are spread over all."""
        return list(items[self.rank :: self.world])

    def gathered(self, value: Item) -> list[Item]:
        """The values of all ranks, in their order, on every rank; all wait for the slowest."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value)
        return values

    def device(self, device: str) -> str:
        """On one machine with several GPUs, "auto" is a GPU of this rank's own."""
        if device == "auto" and self.world > 1 and torch.cuda.is_available():
            return f"cuda:{self.local_rank % torch.cuda.device_count()}"
        return device


@contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """Meet the other processes that torchrun started, and leave them at the end."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield Ranks()
        return
    own = not dist.is_initialized()
    if own:
        # Results are gathered on the CPU in either case; NCCL is there for CUDA tensors.
        cuda = torch.cuda.is_available() and dist.is_nccl_available()
        backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
        if cuda:
            torch.cuda.set_device(
                int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count()
            )
        dist.init_process_group(backend, timeout=PATIENCE)
    try:
        yield Ranks(
            rank=dist.get_rank(),
            world=dist.get_world_size(),
            local_rank=int(os.environ.get("LOCAL_RANK", "0")),
            local_world=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
        )
    finally:
        if own:
            dist.destroy_process_group()


def is_first_process() -> bool:
    """Whether this process is the one that prints and writes reports."""
    return int(os.environ.get("RANK", "0")) == 0
