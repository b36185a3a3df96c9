"""Who may look at whom: each way of attending through space and time, as rules over patches.

A scheme is a short row of steps that a layer takes. A step turns a set of patches into all patches
that these look at, so one definition answers both questions of a lesson: what does this patch see,
and after how many layers can those two meet. Sets are masks [T,h,w]. CLS is left out of the masks
and counted beside them: it is no place in a picture.

The sizes of neighbourhoods and windows agree with `stam_core.costs`.

Sources: space, joint, divided, sparse and axial: Bertasius et al., arXiv 2102.05095, section 3;
factorised: Sharir et al., arXiv 2103.13915; mixing: Bulat et al., arXiv 2106.05968; windows: Liu et
al., arXiv 2106.13230.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stam_core.errors import ParameterError, UnknownNameError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]  # [T,h,w]

Patch = tuple[int, int, int]  # frame, row, column
Shape = tuple[int, int, int]  # T, h, w

WINDOW_FRAMES = 8  # of Video Swin's windows


@dataclass(frozen=True)
class Step:
    """One attention of a layer."""

    name: str
    reach: Callable[[Mask], Mask]  # a set of patches -> what they look at
    cls: bool = True  # CLS is among the keys
    partial: bool = False  # only some channels of these patches: they are no keys of their own
    # Of layers counted from 0, those that take the step; all by default.
    taken_in: Callable[[int], bool] = lambda layer: layer >= 0


@dataclass(frozen=True)
class Seen:
    """What one patch looks at in one step of a layer."""

    step: str
    mask: Mask  # [T,h,w]
    keys: int  # with CLS where the step has it; 0 for a partial step


# --- steps ---


def _same_frame(mask: Mask) -> Mask:
    """Every patch of the frames in which one is."""
    return np.broadcast_to(mask.any(axis=(1, 2), keepdims=True), mask.shape).copy()


def _same_place(mask: Mask) -> Mask:
    """The same places in all frames."""
    return np.broadcast_to(mask.any(axis=0, keepdims=True), mask.shape).copy()


def _everything(mask: Mask) -> Mask:
    return np.full(mask.shape, bool(mask.any()))


def _same_row(mask: Mask) -> Mask:
    return np.broadcast_to(mask.any(axis=2, keepdims=True), mask.shape).copy()


def _same_column(mask: Mask) -> Mask:
    return np.broadcast_to(mask.any(axis=1, keepdims=True), mask.shape).copy()


def _spread(mask: Mask, axis: int, before: int, after: int) -> Mask:
    """Also what lies up to `before` places before and `after` behind, within the picture."""
    n = mask.shape[axis]
    at = np.arange(n)
    reach = (at[:, None] - before <= at) & (at <= at[:, None] + after)  # [query,key]
    spread = np.moveaxis(mask, axis, -1) @ reach
    return np.ascontiguousarray(np.moveaxis(spread, -1, axis))


def _neighbourhood(mask: Mask) -> Mask:
    """A quarter of the picture around, half as high and half as wide, in all frames."""
    found = _same_place(mask)
    for axis in (1, 2):
        half = math.ceil(mask.shape[axis] / 2)
        found = _spread(found, axis, half // 2, half - 1 - half // 2)
    return found


def _every_second(mask: Mask) -> Mask:
    """Every second frame, row and column of the clip, counted from the first."""
    found = np.zeros(mask.shape, dtype=bool)
    found[::2, ::2, ::2] = mask.any()
    return found


def _frames_beside(mask: Mask) -> Mask:
    """The frames just before and after."""
    own = _same_frame(mask)
    return _spread(own, 0, 1, 1) & ~own


def window_sizes(shape: Shape) -> Shape:
    """A window's frames, rows and columns: 8 x 7 x 7 at 14 x 14 patches, as published."""
    frames, rows, columns = shape
    return min(WINDOW_FRAMES, frames), math.ceil(rows / 2), math.ceil(columns / 2)


def _window(mask: Mask, *, shifted: bool) -> Mask:
    """Each patch's window; shifted by half a window in every second layer."""
    groups = np.zeros(mask.shape, dtype=np.int64)
    for axis, size in enumerate(window_sizes((mask.shape[0], mask.shape[1], mask.shape[2]))):
        n = mask.shape[axis]
        shift = size // 2 if shifted and size < n else 0  # one window over all is not shifted
        index = (np.arange(n) - shift) // size + 1
        wide = [1, 1, 1]
        wide[axis] = n
        groups = groups * (n + 2) + index.reshape(wide)
    found: Mask = np.isin(groups, groups[mask])
    return found


def _even(layer: int) -> bool:
    return layer % 2 == 0


def _odd(layer: int) -> bool:
    return layer % 2 == 1


_FRAME = Step("same frame", _same_frame)
_PLACE = Step("same place, all frames", _same_place, cls=False)

