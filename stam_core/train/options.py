"""What a training run is: sizes, seed, places, and the model it makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from stam_core.actions.motions import LABELS
from stam_core.errors import ParameterError
from stam_core.models.stam import StamConfig
from stam_core.types import Preprocessing

CONFIG = StamConfig(
    side=112,
    patch_size=14,
    width=128,
    depth=4,
    heads=4,
    num_frames=16,
    time_depth=3,
    time_feedforward=512,
    num_classes=len(LABELS),
)
# Values in [-1,1] train markedly better here than the [0,1] of the published STAM.
PREPROCESSING = Preprocessing(resize_side=112, side=112, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


@dataclass(frozen=True)
class TrainOptions:
    """How much to train and where to put it. The defaults made the shipped checkpoint."""

    out: Path = Path("assets/stam-actions.safetensors")
    seed: int = 0
    clips: int = 8192  # of the full variety
    plain_clips: int = 3072  # before plain walls, for the beginning
    space_steps: int = 3000  # of `batch_frames` frames
    time_steps: int = 1500  # of `batch_clips` stored clips
    joint_steps: int = 0  # of `batch_frames` frames, both stages; 0: leave them as they are
    batch_frames: int = 128
    batch_clips: int = 128
    evaluation_clips: int = 256
    threads: int | None = None  # on a CPU; None: as many as it has cores
    workers: int = 2  # processes that render
    device: str = "cpu"
    precision: Literal["fp32", "bf16"] = "fp32"
    work: Path | None = None  # rendered clips and unfinished stages; None: beside `out`
    config: StamConfig = field(default=CONFIG)

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be trained."""
        if (
            min(self.clips, self.plain_clips, self.batch_clips) < 1
            or min(self.space_steps, self.time_steps, self.joint_steps) < 0
            or self.batch_frames < self.config.num_frames
        ):
            raise ParameterError(
                "Training needs at least one clip of each kind, no negative steps, "
                f"and batches of at least {self.config.num_frames} frames."
            )

    @property
    def work_folder(self) -> Path:
        """Where rendered clips and unfinished stages lie."""
        return self.work or self.out.parent / f"{self.out.stem}-training"
