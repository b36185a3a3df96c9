"""Frames down to a short side and square pixels, without torch: decoding processes stay small."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def short_side_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """(width, height) after the short side became `short_side`; the long side is cut to a whole.

    Args:
        width: pixels.
        height: pixels.
        short_side: pixels.

    Source: torchvision.transforms.functional.resize with an int.
    """
    if width <= height:
        return short_side, int(short_side * height / width)
    return int(short_side * width / height), short_side


def shrink_frame(
    frame: NDArray[np.uint8], short_side: int, shown_size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Scale one frame down until its short side is `short_side`; smaller ones stay as they are.

    Args:
        frame: [H,W,3] u8 RGB.
        short_side: pixels.
        shown_size: (width, height) with square pixels, where the frame's own are not square.
    """
    height, width = frame.shape[:2]
    size = shown_size or (width, height)
    if min(size) > short_side:
        size = short_side_size(size[0], size[1], short_side)
    if size == (width, height):
        return frame
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))
