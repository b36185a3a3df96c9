"""A small model that describes itself and small folders of clips for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stam_core.models.stam import Stam, StamConfig
from stam_core.types import Preprocessing
from stam_core.video.encode import write_mp4

LABELS = ("walk", "sit down", "drop/catch", "<b>kick</b>", "high five", "run")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """A STAM of 4 frames of 16 px with random weights."""
    config = StamConfig(
        side=16,
        patch_size=8,
        width=16,
        depth=1,
        heads=2,
        num_frames=4,
        time_depth=1,
        time_heads=2,
        time_feedforward=16,
        num_classes=len(LABELS),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = Stam(config)
        state = {
            name: value + 0.3 * torch.randn(value.shape)
            for name, value in model.state_dict().items()
        }
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    metadata = {
        "family": "stam",
        "config": json.dumps(asdict(config)),
        "labels": json.dumps(LABELS),
        "preprocessing": json.dumps(asdict(Preprocessing(20, 16, mean=(0.5,) * 3, std=(0.5,) * 3))),
    }
    save_file(state, path, metadata=metadata)
    return path


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
