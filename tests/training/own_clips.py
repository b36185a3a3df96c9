"""A small folder of clips in easy classes, and a tiny model to start from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from stam_core.models.stam import Stam, StamConfig
from stam_core.train import write_checkpoint
from stam_core.types import Preprocessing
from stam_core.video.encode import write_mp4
from tests import toys

TINY = replace(toys.TINY, time_depth=1)
COLOURS = {"red": (220, 40, 40), "green": (40, 220, 40), "blue": (40, 40, 220)}


def write_clip(path: Path, colour: tuple[int, int, int], *, width: int = 48, seed: int = 0) -> Path:
    """A clip of 12 frames of one colour with some noise."""
    rng = np.random.default_rng(seed)
    frames = np.empty((12, 32, width, 3), np.uint8)
    frames[:] = np.clip(np.array(colour) + rng.normal(0, 20, frames.shape), 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_mp4(path, frames, 10.0)


def write_folder(folder: Path, *, clips: int = 3, names: tuple[str, ...] = ("red", "blue")) -> Path:
    """`clips` clips of mixed sizes for every class."""
    colours = list(COLOURS.values())
    for number, name in enumerate(names):
        for index in range(clips):
            write_clip(
                folder / name / f"{index}.mp4",
                colours[number % 3],
                width=48 + 16 * (index % 3),
                seed=index,
            )
    return folder


def write_start(path: Path, config: StamConfig = TINY) -> Path:
    """A checkpoint with random weights."""
    torch.manual_seed(0)
    return write_checkpoint(
        path,
        Stam(config),
        labels=[f"old {k}" for k in range(config.num_classes)],
        preprocessing=Preprocessing(resize_side=18, side=16, mean=(0.5,) * 3, std=(0.5,) * 3),
        recipe={},
    )
