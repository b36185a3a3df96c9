"""The loop that every training stage runs: draw, loss, step, and a state on disk to go on from.

Beside the state `NAME.pt`, the work folder receives `metrics.jsonl`, a line every few steps, and
`curves.png`, drawn from it. A stage that was killed goes on from its last state, and its weights
and metrics are then the same, bit for bit, as those of a run that nobody disturbed.
"""

from __future__ import annotations

import json
import logging
import math
import os
import pickle
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from timm.optim import create_optimizer_v2  # type: ignore[attr-defined]
from timm.scheduler.cosine_lr import CosineLRScheduler
from torch import nn

from stam_core.errors import ParameterError
from stam_core.render.curves import render_curves, save_curves
from stam_core.train.average import WeightAverage
from stam_core.train.clock import Clock, spoken
from stam_core.train.distributed import largest_over_processes, world
from stam_core.train.dropout import use_row_dropout
from stam_core.train.errors import TrainingError, TrainingStoppedError
from stam_core.train.files import write_state, write_whole
from stam_core.train.metrics import MetricsFile
from stam_core.train.options import StageOptions
from stam_core.train.replicas import Backward, Batch, Figures, Loss, Processes, Replicas
from stam_core.train.signals import StopRequest, listen_for_stop
from stam_core.types import Progress

logger = logging.getLogger(__name__)

__all__ = ["Batch", "Figures", "Loss", "Stage", "available_threads"]

_STATE_FORMAT = 2
_RECORD_EVERY = 10  # steps
_SMOOTHING = 0.98  # of the figures reported: the last fifty steps or so


