"""What every motion is made of: moments in, a standing pose to begin with, and its few curves.

A motion is a function of moments and of a generator that settles the manner (speed, size, side);
the pose at a moment depends on that moment alone. So a motion asked for its moments from the end to
the start, with an equally seeded generator, is the same motion backwards, exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stam_core.actions.skeleton import Pose

if TYPE_CHECKING:
    from numpy.typing import NDArray

TURN = 2.0 * np.pi
FLEX, ABDUCT, TWIST, ELBOW = 0, 1, 2, 3  # columns of Pose.arms
KNEE = 2  # column of Pose.legs, after FLEX and ABDUCT
PITCH, ROLL, HEADING = 0, 1, 2  # columns of Pose.body and Pose.torso


@dataclass(frozen=True, eq=False)
class Moments:
    """When the frames of a clip are taken."""

    seconds: NDArray[np.float64]  # [T] since the clip's start
    duration: float  # of the clip, seconds

    def __len__(self) -> int:
        """T."""
        return len(self.seconds)

    def share(self) -> NDArray[np.float64]:
        """[T] in [0,1]: which part of the clip is over."""
        return self.seconds / self.duration

    def backwards(self) -> Moments:
        """The same moments counted from the clip's end."""
        return Moments(self.duration - self.seconds, self.duration)


Motion = Callable[[Moments, np.random.Generator], Pose]


def stand(moments: Moments, rng: np.random.Generator) -> Pose:
    """At ease: arms hanging, feet apart a little, swaying slightly."""
    pose = Pose.standing(len(moments))
    pose.arms[:, :, ABDUCT] = rng.uniform(0.05, 0.25)
    pose.arms[:, :, ELBOW] = rng.uniform(0.1, 0.45)
    pose.arms[:, :, FLEX] = rng.uniform(-0.05, 0.2)
    pose.legs[:, :, ABDUCT] = rng.uniform(0.02, 0.14)
    pose.legs[:, :, KNEE] = rng.uniform(0.0, 0.12)
    sway = np.sin(TURN * (rng.uniform(0.15, 0.5) * moments.seconds + rng.random()))
    pose.torso[:, ROLL] = rng.uniform(0.0, 0.05) * sway
    pose.torso[:, PITCH] = rng.uniform(-0.02, 0.10) + rng.uniform(0.0, 0.03) * sway
    return pose


def cycles(
    moments: Moments, rng: np.random.Generator, slowest: float, fastest: float
) -> NDArray[np.float64]:
    """Cycles done so far, [T], from a random start: between `slowest` and `fastest` per second.

    At least two cycles fit into the clip, however short it is.
    """
    rate = max(rng.uniform(slowest, fastest), rng.uniform(2.0, 2.6) / moments.duration)
    return rate * moments.seconds + rng.random()


def swing(phase: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 at whole cycles, 1 half way, smooth."""
    return 0.5 - 0.5 * np.cos(TURN * phase)


def smooth_step(q: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 up to q = 0, 1 from q = 1 on, smooth between."""
    q = np.clip(q, 0.0, 1.0)
    return q * q * (3.0 - 2.0 * q)


def once(
    moments: Moments, rng: np.random.Generator, shortest: float, longest: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """One transition of `shortest` to `longest` seconds that lies inside the clip.

    Returns:
        [T] 0 before, 1 after, smooth between; and [T] whether it is under way.
    """
    length = min(rng.uniform(shortest, longest), 0.8 * moments.duration)
    start = (moments.duration - length) * rng.uniform(0.12, 0.88)
    q = (moments.seconds - start) / length
    return smooth_step(q), (q > -0.05) & (q < 1.05)


def bout(
    moments: Moments, rng: np.random.Generator, whole: float = 0.5
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """How far a person is in the middle of doing something, [T] in [0,1], and whether at all.

    With the chance `whole` all through the clip; otherwise the person starts from rest, goes back
    to rest, or both, and is at it for half of the clip or more.
    """
    starts, ends = rng.random(2) < 0.7
    ramp = min(rng.uniform(0.3, 0.8), 0.15 * moments.duration)
    first, last = rng.uniform(0.02, 0.25, 2) * moments.duration
    if rng.random() < whole:
        return np.ones(len(moments)), np.ones(len(moments), dtype=np.bool_)
    level = np.ones(len(moments))
    if starts:
        level *= smooth_step((moments.seconds - first) / ramp)
    if ends:
        level *= smooth_step((moments.duration - last - moments.seconds) / ramp)
    return level, level > 0.5


def blend(
    rest: NDArray[np.float64], active: NDArray[np.float64], level: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Angles [T,...] between `rest` and `active`, by `level` [T] in [0,1]."""
    weight = level.reshape(len(level), *[1] * (rest.ndim - 1))
    return rest + weight * (active - rest)
