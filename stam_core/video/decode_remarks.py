"""What is unusual about a video's pictures and times, in sentences for the person."""

from __future__ import annotations

import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

SQUARE_WITHIN = 0.01  # pixels this near to square are rounding of whoever wrote the file
MAX_PIXEL_ASPECT = 4.0  # the widest in use is 2.2; beyond this the header is not believed
HDR_TRANSFERS = (16, 18)  # SMPTE 2084 (HDR10) and ARIB STD-B67 (HLG), as FFmpeg numbers them
SHOWN_BITS = 8
EVEN_WITHIN = 0.2  # of the median distance between frames
UNEVEN_SHARE = 0.05  # of the distances: a frame lost here and there is not a varying rate
NOTABLE_START_SECONDS = 0.1


def has_alpha(frame: VideoFrame) -> bool:
    """Whether a frame may have transparent parts.

    Args:
        frame: as decoded.
    """
    return any(component.is_alpha for component in frame.format.components)


def pixel_aspect(stream: VideoStream) -> float:
    """Width of a stored pixel over its height; 1 where none is stated or it is not to be believed.

    Args:
        stream: the video track.
    """
    stated = stream.sample_aspect_ratio
    aspect = float(stated) if stated else 1.0
    believed = 1 / MAX_PIXEL_ASPECT <= aspect <= MAX_PIXEL_ASPECT
    return aspect if believed and abs(aspect - 1) > SQUARE_WITHIN else 1.0


def square_size(stored_size: tuple[int, int], aspect: float) -> tuple[int, int]:
    """(width, height) with square pixels: one side grows, so that nothing stored is lost.

    Args:
        stored_size: (width, height), pixels.
        aspect: of a stored pixel.
    """
    width, height = stored_size
    if aspect >= 1:
        return round(width * aspect), height
    return width, round(height / aspect)


def aspect_remarks(stored_size: tuple[int, int], aspect: float) -> tuple[str, ...]:
    """Whether pixels had to be made square.

    Args:
        stored_size: (width, height), pixels.
        aspect: of a stored pixel.
    """
    if aspect == 1:
        return ()
    (width, height), (wide, high) = stored_size, square_size(stored_size, aspect)
    return (
        f"Its pixels are not square: {width} x {height} are shown as {wide} x {high} square ones.",
    )


def picture_remarks(first: VideoFrame) -> tuple[str, ...]:
    """What is unusual about the pictures.

    Args:
        first: the first frame that could be decoded.
    """
    bits = max((component.bits for component in first.format.components), default=SHOWN_BITS)
    hdr = getattr(first, "color_trc", None) in HDR_TRANSFERS  # PyAV tells since version 15
    remarks = (
        (_is_see_through(first), "Transparent parts are shown on black."),
        (
            first.interlaced_frame,
            "It is interlaced: both half-pictures of a frame are shown together, so moving edges "
            "look like combs.",
        ),
        (hdr, "Its HDR colours are shown without tone mapping, so they may look pale."),
        (bits > SHOWN_BITS and not hdr, f"Its {bits} bits per colour are reduced to {SHOWN_BITS}."),
    )
    return tuple(sentence for holds, sentence in remarks if holds)


def time_remarks(
    seconds: NDArray[np.float64], start_seconds: float, n_hidden: int, n_tracks: int
) -> tuple[str, ...]:
    """What is unusual about the times of the frames.

    Args:
        seconds: [n] from the first frame.
        start_seconds: the first frame's own time in the file.
        n_hidden: frames that an edit list hides.
        n_tracks: of video.
    """
    remarks = (
        (
            _is_uneven(seconds),
            "Its frame rate varies: frames are counted, and each keeps its own time.",
        ),
        (
            abs(start_seconds) > NOTABLE_START_SECONDS,
            f"Its first frame stands at {start_seconds:.2f} s in the file; times here count from "
            "that frame.",
        ),
        (n_hidden > 0, f"Frames that the file itself hides are left out: {n_hidden}."),
        (n_tracks > 1, f"It has {n_tracks} video tracks; the first one is shown."),
    )
    return tuple(sentence for holds, sentence in remarks if holds)


def _is_see_through(frame: VideoFrame) -> bool:
    return has_alpha(frame) and bool(frame.to_ndarray(format="rgba")[..., 3].min() < 255)


def _is_uneven(seconds: NDArray[np.float64]) -> bool:
    if len(seconds) < 3:
        return False
    distances = np.diff(seconds)
    usual = float(np.median(distances))
    return bool(np.mean(np.abs(distances - usual) > EVEN_WITHIN * usual) > UNEVEN_SHARE)
