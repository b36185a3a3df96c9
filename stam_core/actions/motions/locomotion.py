"""Going somewhere: walk, run, skip, side-step; and turning around."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stam_core.actions.motions.base import (
    ABDUCT,
    ELBOW,
    FLEX,
    HEADING,
    KNEE,
    PITCH,
    TURN,
    Moments,
    cycles,
    once,
    stand,
    swing,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stam_core.actions.skeleton import Pose

_LEG = 0.48  # body heights from hip to ankle


def _stride(
    pose: Pose,
    phase: NDArray[np.float64],
    *,
    size: float,
    knee: float,
    arm: float,
    elbow: float,
) -> None:
    """Legs in turn, each knee bending while its leg comes forward, arms opposite."""
    for side, shift in ((0, 0.0), (1, 0.5)):
        angle = TURN * (phase + shift)
        pose.legs[:, side, FLEX] = size * (np.sin(angle) + 0.2)
        pose.legs[:, side, KNEE] = 0.1 + knee * np.maximum(0.0, np.cos(angle)) ** 1.3
        pose.arms[:, side, FLEX] = -arm * np.sin(angle)
        pose.arms[:, side, ELBOW] = elbow + 0.25 * arm * -np.sin(angle)
    pose.planted[:] = 0.0


def _go(pose: Pose, moments: Moments, phase: NDArray[np.float64], step: float) -> None:
    """Move on by `step` body heights per cycle, in the middle of the clip at the origin."""
    pose.travel[:, 1] = step * (phase - np.interp(0.5 * moments.duration, *_line(moments, phase)))


def _line(
    moments: Moments, phase: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two points of the straight line that the phase is over time, in rising order."""
    slope = 1.0
    first, last = int(moments.seconds.argmin()), int(moments.seconds.argmax())
    span = moments.seconds[last] - moments.seconds[first]
    if span > 0.0:
        slope = (phase[last] - phase[first]) / span
    ends = np.array([-1.0, 2.0]) * moments.duration
    return ends, phase[first] + slope * (ends - moments.seconds[first])


def walk(moments: Moments, rng: np.random.Generator) -> Pose:
    """Walk: one foot always down, arms nearly straight."""
    pose = stand(moments, rng)
    phase = cycles(moments, rng, 0.65, 1.15)
    size = rng.uniform(0.30, 0.52)
    arm = rng.uniform(0.05, 0.6)
    _stride(pose, phase, size=size, knee=rng.uniform(0.5, 0.9), arm=arm, elbow=0.25)
    if rng.random() < 0.15:  # a hand in the pocket, or holding something
        side = int(rng.integers(2))
        pose.arms[:, side, FLEX] = rng.uniform(0.0, 0.4)
        pose.arms[:, side, ELBOW] = rng.uniform(0.5, 1.7)
    pose.torso[:, PITCH] = rng.uniform(-0.02, 0.12)
    _go(pose, moments, phase, 3.6 * _LEG * float(np.sin(size)))
    return pose


def run(moments: Moments, rng: np.random.Generator) -> Pose:
    """Run: leaning, elbows bent, knees high, a moment in the air twice per cycle."""
    pose = stand(moments, rng)
    phase = cycles(moments, rng, 1.15, 1.7)
    size = rng.uniform(0.6, 0.95)
    _stride(
        pose,
        phase,
        size=size,
        knee=rng.uniform(1.2, 1.9),
        arm=rng.uniform(0.6, 1.1),
        elbow=rng.uniform(1.3, 1.75),
    )
    pose.torso[:, PITCH] = rng.uniform(0.10, 0.35)
    pose.lift[:] = rng.uniform(0.03, 0.07) * swing(2.0 * phase + 0.25)
    _go(pose, moments, phase, 4.6 * _LEG * float(np.sin(size)))
    return pose


def skip(moments: Moments, rng: np.random.Generator) -> Pose:
    """Skip: a hop on either foot in turn, the other knee drawn up high, arms swinging wide."""
    pose = stand(moments, rng)
    phase = cycles(moments, rng, 0.75, 1.1)
    high, arm = rng.uniform(1.2, 1.6), rng.uniform(0.8, 1.5)
    bend = rng.uniform(0.2, 0.7)
    for side, shift in ((0, 0.0), (1, 0.5)):
        # Up for half of the cycle; then the leg carries the other knee's hop, straight.
        up = np.maximum(0.0, np.sin(TURN * (phase + shift))) ** 0.8
        pose.legs[:, side, FLEX] = high * up - 0.12
        pose.legs[:, side, KNEE] = 0.1 + 1.5 * up
        pose.arms[:, 1 - side, FLEX] = arm * up - 0.35
        pose.arms[:, 1 - side, ELBOW] = bend + 0.3 * up
    pose.lift[:] = rng.uniform(0.07, 0.14) * swing(2.0 * phase)
    pose.torso[:, PITCH] = rng.uniform(-0.05, 0.1)
    pose.planted[:] = 0.0
    _go(pose, moments, phase, rng.uniform(0.9, 1.5))
    return pose


def side_step(moments: Moments, rng: np.random.Generator) -> Pose:
    """Side-step: one foot out to the side, the other drawn after it, again and again."""
    pose = stand(moments, rng)
    phase = cycles(moments, rng, 0.7, 1.3)
    wide = rng.uniform(0.28, 0.45)
    apart = swing(phase)
    pose.legs[:, :, ABDUCT] = (0.03 + wide * apart)[:, None]
    pose.legs[:, :, KNEE] = rng.uniform(0.1, 0.35)
    pose.legs[:, :, FLEX] = 0.5 * pose.legs[:, :, KNEE]
    pose.lift[:] = rng.uniform(0.0, 0.03) * swing(2.0 * phase)
    if rng.random() < 0.5:  # arms held before the body, as in defence
        pose.arms[:, :, FLEX] = rng.uniform(0.3, 0.9)
        pose.arms[:, :, ELBOW] = rng.uniform(0.8, 1.6)
    pose.arms[:, :, ABDUCT] += (rng.uniform(0.0, 0.3) * apart)[:, None]
    pose.planted[:] = 0.0
    _go(pose, moments, phase, 2.0 * _LEG * float(np.sin(wide)))
    pose.travel[:, 0] = pose.travel[:, 1] * rng.choice([-1.0, 1.0])
    if rng.random() < 0.3:  # there and back
        reach = rng.uniform(0.4, 0.9)
        pose.travel[:, 0] = reach * np.arcsin(np.sin(pose.travel[:, 0] / reach)) / (0.5 * np.pi)
    pose.travel[:, 1] = 0.0
    return pose


def turn_around(moments: Moments, rng: np.random.Generator) -> Pose:
    """Turn around on the spot until the back is where the front was, in small steps."""
    pose = stand(moments, rng)
    done, under_way = once(moments, rng, 0.8, 2.2)
    angle = rng.choice([-1.0, 1.0]) * rng.uniform(0.85, 1.1) * np.pi
    pose.body[:, HEADING] = angle * done
    pose.torso[:, HEADING] = 0.35 * np.sign(angle) * np.sin(np.pi * done)  # shoulders go first
    steps = rng.integers(2, 4) * done
    busy = np.sin(np.pi * done)
    for side, shift in ((0, 0.0), (1, 0.5)):
        up = busy * np.maximum(0.0, np.sin(TURN * (steps + shift)))
        pose.legs[:, side, FLEX] += 0.45 * up
        pose.legs[:, side, KNEE] += 0.8 * up
    pose.planted[:] = 0.0
    pose.deciding[:] = under_way
    return pose
