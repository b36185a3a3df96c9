"""Train the embedded model from rendered clips: frames first, then time, then both together.

A label alone teaches a frame encoder this small nothing, so the spatial stage first learns where
the joints are:
every patch token says how much each joint is here (a softmax over patches), and CLS, which is all
that the temporal stage will see, says in which column and row each joint lies. Then the temporal
stage learns actions on stored frame embeddings, which is cheap, and a short run of both stages
together ends it. See docs/training.md.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save_file
from torch import nn

from stam_core.actions.dataset import RenderSpec
from stam_core.actions.motions import LABELS
from stam_core.actions.pose_loss import PoseHeads
from stam_core.actions.store import ClipStore, open_store
from stam_core.evaluate import evaluate_rendered
from stam_core.models.stam import Stam
from stam_core.train.options import CONFIG, PREPROCESSING, TrainOptions
from stam_core.train.stages import train_joint, train_space, train_time
from stam_core.types import Progress

__all__ = ["CONFIG", "PREPROCESSING", "TrainOptions", "train", "write_checkpoint"]
logger = logging.getLogger(__name__)
# Training clips have seeds beyond 32 bits, so no seed that a person gives an evaluation meets them.
TRAINING_SEEDS = 2**32
# Plain clips are numbered from here: they repeat no motion of the cluttered ones.
FIRST_PLAIN_CLIP = 1_000_000
# At timm's 0.02 the patches hardly know where they are, and joints are not found.
_POSITION_STD = 0.2


def train(options: TrainOptions, progress: Progress | None = None) -> Path:
    """Train the model and write it, with its figures beside it as JSON.

    Rendered clips and the state of an unfinished stage stay in `options.work_folder`; the same
    command run again goes on from there.

    Args:
        options: sizes, seed and places.
        progress: called with a word and the share of its stage done.

    Returns:
        The checkpoint's path.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    report = progress or _log_progress
    began = time.monotonic()
    options.work_folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    model = Stam(options.config).to(options.device)
    nn.init.trunc_normal_(cast("nn.Parameter", model.spatial.pos_embed), std=_POSITION_STD)
    heads = PoseHeads(options.config.width, len(LABELS)).to(options.device)
    figures: dict[str, Any] = {"options": _plain(options), "stages": {}}

    plain, full = _open_stores(options, report)
    stages = {
        "space": (train_space, options.space_steps),
        "time": (train_time, options.time_steps),
        "joint": (train_joint, options.joint_steps),
    }
    for name, (stage, steps) in stages.items():
        if steps == 0:
            continue
        started = time.monotonic()
        figures["stages"][name] = stage(model, heads, plain, full, options, report)
        figures["stages"][name]["seconds"] = round(time.monotonic() - started, 1)
        if name != "space":
            figures["stages"][name]["held_out"] = _held_out(model, options, report)
            write_checkpoint(model, options)
    figures["seconds"] = round(time.monotonic() - began, 1)
    _write_atomically(options.out.with_suffix(".json"), json.dumps(figures, indent=2).encode())
    return options.out


def _open_stores(options: TrainOptions, report: Progress) -> tuple[ClipStore, ClipStore]:
    """The plain and the full set, rendered where missing."""
    side, frames = options.config.side, options.config.num_frames
    varied = RenderSpec(width=side, height=side, num_frames=frames)
    open_clips = partial(
        open_store,
        options.work_folder / "clips",
        seed=TRAINING_SEEDS + options.seed,
        workers=options.workers,
        progress=report,
    )
    plain = replace(varied, clutter=0.0)
    return (
        open_clips(options.plain_clips, first=FIRST_PLAIN_CLIP, spec=plain),
        open_clips(options.clips, spec=varied),
    )


def _held_out(model: Stam, options: TrainOptions, report: Progress) -> dict[str, Any]:
    """Accuracy on clips that no training has seen."""
    return evaluate_rendered(
        model,
        PREPROCESSING,
        options.evaluation_clips,
        seed=options.seed + 1,
        progress=report,
    )


def write_checkpoint(model: Stam, options: TrainOptions) -> Path:
    """Write the model as float16 safetensors with all that is needed to build and feed it."""
    recipe = _plain(options) | {"config": None, "work": None, "out": None}
    metadata = {
        "family": "stam",
        "config": json.dumps(asdict(options.config)),
        "labels": json.dumps(LABELS),
        "preprocessing": json.dumps(asdict(PREPROCESSING)),
        "recipe": json.dumps({key: value for key, value in recipe.items() if value is not None}),
    }
    tensors = {
        name: value.detach().cpu().half().contiguous() for name, value in model.state_dict().items()
    }
    partial_file = options.out.with_suffix(".part")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, partial_file, metadata=metadata)
    partial_file.replace(options.out)
    return options.out


def _write_atomically(path: Path, data: bytes) -> None:
    partial_file = path.with_suffix(".part")
    partial_file.write_bytes(data)
    partial_file.replace(path)


def _plain(options: TrainOptions) -> dict[str, Any]:
    """Options as JSON can hold them."""
    return {
        key: str(value) if isinstance(value, Path) else value
        for key, value in asdict(options).items()
    }


def _log_progress(word: str, share: float) -> None:
    logger.info("%s %.0f %%", word, 100 * share)
