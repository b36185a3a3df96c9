"""Draw the person: shaded capsules from far to near, each only inside its bounding box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stam_core.actions.skeleton import JOINT_INDEX, Body

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stam_core.actions.scene import Look


@dataclass(frozen=True)
class Part:
    """A capsule between two anchors; its number in `PARTS` plus one is its value in a part map."""

    name: str
    start: tuple[str, str, float]  # joint, joint, share: from the first joint towards the second
    end: tuple[str, str, float]
    start_radius: float  # share of body height
    end_radius: float
    colour: str  # key of Look.colours
    nearer: float = (
        0.0  # body heights by which the part counts as nearer to the camera than its middle
    )


def _sides(name: str) -> tuple[Part, ...]:
    """Arm, leg and flank of one side."""
    shoulder, elbow, wrist, hip, knee, ankle, toe = (
        f"{name} {joint}" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "toe")
    )
    return (
        Part(
            f"{name} flank", (shoulder, "neck", 0.35), (hip, "pelvis", 0.1), 0.066, 0.058, "shirt"
        ),
        Part(f"{name} thigh", (hip, knee, 0.0), (hip, knee, 1.0), 0.060, 0.044, "trousers"),
        Part(f"{name} shin", (knee, ankle, 0.0), (knee, ankle, 1.0), 0.042, 0.028, "shin"),
        Part(f"{name} foot", (ankle, toe, 0.0), (ankle, toe, 1.0), 0.030, 0.024, "shoe"),
        Part(
            f"{name} upper arm",
            (shoulder, elbow, 0.0),
            (shoulder, elbow, 1.0),
            0.043,
            0.034,
            "sleeve",
            0.02,
        ),
        Part(
            f"{name} forearm",
            (elbow, wrist, 0.0),
            (elbow, wrist, 0.9),
            0.034,
            0.027,
            "forearm",
            0.03,
        ),
        Part(
            f"{name} hand", (elbow, wrist, 0.95), (elbow, wrist, 1.05), 0.034, 0.032, "skin", 0.035
        ),
    )


PARTS: tuple[Part, ...] = (
    *_sides("left"),
    *_sides("right"),
    Part("torso", ("neck", "pelvis", 0.12), ("neck", "pelvis", 0.9), 0.070, 0.062, "shirt"),
    Part(
        "hips",
        ("left hip", "right hip", 0.0),
        ("left hip", "right hip", 1.0),
        0.058,
        0.058,
        "trousers",
    ),
    Part("neck", ("neck", "head", -0.1), ("neck", "head", 0.6), 0.034, 0.032, "skin"),
    Part("head", ("neck", "head", 0.85), ("neck", "head", 1.25), 0.058, 0.064, "skin", 0.01),
)
PART_NAMES = tuple(part.name for part in PARTS)
STOOL_PART = len(PARTS) + 1  # value of the stool in a part map
# Brightness at a limb's edge relative to its middle: keeps an arm apart from the chest behind it.
_OUTLINE = 0.55


@dataclass(frozen=True, eq=False)
class Capsules:
    """Capsules of every frame in pixels, ready to be drawn."""

    starts: NDArray[np.float32]  # [T,P,2]
    ends: NDArray[np.float32]  # [T,P,2]
    start_radii: NDArray[np.float32]  # [T,P] pixels
    end_radii: NDArray[np.float32]  # [T,P] pixels
    depths: NDArray[np.float32]  # [T,P] body heights
    colours: NDArray[np.float32]  # [P,3] in [0,1]
    values: NDArray[np.uint8]  # [P] written into the part map


def _anchor(joints: NDArray[np.float64], place: tuple[str, str, float]) -> NDArray[np.float64]:
    first, second, share = (
        joints[:, JOINT_INDEX[place[0]]],
        joints[:, JOINT_INDEX[place[1]]],
        place[2],
    )
    anchored: NDArray[np.float64] = first + share * (second - first)
    return anchored


def part_ends(joints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Start and end of every part, [T,P,2,3], from joints [T,J,3]."""
    return np.stack(
        [
            np.stack([_anchor(joints, part.start), _anchor(joints, part.end)], axis=1)
            for part in PARTS
        ],
        axis=1,
    )


def hair_ends(joints: NDArray[np.float64]) -> NDArray[np.float64]:
    """A cap of hair above and behind the head, [T,1,2,3]: it shows which way a head faces."""
    neck, head = joints[:, JOINT_INDEX["neck"]], joints[:, JOINT_INDEX["head"]]
    shoulders = joints[:, JOINT_INDEX["left shoulder"]] - joints[:, JOINT_INDEX["right shoulder"]]
    up = head - neck
    up /= np.linalg.norm(up, axis=1, keepdims=True)
    ahead = np.cross(shoulders, up)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    start = head + 0.030 * up - 0.020 * ahead
    end = head + 0.005 * up - 0.035 * ahead
    return np.stack([start, end], axis=1)[:, None]