class Stage:
    """Optimiser, schedule, average, generator and step count of one stage, kept on disk."""

    def __init__(
        self,
        name: str,
        modules: nn.ModuleDict,
        options: StageOptions,
        *,
        steps: int,
        lr: float,
        threads: int = 1,
        groups: Iterable[dict[str, Any]] | None = None,
    ) -> None:
        """Begin, or go on from what `options.work_folder` holds of this stage.

        Args:
            name: of the stage, of its file, and in the metrics.
            modules: what is trained.
            options: seed, places and what else a run is told.
            steps: of the whole stage.
            lr: highest learning rate, after the warm-up.
            threads: on a CPU, each with its part of every batch.
            groups: parameter groups for the optimiser; None: all, matrices with weight decay.

        Raises:
            TrainingError: what the folder holds belongs to other options or cannot be read.
        """
        use_row_dropout(modules)
        self.modules, self.steps, self.name = modules, steps, name
        self.options = options
        self._backward: Backward = (
            Replicas(modules, threads) if world().size == 1 else Processes(modules)
        )
        self.average = WeightAverage(modules, options.ema)
        self.optimizer = _optimizer(modules if groups is None else list(groups), options, lr)
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
        self.examples = 0  # in the last batch
        self.seconds = 0.0  # spent on steps, earlier runs included
        self.figures: Figures = {}  # smoothed
        self._sums: Figures = {}  # since the last line of metrics
        self._summed = 0  # steps in `_sums`
        self.file = options.work_folder / f"{name}.pt"
        self.metrics = MetricsFile(options.work_folder / "metrics.jsonl")
        if self.file.exists():
            self._load()
        if self.done == steps:
            self.average.put_into(modules)
        elif world().rank == 0:
            self.metrics.cut(name, self.done)

    def _settings(self) -> dict[str, Any]:
        """What must be the same for a state to be gone on from."""
        return {**self.options.settings(self.name), "steps": self.steps}

    def _load(self) -> None:
        state = self._read()
        _compare(json.loads(state["settings"]), self._settings(), self)
        self.modules.load_state_dict(state["modules"])
        self.average.restore(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"].cpu())
        self.done, self.figures, self.seconds = state["done"], state["figures"], state["seconds"]
        self._sums, self._summed = state["sums"], state["summed"]

    def _read(self) -> dict[str, Any]:
        remedy = f"Delete {str(self.file)!r} to train the stage {self.name!r} anew."
        try:
            state = torch.load(self.file, map_location=self.options.device, weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise TrainingError(f"The saved state cannot be read. {remedy}") from error
        if not isinstance(state, dict) or state.get("format") != _STATE_FORMAT:
            raise TrainingError(f"The saved state is of another version. {remedy}")
        return state

    def save(self) -> None:
        """Write everything the stage needs to go on, whole or not at all.

        Raises:
            TrainingError: it cannot be written; the former state is untouched.
        """
        if world().rank != 0:
            return
        self.metrics.sync()
        state = {
            "format": _STATE_FORMAT,
            "settings": json.dumps(self._settings()),
            "done": self.done,
            "seconds": self.seconds,
            "figures": self.figures,
            "sums": self._sums,
            "summed": self._summed,
            "modules": self.modules.state_dict(),
            "average": self.average.state(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
        }
        write_state(self.file, state)

    def run(self, draw: Callable[[float], Batch], loss: Loss, report: Progress) -> Figures:
        """Take all remaining steps; then the weights are their moving average.

        Args:
            draw: share of the stage done -> a batch; randomness from `self.generator` only. Every
                process draws the same one and works on its part.
            loss: modules and a part of a batch -> mean loss and figures to report.
            report: called with a word and the share done.

        Returns:
            Loss and figures, smoothed over the last fifty steps or so.

        Raises:
            TrainingError: the loss is no number any more, or a file cannot be written.
            TrainingStoppedError: a signal asked for it; the state is saved.
        """
        if self.done < self.steps:
            clock = Clock(
                save_seconds=self.options.save_seconds, save_steps=self.options.save_steps
            )
            with listen_for_stop() as request:
                while self.done < self.steps:
                    self._step(draw, loss)
                    self.seconds += clock.tick()
                    self._record(clock, report)
                    self._stop_if_asked(request)
                    if self.done == self.steps or clock.is_time_to_save(self.done):
                        self._keep(clock)
            self.average.put_into(self.modules)
        return {key: round(value, 4) for key, value in self.figures.items()}

    def _step(self, draw: Callable[[float], Batch], loss: Loss) -> None:
        seed = self.options.seed * 1_000_003 + self.done
        torch.manual_seed(seed)  # whatever draws from the global generator, a resumed run alike
        batch = draw(self.done / self.steps)
        figures = self._backward.backward(loss, batch, seed)
        if not math.isfinite(figures["loss"]):
            raise TrainingError(
                f"The loss is no number any more in step {self.done + 1} of {self.name!r}. "
                f"The state before it is in {str(self.file)!r}; try fp32 or a lower learning rate."
            )
        nn.utils.clip_grad_norm_(self.modules.parameters(), 1.0)
        self.optimizer.step()
        self.done += 1
        self.schedule.step_update(self.done)
        self.average.update(self.modules, self.done)
        self.examples = len(batch[0])
        self._summed += 1
        for key, value in figures.items():
            before = self.figures.get(key, value)
            self.figures[key] = value + _SMOOTHING * (before - value)
            self._sums[key] = self._sums.get(key, 0.0) + value

    def _record(self, clock: Clock, report: Progress) -> None:
        """Every few steps a line of metrics, the mean of the steps since the last, and a word."""
        if self.done % _RECORD_EVERY and self.done < self.steps:
            return
        if world().rank == 0:
            means = {key: value / self._summed for key, value in self._sums.items()}
            self.metrics.append(
                {
                    "stage": self.name,
                    "step": self.done,
                    **means,
                    "lr": max(group["lr"] for group in self.optimizer.param_groups),
                    "seconds": round(self.seconds, 2),
                    "examples_per_second": round(self.examples / clock.seconds_per_step(), 1),
                }
            )
        self._sums, self._summed = {}, 0
        words = ", ".join(f"{key} {value:.3f}" for key, value in self.figures.items())
        left = clock.seconds_per_step() * (self.steps - self.done)
        report(f"{self.name}: {words}; {spoken(left)} left", self.done / self.steps)

    def _keep(self, clock: Clock) -> None:
        began = time.monotonic()
        self.save()
        if world().rank == 0 and (self.done == self.steps or clock.is_time_to_draw()):
            draw_curves(self.metrics)
        clock.saved(time.monotonic() - began)

    def _stop_if_asked(self, request: StopRequest) -> None:
        device = next(self.modules.parameters()).device
        signal_number = largest_over_processes(request.signal_number, device)
        if not signal_number or self.done == self.steps:
            return
        self.save()
        raise TrainingStoppedError(
            f"Training was stopped after step {self.done} of {self.steps} of {self.name!r}; "
            f"all of it is saved in {str(self.options.work_folder)!r}. "
            "Run the same command again to go on from there.",
            signal_number,
        )


def _optimizer(
    parameters: nn.Module | list[dict[str, Any]], options: StageOptions, lr: float
) -> torch.optim.Optimizer:
    """An optimiser of timm's, by the options' name.

    Raises:
        ParameterError: timm knows none of that name.
    """
    try:
        optimizer: torch.optim.Optimizer = create_optimizer_v2(
            parameters, opt=options.optimizer, lr=lr, weight_decay=options.weight_decay
        )
    except (AssertionError, ValueError) as error:
        raise ParameterError(
            f"timm makes no optimiser {options.optimizer[:80]!r}. Take adamw, or another of "
            "timm.optim.list_optimizers()."
        ) from error
    return optimizer


def draw_curves(metrics: MetricsFile) -> None:
    """Draw `curves.png` beside a metrics file; a curve that cannot be drawn stops nothing."""
    records = metrics.read()
    if not records:
        return
    target = metrics.path.with_name("curves.png")
    figure = render_curves(records)
    try:
        write_whole(target, lambda part: save_curves(figure, part))
    except TrainingError as error:
        logger.warning("%s", error)


def available_threads(options: StageOptions) -> int:
    """How many replicas to train with: one per core or as asked for; one on an accelerator."""
    if torch.device(options.device).type != "cpu" or world().size > 1:
        return 1
    return options.threads or os.cpu_count() or 1


def _compare(stored: dict[str, Any], asked: dict[str, Any], stage: Stage) -> None:
    """Refuse to go on under other options: neither their result nor a silent new start is meant."""
    asked = json.loads(json.dumps(asked))
    changed = [
        f"{key} was {str(stored.get(key))[:60]} and is {str(asked.get(key))[:60]}"
        for key in sorted(stored.keys() | asked.keys())
        if stored.get(key) != asked.get(key)
    ]
    if changed:
        raise TrainingError(
            f"The stage {stage.name!r} was begun with other options: {'; '.join(changed)}. "
            "Give the former ones to go on, choose another work folder, "
            f"or delete {str(stage.file)!r} to train this stage anew."
        )
