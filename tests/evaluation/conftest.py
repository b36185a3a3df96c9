"""A small model that describes itself and small folders of clips for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stam_core.types import Preprocessing
from stam_core.video.encode import write_mp4
from tests.toys import write_tiny

LABELS = ("walk", "sit down", "drop/catch", "<b>kick</b>", "high five", "run")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """A STAM of 4 frames of 16 px with random weights."""
    seen = Preprocessing(20, 16, mean=(0.5,) * 3, std=(0.5,) * 3)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    return write_tiny(path, LABELS, preprocessing=seen, spread=0.3, seed=3, depth=1, time_depth=1)


def write_clip(path: Path, *, seed: int = 0, n_frames: int = 12, fps: float = 10) -> Path:
    """A film of noise, 32 x 24, so that no two clips look alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.random.default_rng(seed).integers(0, 255, (n_frames, 6, 8, 3), dtype=np.uint8)
    return write_mp4(path, blocks.repeat(4, axis=1).repeat(4, axis=2), fps, quality=30)


@pytest.fixture(scope="session")
def make_clip() -> Callable[..., Path]:
    """`write_clip`, for tests that lie elsewhere."""
    return write_clip


@pytest.fixture(scope="session")
def tree(tmp_path_factory) -> Path:
    """val/<class>/<clip>: three classes, four clips each."""
    root = tmp_path_factory.mktemp("kinetics")
    for number, label in enumerate(("walk", "Sit_Down", "run")):
        for clip in range(4):
            write_clip(root / "val" / label / f"{clip}.mp4", seed=10 * number + clip)
    return root
