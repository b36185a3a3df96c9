"""How an evaluation is run; nothing here changes what is right."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal, get_args

from stam_core.errors import ParameterError

EngineName = Literal["dataloader", "ray"]
ENGINES: tuple[str, ...] = get_args(EngineName)
MOST_WORKERS = 16  # by default; more can be asked for


@dataclass(frozen=True)
class Settings:
    """Where and with how many hands an evaluation runs."""

    engine: EngineName = "dataloader"
    device: str = "auto"
    dtype: str = "auto"
    batch: int | None = None  # clips through the model together; None: by the model's size
    workers: int | None = None  # processes that decode; None: one per core
    threads: int | None = None  # CPU threads of the model; None: one per core
    ray_address: str | None = None  # None: a small cluster on this machine
    ray_actors: int | None = None  # models; None: one per GPU, or one per machine

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        if self.engine not in ENGINES:
            raise ParameterError(f"The engine is one of {', '.join(ENGINES)}, not {self.engine!r}.")
        for name, lowest in (("batch", 1), ("workers", 0), ("threads", 1), ("ray_actors", 1)):
            value = getattr(self, name)
            if value is not None and value < lowest:
                raise ParameterError(f"{name} must be {lowest} or more, got {value}.")


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_workers(processes_here: int) -> int:
    """Processes that decode, where nobody says how many: one per core.

    Args:
        processes_here: ranks on this machine that share its cores.
    """
    return min(MOST_WORKERS, max(1, cores() // processes_here))