def part_radii(body: Body) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Radii at both ends of every part as shares of body height, [P] each."""
    start = np.array([part.start_radius for part in PARTS]) * body.girth
    end = np.array([part.end_radius for part in PARTS]) * body.girth
    return start, end


def stool_ends(seat: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A stool under a seat point [3]: bars [P,2,3] and radii [P]."""
    half, top = 0.085, float(seat[1])
    bars = []
    for dx in (-half, half):
        for dz in (-half, half):
            foot = np.array([seat[0] + dx, 0.01, seat[2] + dz])
            bars.append([foot, np.array([foot[0], top, foot[2]])])
    for dz in (-0.06, 0.0, 0.06):
        left = np.array([seat[0] - half, top, seat[2] + dz])
        bars.append([left, left + np.array([2 * half, 0.0, 0.0])])
    return np.array(bars), np.array([0.014] * 4 + [0.028] * 3)


def draw(
    planes: NDArray[np.float32], parts: NDArray[np.uint8], capsules: Capsules, look: Look
) -> None:
    """Draw capsules onto `planes` [T,3,H,W] in [0,1] and their numbers into `parts` [T,H,W].

    Colour planes come before rows because arithmetic on them is then several times faster than on
    RGB triples.
    """
    order = np.argsort(-capsules.depths, axis=1, kind="stable")
    starts = np.concatenate([capsules.starts, capsules.start_radii[..., None]], axis=2).tolist()
    ends = np.concatenate([capsules.ends, capsules.end_radii[..., None]], axis=2).tolist()
    colours = capsules.colours[:, :, None, None]
    light = tuple(look.light.tolist())
    for t in range(len(planes)):
        for p in order[t]:
            drawn = _shade_capsule(starts[t][p], ends[t][p], planes.shape[2:], light, look.ambient)
            if drawn is None:
                continue
            window, cover, shade = drawn
            box = planes[t][(slice(None), *window)]
            box += cover * (shade * colours[p] - box)
            parts[t][window][cover > 0.5] = capsules.values[p]


def _shade_capsule(
    start: list[float],
    end: list[float],
    size: tuple[int, ...],
    light: tuple[float, ...],
    ambient: float,
) -> tuple[tuple[slice, slice], NDArray[np.floating], NDArray[np.floating]] | None:
    """How one capsule, two discs (x, y, radius) in pixels, covers its bounding box.

    Returns:
        The box (rows, columns), cover [h,w] in [0,1] smoothed over a pixel at the edge, brightness
        [h,w]; None where it lies outside the picture.
    """
    (x0, y0, r0), (x1, y1, r1) = start, end
    left, right = (
        max(0, int(min(x0 - r0, x1 - r1)) - 1),
        min(size[1], int(max(x0 + r0, x1 + r1)) + 2),
    )
    top, bottom = (
        max(0, int(min(y0 - r0, y1 - r1)) - 1),
        min(size[0], int(max(y0 + r0, y1 + r1)) + 2),
    )
    if left >= right or top >= bottom:
        return None
    dx = np.arange(left, right, dtype=np.float32)[None, :] - x0
    dy = np.arange(top, bottom, dtype=np.float32)[:, None] - y0
    vx, vy = x1 - x0, y1 - y0
    scale = 1.0 / max(vx * vx + vy * vy, 1e-6)
    along = dx * (vx * scale) + dy * (vy * scale)
    np.minimum(np.maximum(along, 0.0, out=along), 1.0, out=along)
    radius = along * (r1 - r0) + r0
    nx = (dx - along * vx) / radius  # the surface's normal, 1 at the edge
    ny = (dy - along * vy) / radius
    squared = nx * nx + ny * ny
    cover = (1.0 - np.sqrt(squared)) * radius + 0.5
    np.minimum(np.maximum(cover, 0.0, out=cover), 1.0, out=cover)
    facing = np.sqrt(np.maximum(1.0 - squared, 0.0))
    lit = np.maximum(nx * light[0] + ny * light[1] + facing * light[2], 0.0)
    rim = np.minimum(_OUTLINE + (1.6 * (1.0 - _OUTLINE)) * facing, 1.0)
    shade = (ambient + (1.15 - ambient) * lit) * rim
    return (slice(top, bottom), slice(left, right)), cover, shade
