"""Which frames TimeSformer's (and X-ViT's) authors take: spread evenly over a span of fixed length.

    8 frames, one in 32 of a video at 30 frames per second: a span of 256 frames
    linspace(0, 255, 8), cut to whole numbers  ->  0 36 72 109 145 182 218 255

The step is therefore 36.4 frames, not the 32 that the models' names speak of.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from stam_core.errors import SamplingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

REFERENCE_FPS = 30.0  # the frame rate in which a sampling rate counts frames


def spread_indices(
    n_frames: int,
    fps: float,
    num_frames: int,
    sampling_rate: int,
    *,
    view: int = 0,
    n_views: int = 1,
) -> list[int]:
    """The frames the authors' loader takes for one of its views of a video.

    A video shorter than the span repeats its last frame.

    Args:
        n_frames: frames in the video.
        fps: frames per second of the video.
        num_frames: T.
        sampling_rate: one frame in this many, at 30 frames per second.
        view: 0..n_views-1; the first starts at frame 0.
        n_views: views that are spread over the video.

    Raises:
        SamplingError: a count or rate that is not positive.

    Source: facebookresearch/TimeSformer datasets/decoder.py.
    """
    if min(n_frames, num_frames, sampling_rate, n_views) < 1 or not 0 <= view < n_views:
        raise SamplingError(
            f"Nothing to choose {num_frames} frames from: {n_frames} frames, one in "
            f"{sampling_rate}, view {view} of {n_views}. All must be at least 1."
        )
    if not (math.isfinite(fps) and fps > 0):
        raise SamplingError(f"Frame rates must be above 0; got {fps:g}.")
    span = sampling_rate * num_frames / REFERENCE_FPS * fps  # frames of the video
    start = max(n_frames - span, 0) * view / n_views
    spread = _linspace(start, start + span - 1, num_frames)
    indices: list[int] = spread.clip(0, n_frames - 1).astype(np.int64).tolist()
    return indices


def _linspace(start: float, end: float, n: int) -> NDArray[np.float32]:
    """As torch's: float32, from either end to the middle, each place rounded once.

    Another one may fall on the other side of a whole number. Not torch itself: the processes that
    decode do without it, which saves seconds and gigabytes.
    """
    first, last = np.float32(start), np.float32(end)
    step = np.float64(np.float32((last - first) / np.float32(max(n - 1, 1))))
    at = np.arange(n)
    places = np.where(at < n // 2, first + step * at, last - step * (n - 1 - at))
    return (np.array([first]) if n == 1 else places).astype(np.float32)
