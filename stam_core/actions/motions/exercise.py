"""Jump, jumping jacks, squat, kick, punch, throw."""

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
    TWIST,
    Moments,
    blend,
    bout,
    cycles,
    smooth_step,
    stand,
    swing,
)

if TYPE_CHECKING:
    from stam_core.actions.skeleton import Pose


def jump(moments: Moments, rng: np.random.Generator) -> Pose:
    """Jump on the spot: crouch, leave the floor with both feet, land."""
    pose = stand(moments, rng)
    cycle = cycles(moments, rng, 0.55, 1.1) % 1.0
    crouch = swing(np.clip(cycle / 0.45, 0.0, 1.0)) + 0.5 * swing(
        np.clip((cycle - 0.75) / 0.25, 0.0, 1.0)
    )
    air = np.clip((cycle - 0.4) / 0.38, 0.0, 1.0)
    flight = 4.0 * air * (1.0 - air)
    depth = rng.uniform(0.6, 1.0)
    pose.lift[:] = rng.uniform(0.14, 0.30) * flight
    pose.legs[:, :, FLEX] = (0.9 * depth * crouch + rng.uniform(0.0, 0.35) * flight)[:, None]
    pose.legs[:, :, KNEE] = (1.3 * depth * crouch + rng.uniform(0.1, 0.8) * flight)[:, None]
    pose.legs[:, :, ABDUCT] = rng.uniform(0.02, 0.08)
    pose.torso[:, PITCH] += 0.5 * depth * crouch
    pose.arms[:, :, FLEX] = (-0.6 * crouch + rng.uniform(0.6, 2.6) * flight)[:, None]
    pose.deciding[:] = (cycle > 0.25) & (cycle < 0.9)
    return pose


def jumping_jacks(moments: Moments, rng: np.random.Generator) -> Pose:
    """Jumping jacks: arms over the head as the legs spread, and back."""
    pose = stand(moments, rng)
    phase = cycles(moments, rng, 0.6, 1.25)
    level, pose.deciding[:] = bout(moments, rng, whole=0.75)
    spread = level * swing(phase)
    pose.arms[:, :, ABDUCT] = (0.15 + rng.uniform(2.2, 2.8) * spread)[:, None]
    pose.arms[:, :, ELBOW] = rng.uniform(0.05, 0.5)
    pose.arms[:, :, FLEX] = rng.uniform(0.0, 0.15)
    pose.legs[:, :, ABDUCT] = (0.03 + rng.uniform(0.32, 0.55) * spread)[:, None]
    pose.lift[:] = rng.uniform(0.02, 0.06) * level * swing(2.0 * phase)
    return pose


def squat(moments: Moments, rng: np.random.Generator) -> Pose:
    """Squats: down until the thighs are level, and up again."""
    pose = stand(moments, rng)
    low = swing(cycles(moments, rng, 0.3, 0.65))
    depth = rng.uniform(0.8, 1.1)
    pose.legs[:, :, FLEX] = (1.75 * depth * low)[:, None]
    pose.legs[:, :, KNEE] = (2.1 * depth * low)[:, None]
    pose.legs[:, :, ABDUCT] = rng.uniform(0.1, 0.25)
    pose.torso[:, PITCH] += 0.45 * depth * low
    arms = rng.random()
    if arms < 0.6:  # stretched out forward as the body goes down
        pose.arms[:, :, FLEX] += (rng.uniform(1.2, 1.9) * low)[:, None]
    elif arms < 0.8:  # hands at the neck
        pose.arms[:, :, ABDUCT], pose.arms[:, :, ELBOW] = 1.7, 2.3
        pose.arms[:, :, TWIST] = 0.5 * np.pi
    else:  # hands together at the chest
        pose.arms[:, :, FLEX], pose.arms[:, :, ELBOW] = 0.6, 1.9
        pose.arms[:, :, TWIST] = -0.6
    pose.deciding[:] = low > 0.3
    return pose


