"""The recipe of the embedded model, from rendered clips: frames, then time, then both."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from stam_core.actions.motions import LABELS
from stam_core.actions.pose_loss import PoseHeads
from stam_core.evaluate import evaluate_rendered
from stam_core.models.stam import Stam
from stam_core.models.timesformer import TimeSformer, TimeSformerConfig
from stam_core.train.checkpoint import write_checkpoint
from stam_core.train.distributed import first_process_first, wait_for_all, world
from stam_core.train.files import check_writable, guarded, write_json
from stam_core.train.loop import Figures
from stam_core.train.options import PREPROCESSING, TrainOptions
from stam_core.train.run import joined_run, plain
from stam_core.train.stages import train_joint, train_space
from stam_core.train.start import take_weights
from stam_core.train.stores import Stores, open_stores
from stam_core.train.time_stage import train_time
from stam_core.train.whole_clips import begin_in_space, train_clips, train_frames
from stam_core.types import Progress

# At timm's 0.02 the patches hardly know where they are, and joints are not found.
_POSITION_STD = 0.2
Learn = Callable[[PoseHeads, Stores, TrainOptions, Progress], Figures]  # a stage of one model


def train(options: TrainOptions, progress: Progress | None = None) -> Path:
    """Train the model and write it, with its figures beside it as JSON.

    Rendered clips, the state of an unfinished stage, metrics and curves stay in
    `options.work_folder`; the same command run again goes on from there. Under torchrun all
    processes train together and the first one writes.

    Args:
        options: sizes, seed and places.
        progress: called with a word and the share of its stage done.

    Returns:
        The checkpoint's path.

    Raises:
        TrainingError: a file cannot be written, or the work folder is of other options.
        TrainingStoppedError: a signal asked for it; everything is saved.
    """
    with joined_run(options, progress) as (device, report):
        return _train(replace(options, device=device), report)


def _train(options: TrainOptions, report: Progress) -> Path:
    began = time.monotonic()
    check_writable(options.out)
    with guarded(options.work_folder):
        options.work_folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    model, stages = _begun(options)
    heads = PoseHeads(options.config.width, len(LABELS)).to(options.device)
    figures: dict[str, Any] = {"options": plain(options), "stages": {}}

    with first_process_first(), guarded(options.work_folder):
        stores = open_stores(options, report)
    for name, stage in stages.items():
        if getattr(options, f"{name}_steps") == 0:
            continue
        started = time.monotonic()
        figures["stages"][name] = dict(stage(heads, stores, options, report))
        figures["stages"][name]["seconds"] = round(time.monotonic() - started, 1)
        if name != "space" and world().rank == 0:
            figures["stages"][name]["held_out"] = _held_out(model, options, report)
            _write(model, options)
        wait_for_all()
    figures["seconds"] = round(time.monotonic() - began, 1)
    if world().rank == 0:
        write_json(options.out.with_suffix(".json"), figures)
    return options.out


def _begun(options: TrainOptions) -> tuple[Stam | TimeSformer, dict[str, Learn]]:
    """The model as it begins, and its stages in their order."""
    config = options.config
    if isinstance(config, TimeSformerConfig):
        whole = TimeSformer(config).to(options.device)
        nn.init.trunc_normal_(whole.pos_embed, std=_POSITION_STD)
        begin_in_space(whole)
        if options.begin_with is not None:
            take_weights(options.begin_with, whole)
        return whole, {
            "space": partial(train_frames, whole),
            "joint": partial(train_clips, whole),
        }
    model = Stam(config).to(options.device)
    nn.init.trunc_normal_(cast("nn.Parameter", model.spatial.pos_embed), std=_POSITION_STD)
    if options.begin_with is not None:
        take_weights(options.begin_with, model)
    return model, {
        "space": partial(train_space, model),
        "time": partial(train_time, model),
        "joint": partial(train_joint, model),
    }


def _held_out(model: Stam | TimeSformer, options: TrainOptions, report: Progress) -> dict[str, Any]:
    """Accuracy on clips that no training has seen."""
    return evaluate_rendered(
        model,
        PREPROCESSING,
        options.evaluation_clips,
        seed=options.seed + 1,
        num_frames=options.config.num_frames,
        progress=report,
    )


def _write(model: Stam | TimeSformer, options: TrainOptions) -> None:
    left_out = ("config", "work", "out")
    recipe = {
        key: value
        for key, value in plain(options).items()
        if value is not None and key not in left_out
    }
    if options.begin_with is not None:
        recipe["begin_with"] = options.begin_with.name  # folders are nobody's business
    write_checkpoint(options.out, model, labels=LABELS, preprocessing=PREPROCESSING, recipe=recipe)
