"""Draw solids: shaded capsules from far to near, each only inside its bounding box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stam_core.actions.scene import pattern_shade

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stam_core.actions.camera import View
    from stam_core.actions.figure import Solids
    from stam_core.actions.scene import Look, Pattern
    from stam_core.actions.timing import Timing

_SHARP = 1.5  # pixels that a solid may move while the shutter is open and still be drawn once
_MOST_COPIES = 4
_SHADOW_RADIUS = 1.15  # of a limb's own: the sun is not a point


@dataclass(frozen=True, eq=False)
class Capsules:
    """Capsules of every frame in pixels, ready to be drawn."""

    ends: NDArray[np.float32]  # [2,T,P,2,3] shutter opens, closes; start, end; x, y, radius
    depths: NDArray[np.float32]  # [T,P] body heights
    colours: NDArray[np.float32]  # [P,3] in [0,1]
    values: NDArray[np.uint8]  # [P] written into the part map
    patterns: tuple[Pattern | None, ...]  # P of them

    def __len__(self) -> int:
        """P."""
        return len(self.values)


def project_solids(solids: Solids, view: View, timing: Timing) -> Capsules:
    """Solids in space -> capsules in the frames of a clip."""
    ends = np.empty(solids.ends.shape, dtype=np.float32)
    depths = []
    for shutter in (0, 1):
        seconds = timing.seconds + shutter * timing.exposure
        pixels, depth, scale = view.project(solids.ends[shutter], seconds, timing.duration)
        ends[shutter, ..., :2] = pixels
        ends[shutter, ..., 2] = scale * solids.radii
        depths.append(depth.mean(axis=2) - solids.nearer)
    return Capsules(
        ends=ends,
        depths=(0.5 * (depths[0] + depths[1])).astype(np.float32),
        colours=solids.colours,
        values=solids.values,
        patterns=solids.patterns,
    )


def draw(
    planes: NDArray[np.float32],
    parts: NDArray[np.uint8],
    capsules: Capsules,
    look: Look,
    *,
    outline: float,
) -> None:
    """Draw capsules onto `planes` [T,3,H,W] in [0,1] and their numbers into `parts` [T,H,W].

    Colour planes come before rows because arithmetic on them is then several times faster than on
    RGB triples.

    Args:
        planes: the surroundings.
        parts: part map, 0 where nobody is.
        capsules: what to draw.
        look: where the light comes from.
        outline: brightness at a limb's edge relative to its middle, in [0,1]: it keeps an arm apart
            from the chest behind it.
    """
    drawn = [_shade(capsules, p, planes.shape[2:], look, outline) for p in range(len(capsules))]
    order = np.argsort(-capsules.depths, axis=1, kind="stable").tolist()
    for t in range(len(planes)):
        for p in order[t]:
            layer = drawn[p]
            if layer is None or not layer.boxes.shown[t]:
                continue
            box = layer.boxes.slices(t)
            window, cover = planes[t][(slice(None), *box)], layer.cover[t]
            window += cover * (layer.colour[t] - window)
            parts[t][box][cover > 0.5] = capsules.values[p]


def cast_shadow(
    planes: NDArray[np.float32],
    solids: Solids,
    view: View,
    timing: Timing,
    *,
    slant: tuple[float, float],
    strength: float,
) -> None:
    """Darken the floor where solids keep the light off, in `planes` [T,3,H,W].

    Args:
        planes: the surroundings, before the solids are drawn.
        solids: of whoever stands in the light.
        view: of the camera.
        timing: of the clip.
        slant: how far the shadow of a point one body height up falls: left, forward.
        strength: share of the light that is taken away, in [0,1].
    """
    flat = solids.ends[0].copy()  # [T,P,2,3]
    flat[..., 0] += slant[0] * flat[..., 1]
    flat[..., 2] += slant[1] * flat[..., 1]
    flat[..., 1] = 0.0
    pixels, _, scale = view.project(flat, timing.seconds, timing.duration)
    radii = scale * solids.radii * _SHADOW_RADIUS
    discs = np.concatenate([pixels, radii[..., None]], axis=-1).astype(np.float32)  # [T,P,2,3]
    dark = np.zeros((len(planes), *planes.shape[2:]), dtype=np.float32)
    for p in range(discs.shape[1]):
        boxes = _bounding_boxes(discs[:, p], dark.shape[1:])
        if boxes is None:
            continue
        cover, *_ = _cover(discs[:, p], boxes)
        for t in np.flatnonzero(boxes.shown).tolist():
            window = dark[t][boxes.slices(t)]
            np.maximum(window, cover[t], out=window)
    planes *= 1.0 - strength * dark[:, None]


@dataclass(frozen=True, eq=False)
class _Boxes:
    """The parts of T frames in which a capsule is drawn, all of one size."""

    tops: NDArray[np.int_]  # [T] pixels
    lefts: NDArray[np.int_]  # [T] pixels
    height: int
    width: int
    shown: NDArray[np.bool_]  # [T] whether any of it is in the picture

    def slices(self, t: int) -> tuple[slice, slice]:
        """Rows and columns in frame `t`."""
        top, left = int(self.tops[t]), int(self.lefts[t])
        return slice(top, top + self.height), slice(left, left + self.width)


@dataclass(frozen=True, eq=False)
class _Layer:
    """One capsule, ready to be laid over T frames."""

    boxes: _Boxes
    cover: NDArray[np.float32]  # [T,h,w] in [0,1]
    colour: NDArray[np.float32]  # [T,3,h,w]


def _bounding_boxes(discs: NDArray[np.float32], size: tuple[int, ...]) -> _Boxes | None:
    """Boxes that hold discs (x, y, radius) [T,n,3] and a pixel more; None if none is in sight."""
    reach = discs[..., 2:]
    low = np.floor((discs[..., :2] - reach).min(axis=1)).astype(int) - 1  # [T,2] x, y
    high = np.floor((discs[..., :2] + reach).max(axis=1)).astype(int) + 2
    limits = np.array([size[1], size[0]])
    shown = ((high > 0) & (low < limits)).all(axis=1)
    if not shown.any():
        return None
    low, high = np.clip(low, 0, limits), np.clip(high, 0, limits)
    width, height = (high - low)[shown].max(axis=0).tolist()
    lefts, tops = np.minimum(low, limits - (width, height)).T
    return _Boxes(tops, lefts, height, width, shown)


def _cover(
    discs: NDArray[np.float32], boxes: _Boxes
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """How capsules between two discs [T,2,3] cover their boxes.

    Returns:
        [T,h,w] each: cover in [0,1], smoothed over a pixel at the edge; the share of the way from
        start to end; the surface's normal, right and down, 1 at the edge.
    """
    x0, y0, r0 = (discs[:, 0, k, None, None] for k in range(3))  # [T,1,1]
    vx, vy, vr = (discs[:, 1, k, None, None] - discs[:, 0, k, None, None] for k in range(3))
    columns = np.arange(boxes.width, dtype=np.float32)
    rows = np.arange(boxes.height, dtype=np.float32)[:, None]
    dx = columns + (boxes.lefts[:, None, None].astype(np.float32) - x0)  # [T,1,w]
    dy = rows + (boxes.tops[:, None, None].astype(np.float32) - y0)  # [T,h,1]
    scale = 1.0 / np.maximum(vx * vx + vy * vy, 1e-6)
    along = dx * (vx * scale) + dy * (vy * scale)
    np.clip(along, 0.0, 1.0, out=along)
    radius = along * vr + r0
    nx = (dx - along * vx) / radius
    ny = (dy - along * vy) / radius
    cover = (1.0 - np.sqrt(nx * nx + ny * ny)) * radius + 0.5
    np.clip(cover, 0.0, 1.0, out=cover)
    return cover, along, nx, ny


def _shade(
    capsules: Capsules, p: int, size: tuple[int, ...], look: Look, outline: float
) -> _Layer | None:
    """Capsule `p` of every frame; blurred along its way while the shutter is open."""
    opening, closing = capsules.ends[0][:, p], capsules.ends[1][:, p]  # [T,2,3]
    boxes = _bounding_boxes(np.concatenate([opening, closing], axis=1), size)
    if boxes is None:
        return None
    moved = float(np.abs(closing - opening)[boxes.shown].max())
    copies = min(_MOST_COPIES, 1 + int(moved / _SHARP))
    places = [opening + (k + 0.5) / copies * (closing - opening) for k in range(copies)]
    middle = places.pop(copies // 2)
    cover, along, nx, ny = _cover(middle, boxes)
    squared = nx * nx + ny * ny
    facing = np.sqrt(np.maximum(1.0 - squared, 0.0))
    lit = np.maximum(nx * look.light[0] + ny * look.light[1] + facing * look.light[2], 0.0)
    rim = np.minimum(outline + (1.6 * (1.0 - outline)) * facing, 1.0)
    shade = (look.ambient + (1.15 - look.ambient) * lit) * rim
    pattern = capsules.patterns[p]
    if pattern is not None:
        vx, vy = (middle[:, 1, k, None, None] - middle[:, 0, k, None, None] for k in range(2))
        across = (nx * vy - ny * vx) / np.maximum(np.hypot(vx, vy), 1e-3)
        shade = shade * pattern_shade(pattern, along, across)
    for place in places:
        cover = cover + _cover(place, boxes)[0]
    colour = shade[:, None] * capsules.colours[p][:, None, None]
    return _Layer(boxes, cover / np.float32(copies), colour)
