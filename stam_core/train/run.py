"""What every training run begins with: threads, processes, a device, and somebody to tell."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from stam_core.device import pick_device
from stam_core.train.distributed import joined, world
from stam_core.train.options import StageOptions
from stam_core.types import Progress

logger = logging.getLogger(__name__)
_TELL_EVERY = 5.0  # seconds between two lines of the log


@contextmanager
def joined_run(options: StageOptions, progress: Progress | None) -> Iterator[tuple[str, Progress]]:
    """Join the other processes, if there are any.

    Args:
        options: threads and device of the run.
        progress: told by the first process alone; None: the log.

    Yields:
        The device of this process, and what it tells its progress to.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    with joined(str(pick_device(options.device))) as device:
        yield device, (progress or log_progress()) if world().rank == 0 else _silent


def plain(options: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass of options
    """Options as JSON can hold them."""
    return {
        key: str(value) if isinstance(value, Path) else value
        for key, value in asdict(options).items()
    }


def log_progress() -> Progress:
    """Progress as lines of the log, one every few seconds."""
    last = [-_TELL_EVERY]

    def told(word: str, share: float) -> None:
        if share >= 1.0 or time.monotonic() - last[0] >= _TELL_EVERY:
            last[0] = time.monotonic()
            logger.info("%s (%.1f %%)", word, 100 * share)

    return told


def _silent(word: str, share: float) -> None:
    """Only the first process tells how far all of them are."""