# Keys as in `costs.SCHEMES`; the steps in the order in which a layer takes them.
STEPS: dict[str, tuple[Step, ...]] = {
    "space": (_FRAME,),
    "joint": (Step("all patches", _everything),),
    "divided": (_PLACE, _FRAME),
    "sparse": (Step("neighbourhood", _neighbourhood), Step("every second one", _every_second)),
    "axial": (_PLACE, Step("same row", _same_row), Step("same column", _same_column)),
    "factorised": (_FRAME,),
    "mixing": (
        _FRAME,
        Step("some channels of the frames beside", _frames_beside, cls=False, partial=True),
    ),
    "windows": (
        Step("window", lambda mask: _window(mask, shifted=False), cls=False, taken_in=_even),
        Step("shifted window", lambda mask: _window(mask, shifted=True), cls=False, taken_in=_odd),
    ),
}


# --- questions ---


def _steps(scheme: str) -> tuple[Step, ...]:
    if scheme not in STEPS:
        raise UnknownNameError("attention scheme", scheme, list(STEPS))
    return STEPS[scheme]


def one_patch(patch: Patch, shape: Shape) -> Mask:
    """The set of one patch, as a mask [T,h,w].

    Raises:
        ParameterError: it is not in the clip.
    """
    for index, size, what in zip(patch, shape, ("frame", "row", "column"), strict=True):
        if not 0 <= index < size:
            raise ParameterError(
                f"There is no {what} {index} of patches: they run from 0 to {size - 1}."
            )
    mask = np.zeros(shape, dtype=bool)
    mask[patch] = True
    return mask


def neighbours(scheme: str, query: Patch, shape: Shape) -> list[Seen]:
    """What a patch looks at, step by step of a layer.

    Args:
        scheme: A key of STEPS.
        query: (frame, row, column) of the patch that looks.
        shape: (T, h, w).

    Returns:
        One mask a step, in the layer's order. "windows" lists both kinds of layer.

    Raises:
        UnknownNameError: No such scheme.
        ParameterError: The patch is not in the clip.
    """
    own = one_patch(query, shape)
    found = []
    for step in _steps(scheme):
        mask = step.reach(own)
        keys = 0 if step.partial else int(mask.sum()) + step.cls
        found.append(Seen(step.name, mask, keys))
    return found


def reach_by_axis(scheme: str, shape: Shape) -> list[tuple[Mask, Mask, Mask]]:
    """What every patch looks at, step by step, in a few bytes.

    Each step's mask of a patch is a box with gaps: the patch (t,r,c) looks at (s,q,d) where its
    frame looks at s, its row at q and its column at d.

    Args:
        scheme: A key of STEPS.
        shape: (T, h, w).

    Returns:
        For each step three masks [T,T], [h,h] and [w,w]; rows look.

    Raises:
        UnknownNameError: No such scheme.
    """
    found = []
    for step in _steps(scheme):
        axes = []
        for axis, size in enumerate(shape):
            rows = []
            for index in range(size):
                patch = (index if axis == 0 else 0, index if axis == 1 else 0,
                         index if axis == 2 else 0)  # fmt: skip
                seen = step.reach(one_patch(patch, shape))
                rows.append(seen.any(axis=tuple({0, 1, 2} - {axis})))
            axes.append(np.stack(rows))
        found.append((axes[0], axes[1], axes[2]))
    return found


def keys_per_query(scheme: str, query: Patch, shape: Shape) -> int:
    """Keys that a patch compares itself with in one layer, CLS included, steps added up.

    Raises:
        UnknownNameError: No such scheme.
        ParameterError: The patch is not in the clip.
    """
    counts = [seen.keys for seen in neighbours(scheme, query, shape)]
    # A layer of windows takes one of its two steps.
    return counts[0] if scheme == "windows" else sum(counts)


def layers_to_meet(scheme: str, a: Patch, b: Patch, shape: Shape, *, at_most: int) -> int | None:
    """After how many layers patch `a` can hold something of patch `b`, not by way of CLS.

    Args:
        scheme: A key of STEPS.
        a: The patch that receives.
        b: The patch whose content travels.
        shape: (T, h, w).
        at_most: Layers of the model.

    Returns:
        1 or more; None: in none of its layers. In "factorised" and "space" patches of different
        frames never meet, only what summarises their frames does.

    Raises:
        UnknownNameError: No such scheme.
        ParameterError: A patch is not in the clip.
    """
    steps = _steps(scheme)
    own, other = one_patch(a, shape), one_patch(b, shape)
    for layers in range(1, at_most + 1):
        seen = own
        for layer in reversed(range(layers)):  # from the last layer back to the picture
            for step in reversed(steps):
                if step.taken_in(layer):
                    seen = seen | step.reach(seen)
        if (seen & other).any():
            return layers
    return None


def looks_directly(scheme: str, a: Patch, b: Patch, shape: Shape) -> bool:
    """Whether `b` is among the keys of `a` in some step of some layer.

    Raises:
        UnknownNameError: No such scheme.
        ParameterError: A patch is not in the clip.
    """
    other = one_patch(b, shape)
    return any(bool((seen.mask & other).any()) for seen in neighbours(scheme, a, shape))
