"""Standing and moving the arms: wave, clap; and standing idle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stam_core.actions.motions.base import (
    ABDUCT,
    ELBOW,
    FLEX,
    HEADING,
    KNEE,
    ROLL,
    TURN,
    TWIST,
    Moments,
    blend,
    bout,
    cycles,
    stand,
    swing,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stam_core.actions.skeleton import Pose


def _wave(moments: Moments, rng: np.random.Generator, sides: list[int]) -> Pose:
    """Raise the hands of `sides`, wave them, and perhaps lower them again."""
    pose = stand(moments, rng)
    level, pose.deciding[:] = bout(moments, rng, whole=0.55)
    arms = pose.arms.copy()
    kind = rng.random()
    opposed = 0.5 if rng.random() < 0.3 else 0.0
    if kind < 0.55:
        _wave_forearms(arms, moments, rng, sides, opposed)
    elif kind < 0.8:
        _wave_whole_arms(arms, moments, rng, sides, opposed)
    else:
        _swing_arms_up(arms, moments, rng, sides)
    pose.arms[:] = blend(pose.arms, arms, level)
    pose.torso[:, ROLL] += rng.uniform(-0.08, 0.08) * level
    return pose


def _wave_forearms(
    arms: NDArray[np.float64],
    moments: Moments,
    rng: np.random.Generator,
    sides: list[int],
    opposed: float,
) -> None:
    """Hands above the elbows, forearms from side to side."""
    phase = cycles(moments, rng, 0.8, 2.2)
    high, bend, size = rng.uniform(0.9, 2.2), rng.uniform(0.7, 1.5), rng.uniform(0.35, 0.65)
    for side in sides:
        across = np.sin(TURN * (phase + opposed * side))
        arms[:, side, FLEX] = rng.uniform(0.0, 0.3)
        arms[:, side, ABDUCT] = high + 0.25 * size * across
        arms[:, side, TWIST] = 0.5 * np.pi
        arms[:, side, ELBOW] = bend + size * across


def _wave_whole_arms(
    arms: NDArray[np.float64],
    moments: Moments,
    rng: np.random.Generator,
    sides: list[int],
    opposed: float,
) -> None:
    """Nearly straight arms overhead, from side to side, as to somebody far away."""
    phase = cycles(moments, rng, 0.6, 1.5)
    high, size = rng.uniform(2.2, 2.7), rng.uniform(0.3, 0.6)
    for side in sides:
        arms[:, side, FLEX] = rng.uniform(-0.1, 0.2)
        arms[:, side, ABDUCT] = high + size * np.sin(TURN * (phase + opposed * side))
        arms[:, side, TWIST] = 0.5 * np.pi
        arms[:, side, ELBOW] = rng.uniform(0.1, 0.5)


def _swing_arms_up(
    arms: NDArray[np.float64], moments: Moments, rng: np.random.Generator, sides: list[int]
) -> None:
    """Straight arms from the thighs out and over the head, and back."""
    up = swing(cycles(moments, rng, 0.35, 0.9))
    top = rng.uniform(2.2, 2.9)
    for side in sides:
        arms[:, side, ABDUCT] = 0.2 + top * up
        arms[:, side, TWIST] = 0.5 * np.pi
        arms[:, side, ELBOW] = rng.uniform(0.05, 0.25) + 0.4 * up


def wave_one_hand(moments: Moments, rng: np.random.Generator) -> Pose:
    """Wave with the left or the right hand, the other hanging."""
    return _wave(moments, rng, [int(rng.integers(2))])


def wave_two_hands(moments: Moments, rng: np.random.Generator) -> Pose:
    """Wave with both hands, in step or in turn."""
    return _wave(moments, rng, [0, 1])


def clap(moments: Moments, rng: np.random.Generator) -> Pose:
    """Clap: both hands in front of the chest, apart and together several times."""
    pose = stand(moments, rng)
    apart = swing(cycles(moments, rng, 0.9, 2.4))
    level, pose.deciding[:] = bout(moments, rng, whole=0.65)
    arms = pose.arms.copy()
    wide = rng.uniform(0.9, 1.3)
    arms[:, :, FLEX] = rng.uniform(0.4, 1.1)
    arms[:, :, ABDUCT] = (0.2 + 0.45 * wide * apart)[:, None]
    arms[:, :, TWIST] = (-0.85 + 1.0 * wide * apart)[:, None]
    arms[:, :, ELBOW] = rng.uniform(1.2, 1.6)
    pose.arms[:] = blend(pose.arms, arms, level)
    return pose


def idle(moments: Moments, rng: np.random.Generator) -> Pose:
    """Stand about: arms hanging, folded, on the hips or behind the back; weight shifting."""
    pose = stand(moments, rng)
    kind = rng.random()
    if kind < 0.15:  # hands on the hips
        pose.arms[:, :, ABDUCT], pose.arms[:, :, ELBOW] = 0.75, 1.7
        pose.arms[:, :, TWIST], pose.arms[:, :, FLEX] = -1.1, -0.3
    elif kind < 0.35:  # arms folded, or hands held before the body
        pose.arms[:, :, FLEX] = rng.uniform(0.2, 0.6)
        pose.arms[:, :, ELBOW] = rng.uniform(1.2, 1.9)
        pose.arms[:, :, TWIST] = rng.uniform(-1.2, -0.8)
    elif kind < 0.45:  # one hand at the head: a telephone
        side = int(rng.integers(2))
        pose.arms[:, side, FLEX], pose.arms[:, side, ELBOW] = 0.7, 2.4
        pose.arms[:, side, ABDUCT] = 0.3
    shift = np.sin(TURN * (rng.uniform(0.05, 0.2) * moments.seconds + rng.random()))
    pose.torso[:, ROLL] += rng.uniform(0.0, 0.06) * shift
    pose.torso[:, HEADING] = rng.uniform(0.0, 0.3) * shift
    pose.legs[:, int(rng.integers(2)), KNEE] += rng.uniform(0.0, 0.25) * (0.5 + 0.5 * shift)
    return pose