def kick(moments: Moments, rng: np.random.Generator) -> Pose:
    """Kick forward: the leg drawn back, thrown up straight, and set down."""
    pose = stand(moments, rng)
    leg = int(rng.integers(2))
    cycle = cycles(moments, rng, 0.5, 1.0) % 1.0
    back = swing(np.clip(cycle / 0.45, 0.0, 1.0))
    out = swing(np.clip((cycle - 0.3) / 0.6, 0.0, 1.0))
    pose.legs[:, leg, FLEX] = rng.uniform(1.15, 1.75) * out - 0.5 * back
    pose.legs[:, leg, KNEE] = 0.1 + 1.1 * back
    pose.legs[:, 1 - leg, KNEE] = 0.1 + 0.2 * out
    pose.legs[:, 1 - leg, FLEX] = 0.1 * out
    pose.torso[:, PITCH] += -0.35 * out + 0.15 * back
    pose.arms[:, :, ABDUCT] = rng.uniform(0.2, 0.7)
    pose.arms[:, :, ELBOW] = rng.uniform(0.3, 1.3)
    pose.arms[:, 1 - leg, FLEX] = 0.7 * out
    pose.planted[:] = 0.0
    pose.planted[:, 1 - leg] = 1.0
    pose.deciding[:] = (cycle > 0.15) & (cycle < 0.9)
    return pose


def punch(moments: Moments, rng: np.random.Generator) -> Pose:
    """Punch: fists at the chin, one arm thrust straight forward after the other, a foot ahead."""
    pose = stand(moments, rng)
    phase = cycles(moments, rng, 0.7, 1.5)
    level, pose.deciding[:] = bout(moments, rng, whole=0.7)
    front = int(rng.integers(2))
    arms = pose.arms.copy()
    for side, shift in ((0, 0.0), (1, 0.5)):
        # A fast thrust, then the guard again: the power narrows the bump.
        out = swing(phase + shift) ** 1.6
        arms[:, side, FLEX] = 0.75 + 0.8 * out
        arms[:, side, ABDUCT] = 0.15 - 0.2 * out
        arms[:, side, TWIST] = -0.25
        arms[:, side, ELBOW] = 2.3 - 2.2 * out
    pose.arms[:] = blend(pose.arms, arms, level)
    pose.torso[:, HEADING] = level * rng.uniform(0.3, 0.5) * np.cos(TURN * phase)
    pose.torso[:, PITCH] += rng.uniform(0.05, 0.2)
    pose.legs[:, front, FLEX] = rng.uniform(0.3, 0.5)
    pose.legs[:, 1 - front, FLEX] = -rng.uniform(0.2, 0.4)
    pose.legs[:, :, KNEE] = rng.uniform(0.2, 0.5)
    pose.travel[:, 1] = rng.uniform(0.0, 0.25) * (moments.share() - 0.5)
    return pose


def throw(moments: Moments, rng: np.random.Generator) -> Pose:
    """Throw overarm, once: draw the arm back behind the head, step, whip it forward, let go."""
    pose = stand(moments, rng)
    length = min(rng.uniform(0.9, 1.8), 0.75 * moments.duration)
    start = (moments.duration - length) * rng.uniform(0.15, 0.85)
    q = (moments.seconds - start) / length
    back = smooth_step(q / 0.5) * (1.0 - smooth_step((q - 0.5) / 0.16))
    through = smooth_step((q - 0.5) / 0.2) * (1.0 - smooth_step((q - 0.74) / 0.26))
    arm = int(rng.integers(2))
    sign = 1.0 if arm == 0 else -1.0
    pose.arms[:, arm, ABDUCT] += rng.uniform(1.5, 1.9) * back + 0.15 * through
    pose.arms[:, arm, TWIST] = 0.5 * np.pi * back
    pose.arms[:, arm, ELBOW] += rng.uniform(1.2, 1.7) * back
    pose.arms[:, arm, FLEX] += -0.35 * back + rng.uniform(1.2, 1.7) * through
    pose.arms[:, 1 - arm, FLEX] += rng.uniform(0.6, 1.3) * back - 0.3 * through
    pose.torso[:, HEADING] = sign * (-0.7 * back + 0.6 * through)
    pose.torso[:, PITCH] += -0.15 * back + 0.4 * through
    stride = smooth_step((q - 0.25) / 0.35) * (1.0 - smooth_step((q - 0.85) / 0.3))
    pose.legs[:, 1 - arm, FLEX] += rng.uniform(0.3, 0.55) * stride
    pose.legs[:, arm, FLEX] -= 0.35 * stride
    pose.legs[:, :, KNEE] += (0.2 * stride)[:, None]
    pose.deciding[:] = (q > 0.1) & (q < 0.95)
    release = start + 0.64 * length
    return pose.throwing(arm=arm, release=release, held=moments.seconds < release)
