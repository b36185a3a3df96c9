"""The loop that every training stage runs: draw, loss, step, and a state on disk to go on from."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from timm.optim import create_optimizer_v2  # type: ignore[attr-defined]
from timm.scheduler.cosine_lr import CosineLRScheduler
from torch import nn

from stam_core.train.options import TrainOptions
from stam_core.types import Progress

logger = logging.getLogger(__name__)
Batch = tuple[torch.Tensor, ...]  # tensors with one row per example
Figures = dict[str, float]
Loss = Callable[[nn.ModuleDict, Batch], tuple[torch.Tensor, Figures]]
_SAVE_EVERY = 250  # steps


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

    def backward(self, loss: Loss, batch: Batch) -> Figures:
        """Leave the gradient of the whole batch's mean loss in the first view's parameters."""
        parts = list(zip(*(rows.chunk(len(self.modules)) for rows in batch), strict=True))
        total = len(batch[0])

        def work(place: int) -> Figures:
            self.modules[place].zero_grad()
            value, figures = loss(self.modules[place], parts[place])
            share = len(parts[place][0]) / total
            (value * share).backward()  # type: ignore[no-untyped-call]
            return {
                key: figure * share
                for key, figure in {"loss": float(value.detach()), **figures}.items()
            }

        with _one_thread_per_operation(active=len(self.modules) > 1):
            results = list(self.pool.map(work, range(len(parts))))
        for other in self.modules[1 : len(parts)]:
            for mine, theirs in zip(self.modules[0].parameters(), other.parameters(), strict=True):
                if mine.grad is not None and theirs.grad is not None:
                    mine.grad += theirs.grad
        return {key: sum(result[key] for result in results) for key in results[0]}


@contextmanager
def _one_thread_per_operation(*, active: bool) -> Iterator[None]:
    before = torch.get_num_threads()
    if active:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Stage:
    """Optimiser, schedule, generator and step count of one stage, kept on disk every so often."""

    def __init__(
        self,
        name: str,
        modules: nn.ModuleDict,
        options: TrainOptions,
        *,
        steps: int,
        lr: float,
        threads: int = 1,
    ) -> None:
        """Begin, or go on from what `options.work_folder` holds of a stage as long."""
        self.modules, self.steps, self.name = modules, steps, name
        self.options = options
        self.replicas = Replicas(modules, threads)
        self.optimizer = create_optimizer_v2(modules, opt="adamw", lr=lr, weight_decay=0.05)
        self.schedule = CosineLRScheduler(
            self.optimizer,
            t_initial=max(steps, 1),
            lr_min=lr * 0.01,
            warmup_t=min(150, steps // 5),
            warmup_lr_init=lr * 0.01,
            t_in_epochs=False,
        )
        self.generator = torch.Generator().manual_seed(options.seed)
        self.done = 0
        self.figures: Figures = {}
        self.file = options.work_folder / f"{name}.pt"
        if self.file.exists():
            self._load()

    def _load(self) -> None:
        state = torch.load(self.file, map_location=self.options.device, weights_only=True)
        if state["steps"] != self.steps:
            logger.warning("%s was begun with %d steps; starting anew", self.name, state["steps"])
            return
        self.modules.load_state_dict(state["modules"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"].cpu())
        self.done, self.figures = state["done"], state["figures"]

    def save(self) -> None:
        """Write everything the stage needs to go on, whole or not at all."""
        state = {
            "steps": self.steps,
            "done": self.done,
            "figures": self.figures,
            "modules": self.modules.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
        }
        partial_file = self.file.with_suffix(".part")
        torch.save(state, partial_file)
        partial_file.replace(self.file)

    def run(self, draw: Callable[[float], Batch], loss: Loss, report: Progress) -> Figures:
        """Take all remaining steps.

        Args:
            draw: share of the stage done -> a batch; randomness from `self.generator` only.
            loss: modules and a part of a batch -> mean loss and figures to report.
            report: called with a word and the share done.

        Returns:
            Loss and figures, smoothed over the last fifty steps or so.
        """
        while self.done < self.steps:
            # Dropout draws from the global generator: seeded per step, a resumed run draws the
            # same.
            torch.manual_seed(self.options.seed * 1_000_003 + self.done)
            figures = self.replicas.backward(loss, draw(self.done / self.steps))
            nn.utils.clip_grad_norm_(self.modules.parameters(), 1.0)
            self.optimizer.step()
            self.done += 1
            self.schedule.step_update(self.done)
            for key, value in figures.items():
                self.figures[key] = value + 0.98 * (self.figures.get(key, value) - value)
            if self.done % _SAVE_EVERY == 0 or self.done == self.steps:
                self.save()
            if self.done % 10 == 0 or self.done == self.steps:
                words = ", ".join(f"{key} {value:.3f}" for key, value in self.figures.items())
                report(f"{self.name}: {words}", self.done / self.steps)
        return {key: round(value, 4) for key, value in self.figures.items()}


def available_threads(options: TrainOptions) -> int:
    """How many replicas to train with: one per core or as asked for; one on an accelerator."""
    if torch.device(options.device).type != "cpu":
        return 1
    return options.threads or os.cpu_count() or 1
