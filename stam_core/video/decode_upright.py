"""A decoded frame as a person sees it: turned upright, pixels square, on black, scaled down."""

from __future__ import annotations

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from stam_core.video.decode_open import quarter_turns
from stam_core.video.decode_remarks import has_alpha
from stam_core.video.decode_scan import VideoScan
from stam_core.video.shrink import short_side_size, shrink_frame

# Above this many pixels the decoder scales to about twice the target before RGB exists.
LARGE_PIXELS = 1920 * 1200


def upright_and_small(frame: VideoFrame, scan: VideoScan, short_side: int) -> NDArray[np.uint8]:
    """[H,W,3] as displayed: square pixels, on black, turned, scaled down.

    Args:
        frame: as decoded.
        scan: of its file.
        short_side: pixels; larger frames are scaled down to it.
    """
    turns = quarter_turns(frame)
    stored = frame.width, frame.height
    colours = "rgba" if has_alpha(frame) else "rgb24"
    if stored[0] * stored[1] > LARGE_PIXELS and min(stored) > 2 * short_side:
        width, height = short_side_size(*stored, 2 * short_side)
        frame = frame.reformat(width=width, height=height, format=colours, interpolation="AREA")
    pixels: NDArray[np.uint8] = frame.to_ndarray(format=colours).astype(np.uint8, copy=False)
    if colours == "rgba":
        shares = pixels[..., 3:].astype(np.uint16)
        pixels = ((pixels[..., :3] * shares + 127) // 255).astype(np.uint8)
    upright = np.ascontiguousarray(np.rot90(pixels, turns))
    # A frame of another size than the first is brought to that one's later.
    shown_size = scan.displayed_size if stored == scan.stored_size else None
    return shrink_frame(upright, short_side, shown_size)
