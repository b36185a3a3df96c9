"""What storing and sending does to frames: lower resolution, blocks, interlacing."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MCU = 16  # pixels; what JPEG codes together when colour has half the resolution


def softened(frames: NDArray[np.uint8], blur: float, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Out of focus by `blur` pixels and reduced to `size` (height, width)."""
    soft = []
    for frame in frames:
        image = Image.fromarray(frame)
        if blur > 0.0:
            image = image.filter(ImageFilter.BoxBlur(blur))
        if size != frame.shape[:2]:
            image = image.resize(size[::-1], Image.Resampling.BILINEAR)
        soft.append(np.asarray(image))
    return np.stack(soft)


def compressed(
    frames: NDArray[np.uint8], quality: int, offset: tuple[int, int]
) -> NDArray[np.uint8]:
    """Through JPEG with colour at half resolution, its blocks beginning at `offset`.

    The frames are coded as one tall picture: far faster than one by one, and as each is padded to
    whole blocks none touches another.
    """
    count, height, width = frames.shape[:3]
    down, right = -(offset[0] + height) % _MCU, -(offset[1] + width) % _MCU
    padded = np.pad(frames, ((0, 0), (offset[0], down), (offset[1], right), (0, 0)), mode="edge")
    tall, wide = padded.shape[1:3]
    rows_at_once = max(1, 65000 // tall)  # a JPEG has at most 65,535 rows
    done = []
    for first in range(0, count, rows_at_once):
        piece = padded[first : first + rows_at_once]
        buffer = io.BytesIO()
        image = Image.fromarray(piece.reshape(-1, wide, 3))
        image.save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
        coded = np.asarray(Image.open(buffer))  # [n*tall,wide,3]
        done.append(coded.reshape(len(piece), tall, wide, 3))
    whole = np.concatenate(done)
    return np.ascontiguousarray(
        whole[:, offset[0] : offset[0] + height, offset[1] : offset[1] + width]
    )


def frozen_blocks(
    frames: NDArray[np.uint8], least: float, offset: tuple[int, int], block: int = 8
) -> NDArray[np.uint8]:
    """Blocks whose brightness hardly changes since they were last sent stay as they were."""
    height, width = frames.shape[1:3]
    rows = (np.arange(height) + offset[0]) // block
    columns = (np.arange(width) + offset[1]) // block
    row_starts, column_starts = (
        np.unique(rows, return_index=True)[1],
        np.unique(columns, return_index=True)[1],
    )
    area = np.bincount(rows)[:, None] * np.bincount(columns)[None, :]
    shown = frames.copy()
    for t in range(1, len(frames)):
        change = np.abs(frames[t, ..., 1].astype(np.int16) - shown[t - 1, ..., 1])
        sums = np.add.reduceat(np.add.reduceat(change, row_starts, axis=0), column_starts, axis=1)
        still = (sums < least * area)[np.ix_(rows, columns)]
        shown[t][still] = shown[t - 1][still]
    return shown


def combed(frames: NDArray[np.uint8], comb: int) -> NDArray[np.uint8]:
    """Interlacing: in what moves, every other row was filmed a little later."""
    after = np.concatenate([frames[1:], frames[-2:-1]]) if len(frames) > 1 else frames
    moves = np.abs(after[..., 1].astype(np.int16) - frames[..., 1]) > 18  # [T,H,W]
    late = np.roll(frames, comb, axis=2)
    moves |= np.roll(moves, comb, axis=2)
    moves[:, ::2] = False
    return np.where(moves[..., None], late, frames)
