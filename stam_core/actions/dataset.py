"""Rendered clips of actions, each with the truth about it.

Clip `index` of `seed` is always the same clip: everything random in it comes from its own
generator, so neither the number of clips nor the number of worker processes matters.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from stam_core.actions import roaming
from stam_core.actions.compose import compose
from stam_core.actions.figure import PARTS
from stam_core.actions.motions import ACTIONS, LABELS
from stam_core.actions.timing import Timing
from stam_core.actions.truth import joints_in_picture, motion_truth, visible_joints
from stam_core.errors import ParameterError, UnknownNameError
from stam_core.types import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class RenderSpec:
    """What kind of clips to render."""

    width: int = 112  # pixels
    height: int = 112  # pixels
    num_frames: int = 16
    clutter: float = 1.0  # 0: one clean person before a plain wall; 1: the full variety
    roaming: float = 0.0  # share of those who go somewhere or stand that do so as in `roaming`
    fps: float | None = None  # frames one after another at this rate; None: as a model samples them

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be drawn."""
        if min(self.width, self.height) < 16 or self.num_frames < 2:
            raise ParameterError(
                f"A rendered clip needs at least 16x16 pixels and 2 frames, "
                f"got {self.width}x{self.height} and {self.num_frames}."
            )
        if not 0.0 <= self.clutter <= 1.0 or not 0.0 <= self.roaming <= 1.0:
            raise ParameterError("clutter and roaming must be in [0,1].")
        if self.fps is not None and not 0.0 < self.fps <= 1000.0:
            raise ParameterError("Frames per second must be above 0 and at most 1000.")


@dataclass(frozen=True, eq=False)
class RenderedClips:
    """n clips of T frames and the truth about them."""

    frames: NDArray[np.uint8]  # [n,T,H,W,3] RGB in 0..255
    labels: NDArray[np.int64]  # [n] index into motions.LABELS
    seconds: NDArray[np.float64]  # [n,T] since the clip's start
    joints: NDArray[np.float32]  # [n,T,J,2] pixels (right, down), in the order of skeleton.JOINTS
    depths: NDArray[np.float32]  # [n,T,J] body heights behind (+) or before (-) the pelvis
    inside: NDArray[np.bool_]  # [n,T,J] inside the picture; none in a crowd of equals
    visible: NDArray[np.bool_]  # [n,T,J] inside the picture and not behind anything
    parts: NDArray[np.uint8]  # [n,T,H,W] 0 background, 1 + index into PARTS, figure.OTHER_PART
    moving: NDArray[np.bool_]  # [n,T,P] which parts of figure.PARTS move
    key_frames: NDArray[np.bool_]  # [n,T] frames in which the moving parts move most
    deciding: NDArray[np.bool_]  # [n,T] frames in which the action is under way and to be seen

    def __len__(self) -> int:
        """N."""
        return len(self.frames)

    def moving_mask(self) -> NDArray[np.bool_]:
        """[n,T,H,W] pixels that show a moving part."""
        n, num_frames = self.parts.shape[:2]
        lookup = np.zeros((n, num_frames, len(PARTS) + 2), dtype=np.bool_)
        lookup[:, :, 1:-1] = self.moving
        flat = self.parts.reshape(n, num_frames, -1).astype(np.int64)
        return np.take_along_axis(lookup, flat, axis=2).reshape(self.parts.shape)


