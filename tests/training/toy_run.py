"""One toy stage in a process of its own, so that a test can kill it: toy_run.py FOLDER [SLOW]."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from stam_core.train.distributed import joined
from stam_core.train.loop import Batch, Figures, Stage, available_threads
from stam_core.train.options import StageOptions

STEPS = 60


@dataclass(frozen=True, kw_only=True)
class ToyOptions(StageOptions):
    out: Path = Path("toy.safetensors")
    batch: int = 24


def run_toy(options: StageOptions, *, steps: int = STEPS, pause: float = 0.0, told=None) -> Stage:
    """Learn a fixed linear map through a small net with dropout."""
    options.work_folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 2))
    modules = nn.ModuleDict({"net": net, "spare": nn.Linear(2, 2)})  # the loss leaves one out
    stage = Stage("toy", modules, options, steps=steps, lr=1e-2, threads=available_threads(options))

    def draw(done: float) -> Batch:
        x = torch.randn(24, 6, generator=stage.generator)
        return x, x[:, :2] - 0.5 * x[:, 2:4]

    def loss(parts: nn.ModuleDict, batch: Batch) -> tuple[torch.Tensor, Figures]:
        time.sleep(pause)
        x, y = batch
        error = parts["net"](x) - y
        return error.square().mean(), {"off": float(error.detach().abs().mean())}

    modules.train()
    stage.run(draw, loss, told or (lambda word, share: None))
    return stage


def main(folder: Path, pause: float) -> None:
    torch.set_num_threads(1)
    options = ToyOptions(work=folder, device="cpu", threads=1, save_seconds=1e-9, save_steps=7)
    with joined("cpu"):
        stage = run_toy(options, pause=pause)
        torch.save(stage.modules.state_dict(), folder / f"weights-{stage.done}.pt")
    sys.stdout.write(json.dumps({"done": stage.done}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0.0)
