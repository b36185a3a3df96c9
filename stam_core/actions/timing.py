"""When frames are taken: a clip's length, its frame rate, what a model samples, the shutter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stam_core.actions.motions import DURATIONS, Moments

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RATES = (5.0, 8.0, 10.0, 12.0, 15.0, 24.0, 25.0, 29.97, 30.0, 50.0, 60.0)  # frames per second
_COMMON = 0.7  # chance of a rate that cameras usually have
_COMMON_RATES = (24.0, 25.0, 29.97, 30.0)


@dataclass(frozen=True, eq=False)
class Timing:
    """The moments of the T frames that are rendered out of a longer clip."""

    duration: float  # seconds
    fps: float  # frames per second of the whole clip
    seconds: NDArray[np.float64]  # [T] when each frame's shutter opens
    exposure: float  # seconds for which the shutter stays open

    @classmethod
    def random(
        cls,
        rng: np.random.Generator,
        action: str,
        *,
        num_frames: int,
        consecutive_fps: float | None = None,
        durations: tuple[float, float] | None = None,
    ) -> Timing:
        """A clip of a plausible length, sampled as the model's uniform policy samples it.

        Args:
            rng: settles length, rate and shutter.
            action: a label.
            num_frames: T.
            consecutive_fps: instead, T frames one after another at this rate: a whole film.
            durations: shortest and longest, in seconds; None: the action's.
        """
        if consecutive_fps is not None:
            seconds = np.arange(num_frames) / consecutive_fps
            return cls(
                num_frames / consecutive_fps, consecutive_fps, seconds, 0.2 / consecutive_fps
            )
        shortest, longest = durations or DURATIONS[action]
        duration = float(np.exp(rng.uniform(np.log(shortest), np.log(longest))))
        rates = _COMMON_RATES if rng.random() < _COMMON else _RATES
        fps = float(rng.choice(rates))
        n_frames = max(2, round(duration * fps))
        k = np.arange(num_frames)
        # The middle of each of T equal parts, in whole frames: what a short clip lacks repeats.
        index = (2 * k + 1) * n_frames // (2 * num_frames)
        shutter = float(rng.uniform(0.0, 0.6)) if rng.random() < 0.7 else 0.0
        return cls(
            duration=n_frames / fps,
            fps=fps,
            seconds=index / fps,
            exposure=min(shutter / fps, 1 / 25),
        )

    def opening(self) -> Moments:
        """The moments at which the shutter opens."""
        return Moments(self.seconds, self.duration)

    def closing(self) -> Moments:
        """The moments at which it closes."""
        return Moments(self.seconds + self.exposure, self.duration)