def render_clip(
    index: int, *, seed: int, spec: RenderSpec | None = None, action: str | None = None
) -> RenderedClips:
    """Render clip `index` of `seed`, as a batch of one.

    Args:
        index: number of the clip; the labels take turns.
        seed: of the data set.
        spec: size and variety.
        action: a label to show instead.

    Raises:
        UnknownNameError: `action` is not one of the labels.
    """
    spec = spec or RenderSpec()
    name = LABELS[index % len(LABELS)] if action is None else action
    if name not in ACTIONS:
        raise UnknownNameError("action", name, list(LABELS))
    rng = np.random.default_rng([seed, index])
    # Nothing is drawn where nobody roams: then clips are what they were before anybody did.
    roams = spec.roaming > 0 and name in roaming.ACTIONS and bool(rng.random() < spec.roaming)
    timing = Timing.random(
        rng,
        name,
        num_frames=spec.num_frames,
        consecutive_fps=spec.fps,
        durations=roaming.SECONDS if roams else None,
    )
    drawn = compose(
        rng,
        name,
        timing,
        width=spec.width,
        height=spec.height,
        clutter=spec.clutter,
        roams=roams,
    )
    moving, key_frames = motion_truth(drawn.speed, drawn.parts)
    seen = ((drawn.parts > 0) & (drawn.parts <= len(PARTS))).any(axis=(1, 2))
    inside = joints_in_picture(drawn.pixels, width=spec.width, height=spec.height)
    return RenderedClips(
        frames=drawn.frames[None],
        labels=np.array([LABELS.index(name)]),
        seconds=drawn.seconds[None],
        joints=drawn.pixels[None].astype(np.float32),
        depths=drawn.depths[None].astype(np.float32),
        inside=(inside & (not drawn.crowd))[None],
        visible=visible_joints(drawn.pixels, drawn.parts)[None],
        parts=drawn.parts[None],
        moving=moving[None],
        key_frames=key_frames[None],
        deciding=(drawn.deciding & seen)[None],
    )


def render_clips(
    n: int,
    *,
    seed: int,
    spec: RenderSpec | None = None,
    first: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> RenderedClips:
    """Render clips `first` to `first + n - 1` of `seed`; labels take turns.

    Args:
        n: how many clips.
        seed: of the data set.
        spec: size and variety.
        first: number of the first clip.
        workers: processes to render with; 1 renders in this one.
        progress: called with a word and the share done.
    """
    if n < 1:
        raise ParameterError(f"At least one clip must be rendered, got {n}.")
    work = partial(render_clip, seed=seed, spec=spec)
    indices = range(first, first + n)
    clips: list[RenderedClips] = []
    if workers > 1:
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            for clip in pool.imap(work, indices, chunksize=16):
                _collect(clips, clip, n, progress)
    else:
        for index in indices:
            _collect(clips, work(index), n, progress)
    return join_clips(clips)


def rendered_batches(
    n: int, *, seed: int, spec: RenderSpec, workers: int = 1, batch: int = 32
) -> Iterator[RenderedClips]:
    """Clips 0 to n-1 of `seed` in order, a batch at a time, rendered ahead by other processes.

    Args:
        n: how many clips.
        seed: of the clips.
        spec: size and variety.
        workers: processes that render; 1 renders in this one. They start once for all batches.
        batch: clips at a time; at most `workers` + 2 batches are held.

    Raises:
        ParameterError: `n` is not positive.
    """
    if n < 1:
        raise ParameterError(f"At least one clip must be rendered, got {n}.")
    jobs: list[dict[str, Any]] = [
        {"n": min(batch, n - first), "first": first, "seed": seed, "spec": spec}
        for first in range(0, n, batch)
    ]
    if workers <= 1:
        for job in jobs:
            yield render_clips(**job)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        ahead: deque[Any] = deque()
        for job in jobs:
            ahead.append(pool.apply_async(render_clips, kwds=job))
            if len(ahead) > workers + 1:
                yield ahead.popleft().get()
        while ahead:
            yield ahead.popleft().get()


def _collect(
    clips: list[RenderedClips],
    clip: RenderedClips,
    n: int,
    progress: Progress | None,
) -> None:
    clips.append(clip)
    if progress and (len(clips) % 16 == 0 or len(clips) == n):
        progress("rendering clips", len(clips) / n)


def join_clips(clips: list[RenderedClips]) -> RenderedClips:
    """Put batches of clips one after another."""
    names = RenderedClips.__dataclass_fields__
    return RenderedClips(
        **{name: np.concatenate([getattr(c, name) for c in clips]) for name in names}
    )
