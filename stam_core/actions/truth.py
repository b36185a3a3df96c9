"""What is true of a rendered clip: which joints show, which parts move, which frames matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stam_core.actions import renderer
from stam_core.actions.skeleton import JOINT_INDEX, JOINTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A part moves in a frame where it is at least this fast, relative to the fastest part anywhere in
# the clip.
_MOVING_SHARE = 0.25
# A frame is a key frame where the moving parts together are at least this fast, relative to their
# fastest frame.
_KEY_FRAME_SHARE = 0.6


def visible_joints(pixels: NDArray[np.float64], parts: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """A joint is visible where the part drawn at its pixel is one it belongs to, [T,J].

    Args:
        pixels: [T,J,2] joints.
        parts: [T,H,W] part map.
    """
    height, width = parts.shape[1:]
    x, y = np.floor(pixels[..., 0]).astype(int), np.floor(pixels[..., 1]).astype(int)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    t = np.arange(len(parts))[:, None]
    shown = parts[t, np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]  # [T,J]
    belongs = np.zeros((len(JOINTS), len(renderer.PARTS) + 2), dtype=np.bool_)
    for number, part in enumerate(renderer.PARTS, start=1):
        for joint in (*part.start[:2], *part.end[:2]):
            belongs[JOINT_INDEX[joint], number] = True
    visible: NDArray[np.bool_] = inside & belongs[np.arange(len(JOINTS))[None, :], shown]
    return visible


def motion_truth(joints: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which parts move, [T,P], and the key frames, [T], by how fast the parts go in space.

    Args:
        joints: [T,J,3] positions.
    """
    ends = renderer.part_ends(joints)
    speed = np.linalg.norm(np.gradient(ends, axis=0), axis=-1).mean(axis=2)  # [T,P]
    moving = speed > _MOVING_SHARE * max(float(speed.max()), 1e-9)
    effort = (speed * moving).sum(axis=1)
    return moving, effort >= _KEY_FRAME_SHARE * effort.max()
