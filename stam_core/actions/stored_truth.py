"""The truth of a rendered clip in a small file beside its film: key frames and moving limbs.

The renderer could give it again from the clip's number, in seconds per clip and only as long as it
draws the same; a file of some kilobytes stays true of its film.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stam_core.errors import VideoError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stam_core.actions.dataset import RenderedClips

ENDING = ".truth.npz"
DAMAGED = "The truth in {name} cannot be read. Render the clip anew, or remove that file."
SHRUNK = 2  # the mask is stored at half the film's width and height: a limb stays 5 pixels wide


@dataclass(frozen=True, eq=False)
class StoredTruth:
    """What is true of one film, frame by frame."""

    key_frames: NDArray[np.bool_]  # [n] in which the moving parts move most
    deciding: NDArray[np.bool_]  # [n] in which the action is under way
    moving: NDArray[np.bool_]  # [n,H/2,W/2] pixels that show a moving limb


def truth_path(film: Path) -> Path:
    """Where the truth of a film lies."""
    return film.with_name(film.stem + ENDING)


def write_truth(film: Path, clips: RenderedClips) -> Path:
    """Store the truth of a rendered clip (a batch of one) beside its film.

    Returns:
        The path written.
    """
    mask = clips.moving_mask()[0]  # [n,H,W]
    n, height, width = mask.shape
    rows, columns = height // SHRUNK, width // SHRUNK
    tiles = mask[:, : rows * SHRUNK, : columns * SHRUNK].reshape(n, rows, SHRUNK, columns, SHRUNK)
    moving = tiles.mean(axis=(2, 4)) >= 0.5  # [n,H/2,W/2]
    held = io.BytesIO()
    np.savez_compressed(
        held,
        key_frames=clips.key_frames[0],
        deciding=clips.deciding[0],
        moving=np.packbits(moving, axis=None),
        shape=np.array(moving.shape),
    )
    path = truth_path(film)
    path.write_bytes(held.getvalue())
    return path


def read_truth(film: Path) -> StoredTruth | None:
    """The truth stored beside a film; None where there is none.

    Raises:
        VideoError: the file is damaged.
    """
    path = truth_path(film)
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as held:
            shape = tuple(int(side) for side in held["shape"])
            count = int(np.prod(shape))
            moving = np.unpackbits(held["moving"], count=count).astype(np.bool_).reshape(shape)
            truth = StoredTruth(held["key_frames"], held["deciding"], moving)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise VideoError(DAMAGED.format(name=path.name)) from error
    if not len(truth.key_frames) == len(truth.deciding) == len(truth.moving):
        raise VideoError(DAMAGED.format(name=path.name))
    return truth
