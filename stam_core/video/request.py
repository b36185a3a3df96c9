"""What is asked of a clip: all that decides which frames come out, and how large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from stam_core.types import OfficialRule
from stam_core.video.sample import FrameChoice, sample_frames

DEFAULT_SHORT_SIDE = 256  # pixels: the official resize of a 224-pixel model, and enough for display
Pixels = Literal["square", "stored"]


@dataclass(frozen=True, kw_only=True)
class ClipRequest:
    """The arguments of `open_clip` on their way from whoever asks to whoever decodes."""

    num_frames: int  # T
    policy: str = "uniform"  # a key of SAMPLING_POLICIES
    span_seconds: tuple[float, float] | None = None  # from the first frame; None: the whole clip
    official_fps: float | None = None  # of the authors' loader, for the policy "official"
    official_rule: OfficialRule = "stepped"  # how that loader lays the frames
    short_side: int = DEFAULT_SHORT_SIDE  # pixels; frames are scaled down to it (never up)
    pixels: Pixels = "square"  # as players show them, or as they are stored

    def choose(self, frame_seconds: Sequence[float], fps: float) -> FrameChoice:
        """The frames of a video whose frames are at these times [n].

        Raises:
            SamplingError: the frames asked for do not exist.
            UnknownNameError: no such policy.
        """
        return sample_frames(
            frame_seconds,
            fps=fps,
            num_frames=self.num_frames,
            policy=self.policy,
            span_seconds=self.span_seconds,
            official_fps=self.official_fps,
            official_rule=self.official_rule,
        )
