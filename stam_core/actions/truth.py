"""What is true of a rendered clip: which joints show, which parts move, which frames matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stam_core.actions.figure import PARTS, part_ends
from stam_core.actions.skeleton import JOINT_INDEX, JOINTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A part moves in a frame where it is at least this fast, relative to the fastest part anywhere in
# the clip.
_MOVING_SHARE = 0.25
# A frame is a key frame where the moving parts together are at least this fast, relative to their
# fastest frame.
_KEY_FRAME_SHARE = 0.6


def joints_in_picture(pixels: NDArray[np.float64], *, width: int, height: int) -> NDArray[np.bool_]:
    """Which joints [T,J,2] lie inside the picture, [T,J]."""
    x, y = pixels[..., 0], pixels[..., 1]
    inside: NDArray[np.bool_] = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return inside


def visible_joints(pixels: NDArray[np.float64], parts: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """A joint is visible where the part drawn at its pixel is one it belongs to, [T,J].

    Args:
        pixels: [T,J,2] joints.
        parts: [T,H,W] part map.
    """
    height, width = parts.shape[1:]
    inside = joints_in_picture(pixels, width=width, height=height)
    x, y = np.floor(pixels[..., 0]).astype(int), np.floor(pixels[..., 1]).astype(int)
    t = np.arange(len(parts))[:, None]
    shown = parts[t, np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]  # [T,J]
    belongs = np.zeros((len(JOINTS), len(PARTS) + 2), dtype=np.bool_)
    for number, part in enumerate(PARTS, start=1):
        for joint in (*part.start[:2], *part.end[:2]):
            belongs[JOINT_INDEX[joint], number] = True
    visible: NDArray[np.bool_] = inside & belongs[np.arange(len(JOINTS))[None, :], shown]
    return visible


def patch_cover(parts: NDArray[np.uint8], grid: int) -> NDArray[np.uint8]:
    """How much of every patch shows what, in 255ths.

    Args:
        parts: [...,H,W] part map; H and W multiples of `grid`.
        grid: patches along a side.

    Returns:
        [...,grid*grid,C]: C values of a part map, background first.
    """
    height, width = parts.shape[-2] // grid, parts.shape[-1] // grid
    tiles = parts.reshape(*parts.shape[:-2], grid, height, grid, width).swapaxes(-3, -2)
    tiles = tiles.reshape(-1, height * width).astype(np.int64)  # [n,pixels]
    kinds = len(PARTS) + 2
    rows = np.arange(len(tiles))[:, None] * kinds
    counts = np.bincount((tiles + rows).ravel(), minlength=len(tiles) * kinds)
    shares: NDArray[np.uint8] = np.rint(counts * (255.0 / (height * width))).astype(np.uint8)
    return shares.reshape(*parts.shape[:-2], grid * grid, kinds)


def motion_truth(
    speed: NDArray[np.float64], parts: NDArray[np.uint8]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which parts move, [T,P], and the key frames, [T], by how fast the parts go in space.

    Args:
        speed: [T,J,3] velocity of the joints at the moment of each frame; the way that a person
            travels does not count.
        parts: [T,H,W] part map; a frame that does not show the person is no key frame.
    """
    # The ends of a part are weighted means of joints, so their velocities are the same means.
    fast = np.linalg.norm(part_ends(speed), axis=-1).mean(axis=2)  # [T,P]
    moving = fast > _MOVING_SHARE * max(float(fast.max()), 1e-9)
    seen = ((parts > 0) & (parts <= len(PARTS))).any(axis=(1, 2))
    effort = (fast * moving).sum(axis=1) * seen
    return moving, seen & (effort >= _KEY_FRAME_SHARE * effort.max())
