"""What a training run is: sizes, seed, places, and the model it makes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch

from stam_core.actions.motions import LABELS
from stam_core.device import pick_dtype
from stam_core.errors import ParameterError
from stam_core.models.stam import StamConfig
from stam_core.models.timesformer import TimeSformerConfig
from stam_core.types import Preprocessing, Scheme

CONFIG = StamConfig(
    side=128,
    patch_size=16,
    stem_width=16,
    width=128,
    depth=4,
    heads=4,
    num_frames=16,
    time_depth=3,
    time_feedforward=256,
    num_classes=len(LABELS),
)
Config = StamConfig | TimeSformerConfig
_OF_JOINT = ("joint_steps", "joint_clips", "joint_lr", "roaming")  # options of the joint stage
# For the other schemes: the spatial stage's sizes, so that they can begin with its weights.
_WHOLE = TimeSformerConfig(
    side=128,
    patch_size=16,
    stem_width=16,
    width=128,
    depth=4,
    heads=4,
    num_frames=16,
    num_classes=len(LABELS),
)
CONFIGS: dict[Scheme, Config] = {
    "factorised": CONFIG,
    "divided": replace(_WHOLE, scheme="divided"),
    "joint": replace(_WHOLE, scheme="joint"),
    "space": replace(_WHOLE, scheme="space"),
}
# Values in [-1,1] train markedly better here than the [0,1] of the published STAM.
PREPROCESSING = Preprocessing(resize_side=128, side=128, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


@dataclass(frozen=True, kw_only=True)
class StageOptions:
    """What every stage's loop asks of a run, whatever it trains."""

    # Where and how fast a run goes; it may go on with other values of these.
    MACHINERY: ClassVar[frozenset[str]] = frozenset(
        ["out", "work", "threads", "workers", "device", "precision", "save_seconds", "save_steps"]
    )

    seed: int = 0
    optimizer: str = "adamw"  # a name of timm's
    weight_decay: float = 0.05
    ema: float = 0.999  # share of the weights' moving average kept per step; 0: no average
    threads: int | None = None  # on a CPU; None: as many as it has cores
    workers: int = 2  # processes that render or decode
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    save_seconds: float = 60.0  # between two saved states, at most
    save_steps: int = 250
    out: Path
    work: Path | None = None  # clips and unfinished stages; None: beside `out`

    def __post_init__(self) -> None:
        """Refuse values that no run can use."""
        if not 0.0 <= self.ema < 1.0:
            raise ParameterError(f"The share kept by the average must be in [0,1), got {self.ema}.")
        threads = 1 if self.threads is None else self.threads
        if min(self.workers, self.save_steps, threads) < 1 or self.save_seconds <= 0:
            raise ParameterError(
                "Workers, threads, and the steps and seconds between two saves must be above 0."
            )

    @property
    def work_folder(self) -> Path:
        """Where clips, unfinished stages, metrics and curves lie."""
        return self.work or self.out.parent / f"{self.out.stem}-training"

    def settings(self, stage: str) -> dict[str, Any]:  # Any: JSON
        """What a stage's result depends on; a saved state is gone on from under the same only."""
        left_out = self.MACHINERY | {f"{stage}_steps"}
        flat: dict[str, Any] = {}
        for key, value in asdict(self).items():
            if isinstance(value, dict):
                flat |= {f"{key}.{name}": entry for name, entry in value.items()}
            elif key not in left_out:
                flat[key] = str(value) if isinstance(value, Path) else value
        return flat


@dataclass(frozen=True, kw_only=True)
class TrainOptions(StageOptions):
    """How much to train on rendered clips; docs/training.md says what made the shipped model."""

    MACHINERY = StageOptions.MACHINERY | {"evaluation_clips"}
    # Options of stages still to come may change while an earlier one is under way.
    LATER: ClassVar[dict[str, frozenset[str]]] = {
        "space": frozenset(("time_steps", "batch_clips", *_OF_JOINT)),
        "time": frozenset(_OF_JOINT),
        "heads": frozenset(("joint_steps", "joint_lr")),
    }

    out: Path = Path("assets/stam-actions.safetensors")
    scheme: Scheme | None = None  # how attention joins space and time; None: the configuration's
    clips: int = 18_400  # of the full variety
    plain_clips: int = 2300  # before plain walls, for the beginning
    # A checkpoint of such a model to go on from; or of a STAM, whose spatial stage another gets.
    begin_with: Path | None = None
    space_steps: int = 4800  # of `batch_frames` frames
    time_steps: int = 1500  # of `batch_clips` stored clips
    joint_steps: int = 3500  # of `batch_frames` frames, both stages; 0: leave them as they are
    joint_clips: int = 18_400  # of the full variety, which only the joint stage sees
    joint_lr: float | None = None  # highest learning rate of the joint stage; None: by the batch
    roaming: float = 0.0  # of the joint stage's clips; see `RenderSpec`
    batch_frames: int = 128
    batch_clips: int = 128
    evaluation_clips: int = 256
    config: Config = field(default=CONFIG)

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be trained."""
        super().__post_init__()
        if self.scheme is not None and self.scheme != self.config.scheme:
            if self.config is not CONFIG:
                raise ParameterError(
                    f"The configuration is of the scheme {self.config.scheme!r}, not "
                    f"{self.scheme!r}. Leave one of them out."
                )
            object.__setattr__(self, "config", CONFIGS[self.scheme])
        if (
            min(self.clips, self.plain_clips, self.joint_clips, self.batch_clips) < 1
            or min(self.space_steps, self.time_steps, self.joint_steps) < 0
            or self.batch_frames < self.config.num_frames
            or (self.joint_lr is not None and self.joint_lr <= 0.0)
        ):
            raise ParameterError(
                "Training needs at least one clip of each kind, no negative steps, a learning "
                f"rate above 0, and batches of at least {self.config.num_frames} frames."
            )

    def settings(self, stage: str) -> dict[str, Any]:
        """As `StageOptions.settings`, less the options of later stages."""
        later = self.LATER.get(stage, frozenset())
        kept = {key: value for key, value in super().settings(stage).items() if key not in later}
        return {**kept, "labels": ", ".join(LABELS)}


@contextmanager
def autocast(options: StageOptions) -> Iterator[None]:
    """Matrix products in bfloat16 where the options ask for it; "auto": where it is native."""
    device = torch.device(options.device)
    asked = {"fp32": "float32", "bf16": "bfloat16", "auto": "auto"}[options.precision]
    dtype = pick_dtype(asked, device)
    with torch.autocast(device.type, torch.bfloat16, enabled=dtype is torch.bfloat16):
        yield
