"""What one picture, film or file of numbers is made from, and how its heat shall look."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from stam_core.errors import ParameterError
from stam_core.render.colour import Floor, Scale, resolve_colours
from stam_core.types import Clip, CropBox, Explanation, ModelInfo, Prediction

Smoothing = Literal["grid", "smooth"]


@dataclass(frozen=True)
class Evidence:
    """One clip, what the model said about it, and (where a method ran) the scores behind it."""

    clip_name: str  # untrusted text
    clip: Clip
    model: ModelInfo
    prediction: Prediction
    crop_box: CropBox  # the part of the displayed frame the model saw
    explanation: Explanation | None = None
    method_title: str = ""
    caveat: str = ""  # what the scores do not mean
    # Another method's scores of the frames, drawn as bars in place of the explanation's own.
    bars: Explanation | None = None
    bars_title: str = ""

    def __post_init__(self) -> None:
        for scores in (self.explanation, self.bars):
            for array in (scores.frames, scores.patches) if scores is not None else ():
                if array is not None and len(array) != self.clip.num_frames:
                    raise ValueError(
                        f"scores for {len(array)} frames, a clip of {self.clip.num_frames}"
                    )

    @property
    def target_label(self) -> str | None:
        """The class the scores speak about; None where the method knows no class."""
        return self.label(None if self.explanation is None else self.explanation.target)

    @property
    def foil_label(self) -> str | None:
        """The class that the target is held against; None where there is none."""
        return self.label(None if self.explanation is None else self.explanation.foil)

    @property
    def frame_scores(self) -> Explanation | None:
        """The scores drawn as bars; None where neither method scores frames."""
        scores = self.explanation if self.bars is None else self.bars
        return None if scores is None or scores.frames is None else scores

    def label(self, index: int | None) -> str | None:
        """A class's name; None for none."""
        return None if index is None else self.prediction.labels[index]


@dataclass(frozen=True)
class HeatStyle:
    """How heat is drawn over frames."""

    colours: str | None = None  # a name in COLOUR_MAPS; None: the one that fits the scores' sign
    opacity: float = 0.6  # in [0,1]; 1 hides the picture
    scale: Scale = "clip"  # "clip": frames comparable; "frame": each frame to its own maximum
    floor: Floor = "zero"  # "lowest": the first colour is the lowest score; shows small differences
    smoothing: Smoothing = "grid"  # "grid": the patches as they are; "smooth": bilinear between
    outside: float = 0.75  # brightness in [0,1] of what the model did not see
    # The scores of full colour and of a full bar, where several clips are drawn on one scale; None:
    # the clip's own highest.
    heat_peak: float | None = None
    bars_peak: float | None = None

    def __post_init__(self) -> None:
        for name in ("opacity", "outside"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ParameterError(f"{name} must be between 0 and 1, not {value!r}.")
        for name in ("heat_peak", "bars_peak"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value < math.inf:
                raise ParameterError(f"{name} must be a number above 0, not {value!r}.")
        for name, known in (
            ("scale", ("clip", "frame")),
            ("floor", ("zero", "lowest")),
            ("smoothing", ("grid", "smooth")),
        ):
            if getattr(self, name) not in known:
                raise ParameterError(
                    f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}."
                )

    def colours_for(self, signed: bool) -> str:
        """The colour map's name for scores of that sign.

        Raises:
            ParameterError: The chosen map cannot show such scores.
        """
        return resolve_colours(self.colours, signed=signed)
