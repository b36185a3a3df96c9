"""What a fine-tuning on one's own clips is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from stam_core.errors import ParameterError
from stam_core.train.options import StageOptions


@dataclass(frozen=True, kw_only=True)
class FineTuneOptions(StageOptions):
    """Which clips, from which weights, how much. The defaults suit some hundred clips and a CPU."""

    MACHINERY = StageOptions.MACHINERY | {"data", "download"}

    data: Path
    out: Path = Path("fine-tuned.safetensors")
    start: str = "embedded"
    start_weights: Path | None = None  # of a timm start
    download: bool = False  # a timm start's weights
    num_frames: int | None = None  # T of a timm start; every other one brings its own
    time_depth: int = 4  # temporal layers of a timm start
    freeze: Literal["space", "none"] = "space"
    steps: int = 400
    batch: int = 32  # clips per step
    lr: float | None = None  # None: 1e-3 with a frozen spatial stage, else 1e-4
    layer_decay: float = 0.75  # each layer below learns this much slower; where nothing is frozen
    views: int = 4  # crops and colours per clip whose frames are embedded, where space is frozen
    flip: Literal["auto", "on", "off"] = "auto"  # auto: unless a label says left or right
    min_crop: float = 0.6  # smallest share of the picture's area that a crop keeps
    colour: float = 0.3  # brightness, contrast and saturation vary by this share
    label_smoothing: float = 0.1
    mixup: float = 0.0  # alpha of timm's mixup; 0: none
    val_share: float = 0.2  # of every class, where the folder has no val
    clips_digest: str = ""  # of the clips in use; filled in, not chosen

    def __post_init__(self) -> None:
        """Refuse values that cannot be trained with."""
        super().__post_init__()
        if min(self.steps, self.batch, self.views, self.time_depth) < 1:
            raise ParameterError("Steps, batch, views and temporal layers must be at least 1.")
        if self.num_frames is not None and not 1 <= self.num_frames <= 512:
            raise ParameterError(f"A model takes 1 to 512 frames, not {self.num_frames}.")
        if self.lr is not None and not 0.0 < self.lr <= 1.0:
            raise ParameterError(f"The learning rate must be above 0 and at most 1, not {self.lr}.")
        if not 0.0 < self.layer_decay <= 1.0 or not 0.0 < self.min_crop <= 1.0:
            raise ParameterError("layer-decay and min-crop must be above 0 and at most 1.")
        if not 0.0 <= self.colour < 1.0 or not 0.0 <= self.label_smoothing < 1.0:
            raise ParameterError("colour and label-smoothing must be at least 0 and below 1.")
        if not 0.0 <= self.val_share < 1.0 or self.mixup < 0.0:
            raise ParameterError("val-share must be at least 0 and below 1, mixup not negative.")

    @property
    def highest_lr(self) -> float:
        """After the warm-up."""
        return self.lr or (1e-3 if self.freeze == "space" else 1e-4)

    def settings(self, stage: str) -> dict[str, Any]:
        """As `StageOptions.settings`; `steps` is told by the stage itself."""
        kept = super().settings(stage)
        del kept["steps"]
        return kept
