"""Frames to an H.264 mp4 that browsers play."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from stam_core.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def write_mp4(path: Path, frames: NDArray[np.uint8], fps: float, *, quality: int = 23) -> Path:
    """Write frames as H.264 (yuv420p, moov first), whole or not at all.

    Args:
        path: of the file to write; an existing one is replaced.
        frames: [T,H,W,3] RGB in 0..255. An odd last row or column is dropped: 4:2:0 colour needs
            even sides.
        fps: frames per second.
        quality: libx264's constant rate factor, 0 (lossless) to 51; 23 is its own default.

    Returns:
        `path`.

    Raises:
        ParameterError: the frames are no RGB film, or `fps` is not positive.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or len(frames) == 0:
        raise ParameterError(
            f"A film needs frames [T,H,W,3] of uint8, got {list(frames.shape)} of {frames.dtype}."
        )
    if not 0.0 < fps <= 1000.0:
        raise ParameterError(f"Frames per second must be above 0 and at most 1000, got {fps}.")
    height, width = frames.shape[1] // 2 * 2, frames.shape[2] // 2 * 2
    if min(height, width) == 0:
        raise ParameterError(
            f"A film needs at least 2x2 pixels, got {frames.shape[2]}x{frames.shape[1]}."
        )
    part = path.with_name(path.name + ".part")
    try:
        with av.open(str(part), "w", format="mp4", options={"movflags": "+faststart"}) as container:
            stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.options = {"crf": str(quality), "preset": "medium"}
            for frame in frames:
                picture = av.VideoFrame.from_ndarray(
                    np.ascontiguousarray(frame[:height, :width]), format="rgb24"
                )
                container.mux(stream.encode(picture))
            container.mux(stream.encode())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
