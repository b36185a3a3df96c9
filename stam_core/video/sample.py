"""Which frames of a video a model gets to see: integer rules, no pictures.

    frame_seconds [n] --span--> [first, stop) --policy--> T indices in 0..n-1

Every function here is pure, so that a choice of frames can be checked by hand.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from stam_core.errors import SamplingError, UnknownNameError
from stam_core.types import OfficialRule
from stam_core.video.sample_spread import REFERENCE_FPS, spread_indices

FAR_APART_SECONDS = 3.0  # an action of the kind that the models know takes about as long


@dataclass(frozen=True)
class FrameChoice:
    """The chosen frames and what the person should know about the choice."""

    indices: tuple[int, ...]  # [T] in display order of the whole video
    notes: tuple[str, ...] = ()  # plain sentences


@dataclass(frozen=True)
class SamplingPolicy:
    """A rule that picks T of n frames."""

    title: str
    help: str  # one sentence for menus and --help
    # (n_frames, num_frames, fps, official_fps, official_rule)
    choose: Callable[[int, int, float, float | None, OfficialRule], FrameChoice]


def uniform_indices(
    n_frames: int, num_frames: int, start: int = 0, stop: int | None = None
) -> list[int]:
    """The central frame of each of `num_frames` equal parts of [start, stop).

    With fewer frames than parts, frames repeat in order; with as many, each is taken once.

        n = 8, T = 4:   |0 1|2 3|4 5|6 7|  ->  1 3 5 7

    Args:
        n_frames: frames in the video.
        num_frames: T, frames to pick.
        start: first frame that may be picked.
        stop: one past the last frame that may be picked; None: n_frames.

    Raises:
        SamplingError: nothing to pick from, or `num_frames` below 1.
    """
    stop = n_frames if stop is None else stop
    _check_counts(n_frames, num_frames)
    if not 0 <= start < stop <= n_frames:
        raise SamplingError(
            f"Frames {start} to {stop} are not a part of this clip's {n_frames} frames. "
            "Choose a span inside the clip."
        )
    span = stop - start
    return [start + (2 * k + 1) * span // (2 * num_frames) for k in range(num_frames)]


def official_indices(n_frames: int, fps: float, num_frames: int, rate: float) -> list[int] | None:
    """The frames the authors' loader takes: from frame 0, every fps/rate frames.

    Args:
        n_frames: frames in the video.
        fps: frames per second of the video.
        num_frames: T.
        rate: frames per second of the loader (1.6 for 16 frames: a span of 10 s).

    Returns:
        T indices, or None where the loader silently drops the clip (fewer than T frames after
        resampling).

    Raises:
        SamplingError: a count or rate that is not positive.

    Source: torchvision.datasets.video_utils.VideoClips as STAM's utils.py uses it (first clip).
    """
    step = _official_step(n_frames, fps, num_frames, rate)
    # An integer step slices the frames (rounding the count up); any other step rounds it down.
    n_resampled = (
        -(-n_frames // int(step)) if step.is_integer() else math.floor(n_frames * rate / fps)
    )
    indices = _stepped(num_frames, step)
    if n_resampled < num_frames or indices[-1] >= n_frames:
        return None
    return indices


def official_indices_clamped(n_frames: int, fps: float, num_frames: int, rate: float) -> list[int]:
    """As `official_indices`, but too short a clip repeats its last frame instead of being dropped.

    Args:
        n_frames: frames in the video.
        fps: frames per second of the video.
        num_frames: T.
        rate: frames per second of the loader.

    Raises:
        SamplingError: a count or rate that is not positive.
    """
    step = _official_step(n_frames, fps, num_frames, rate)
    return [min(i, n_frames - 1) for i in _stepped(num_frames, step)]


def span_range(
    frame_seconds: Sequence[float], span_seconds: tuple[float, float]
) -> tuple[int, int]:
    """The frames on screen at any moment of a time span, as [first, stop).

    A frame is on screen from its own time until the next frame's, so a span between two frames
    shows one frame.

    Args:
        frame_seconds: [n] time of each frame, ascending, starting at 0.
        span_seconds: (start, end); an end past the clip's is taken as the clip's.

    Raises:
        SamplingError: the span is empty, not finite, or lies outside the clip.
    """
    start, end = span_seconds
    if not len(frame_seconds):
        raise SamplingError("The clip has no frames to choose from. Choose another clip.")
    last = frame_seconds[-1]
    if not (math.isfinite(start) and math.isfinite(end)) or end <= start:
        raise SamplingError(
            f"The span from {start:g} s to {end:g} s is empty. Its end must come after its start."
        )
    if start < 0 or start > last:
        raise SamplingError(
            f"The span starts at {start:g} s, outside the clip, whose frames lie between 0 s and "
            f"{last:.2f} s. Choose a start in between."
        )
    return bisect_right(frame_seconds, start) - 1, bisect_left(frame_seconds, end)


def span_indices(
    frame_seconds: Sequence[float], num_frames: int, span_seconds: tuple[float, float]
) -> list[int]:
    """`num_frames` frames spread evenly over a time span, by the frames' own times.

    Args:
        frame_seconds: [n] time of each frame, ascending, starting at 0.
        num_frames: T.
        span_seconds: (start, end).

    Raises:
        SamplingError: the span is empty or lies outside the clip, or `num_frames` is below 1.
    """
    first, stop = span_range(frame_seconds, span_seconds)
    return uniform_indices(len(frame_seconds), num_frames, first, stop)


def sample_frames(
    frame_seconds: Sequence[float],
    *,
    num_frames: int,
    fps: float,
    policy: str = "uniform",
    span_seconds: tuple[float, float] | None = None,
    official_fps: float | None = None,
    official_rule: OfficialRule = "stepped",
) -> FrameChoice:
    """Choose T frames of a video and say what is unusual about the choice.

    Args:
        frame_seconds: [n] time of each frame, ascending, starting at 0.
        num_frames: T.
        fps: average frames per second of the video.
        policy: a key of SAMPLING_POLICIES.
        span_seconds: (start, end) to stay within; None: the whole clip.
        official_fps: frames per second of the authors' loader; needed by the policy "official".
        official_rule: how that loader lays the frames.

    Raises:
        SamplingError: the frames asked for do not exist.
        UnknownNameError: no such policy.
    """
    if policy not in SAMPLING_POLICIES:
        raise UnknownNameError("sampling policy", policy, list(SAMPLING_POLICIES))
    n_frames = len(frame_seconds)
    _check_counts(n_frames, num_frames)
    choose = SAMPLING_POLICIES[policy].choose
    if span_seconds is None:
        choice = choose(n_frames, num_frames, fps, official_fps, official_rule)
        notes = choice.notes or _few("The clip", n_frames, num_frames)
        return FrameChoice(choice.indices, (*notes, *_far_apart(frame_seconds, choice.indices)))
    first, stop = span_range(frame_seconds, span_seconds)
    choice = choose(stop - first, num_frames, fps, official_fps, official_rule)
    end = frame_seconds[stop] if stop < n_frames else frame_seconds[-1] + 1 / fps
    part = (
        f"Only the part from {frame_seconds[first]:.2f} s to {end:.2f} s of the clip is used "
        f"({_frames(stop - first)})."
    )
    notes = choice.notes or _few("The chosen span", stop - first, num_frames)
    indices = tuple(first + i for i in choice.indices)
    return FrameChoice(indices, (part, *notes, *_far_apart(frame_seconds, indices)))


def _far_apart(frame_seconds: Sequence[float], indices: tuple[int, ...]) -> tuple[str, ...]:
    """A warning where an action of seconds falls between two frames."""
    covered = frame_seconds[indices[-1]] - frame_seconds[indices[0]]
    apart = covered / max(1, len(indices) - 1)
    if apart < FAR_APART_SECONDS:
        return ()
    told = f"{apart:.0f} s" if apart < 120 else f"{apart / 60:.0f} min"
    return (
        f"The frames lie about {told} apart, so an action of a few seconds may fall between them. "
        "Choose a shorter time span to look closer.",
    )


def _choose_uniform(
    n_frames: int, num_frames: int, fps: float, official_fps: float | None, rule: OfficialRule
) -> FrameChoice:
    del fps, official_fps, rule  # the rule looks at counts alone
    return FrameChoice(tuple(uniform_indices(n_frames, num_frames)))


def _choose_official(
    n_frames: int, num_frames: int, fps: float, official_fps: float | None, rule: OfficialRule
) -> FrameChoice:
    if official_fps is None:
        raise SamplingError(
            'The policy "official" needs the frame rate of the authors\' loader, and this model '
            'states none. Use "uniform".'
        )
    if rule == "spread":
        return _choose_spread(n_frames, num_frames, fps, official_fps)
    indices = official_indices(n_frames, fps, num_frames, official_fps)
    needed_seconds = num_frames / official_fps
    if indices is not None:
        unseen = (
            n_frames / fps > needed_seconds * 1.05
        )  # a few left-over frames are not worth a sentence
        note = f"Only the first {needed_seconds:.3g} s are seen, as by the official loader."
        return FrameChoice(tuple(indices), (note,) if unseen else ())
    clamped = official_indices_clamped(n_frames, fps, num_frames, official_fps)
    note = (
        f"The official loader would have dropped this clip: {num_frames} frames at "
        f"{official_fps:g} per second need {needed_seconds:.3g} s, and there are "
        f"{n_frames / fps:.2f} s ({_frames(n_frames)}). "
        "Here the last frame repeats instead."
    )
    return FrameChoice(tuple(clamped), (note,))


def _choose_spread(n_frames: int, num_frames: int, fps: float, official_fps: float) -> FrameChoice:
    rate = round(REFERENCE_FPS / official_fps)
    indices = spread_indices(n_frames, fps, num_frames, rate)
    seen_seconds, seconds = num_frames / official_fps, n_frames / fps
    notes: tuple[str, ...] = ()
    if seconds > seen_seconds * 1.05:  # as above
        notes = (f"Only the first {seen_seconds:.3g} s are seen, as by the official loader.",)
    elif len(set(indices)) < num_frames:
        notes = (
            f"The official loader spreads its frames over {seen_seconds:.3g} s, and there are "
            f"{seconds:.2f} s ({_frames(n_frames)}): the last frame repeats.",
        )
    return FrameChoice(tuple(indices), notes)


SAMPLING_POLICIES: dict[str, SamplingPolicy] = {
    "uniform": SamplingPolicy(
        "Whole clip, evenly",
        "The clip (or the chosen span) is cut into equal parts; each gives its central frame.",
        _choose_uniform,
    ),
    "official": SamplingPolicy(
        "As the authors evaluate",
        "From the first frame over a span of fixed length (STAM: 10 s), as the authors' loader "
        "does; the rest is not seen.",
        _choose_official,
    ),
}


def _official_step(n_frames: int, fps: float, num_frames: int, rate: float) -> float:
    _check_counts(n_frames, num_frames)
    if not (math.isfinite(fps) and math.isfinite(rate) and fps > 0 and rate > 0):
        raise SamplingError(
            f"Frame rates must be above 0; got {fps:g} (clip) and {rate:g} (loader)."
        )
    return float(fps) / float(rate)


def _stepped(num_frames: int, step: float) -> list[int]:
    # float32 like the official code: in double precision a product next to a whole number may
    # floor differently.
    return [math.floor(np.float32(k) * np.float32(step)) for k in range(num_frames)]


def _few(subject: str, n_frames: int, num_frames: int) -> tuple[str, ...]:
    if n_frames >= num_frames:
        return ()
    has = f"{subject} has {_frames(n_frames)}"
    return (f"{has}; the model needs {num_frames}, so frames repeat.",)


def _frames(n: int) -> str:
    return "1 frame" if n == 1 else f"{n} frames"


def _check_counts(n_frames: int, num_frames: int) -> None:
    if num_frames < 1:
        raise SamplingError(f"At least 1 frame must be asked for; got {num_frames}.")
    if n_frames < 1:
        raise SamplingError("The clip has no frames to choose from. Choose another clip.")
