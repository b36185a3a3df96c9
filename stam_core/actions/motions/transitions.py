"""What happens once: bend down, sit down, fall down, pick up; and each of them backwards."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from stam_core.actions.motions.base import (
    ABDUCT,
    ELBOW,
    FLEX,
    KNEE,
    PITCH,
    ROLL,
    TWIST,
    Moments,
    Motion,
    once,
    smooth_step,
    stand,
)

if TYPE_CHECKING:
    from stam_core.actions.skeleton import Pose


def bend_down(moments: Moments, rng: np.random.Generator) -> Pose:
    """Bend at the hips until the hands are near the floor, legs almost straight, and stay."""
    pose = stand(moments, rng)
    done, pose.deciding[:] = once(moments, rng, 0.7, 2.2)
    pitch = rng.uniform(1.35, 1.95) * done
    pose.torso[:, PITCH] += pitch
    pose.body[:, PITCH] = -0.12 * done
    pose.arms[:, :, FLEX] += (rng.uniform(0.85, 1.1) * pitch)[:, None]
    pose.arms[:, :, ABDUCT] *= (1.0 - 0.7 * done)[:, None]
    pose.legs[:, :, KNEE] += (rng.uniform(0.05, 0.35) * done)[:, None]
    pose.legs[:, :, FLEX] = (0.12 * done)[:, None]
    return pose


def sit_down(moments: Moments, rng: np.random.Generator) -> Pose:
    """Sit down as on a stool: lean forward, lower the hips behind the feet, sit upright."""
    pose = stand(moments, rng)
    done, pose.deciding[:] = once(moments, rng, 0.7, 2.0)
    pose.legs[:, :, FLEX] = (rng.uniform(1.35, 1.6) * done)[:, None]
    pose.legs[:, :, KNEE] += (rng.uniform(1.3, 1.65) * done)[:, None]
    pose.torso[:, PITCH] += rng.uniform(0.4, 0.9) * np.sin(np.pi * done)
    pose.torso[:, PITCH] += rng.uniform(-0.15, 0.15) * done
    pose.arms[:, :, FLEX] += (rng.uniform(0.25, 0.55) * done)[:, None]
    pose.arms[:, :, ELBOW] += (rng.uniform(0.4, 0.9) * done)[:, None]
    return pose


def fall_down(moments: Moments, rng: np.random.Generator) -> Pose:
    """Fall forward, backward or to a side, arms thrown out, and lie there."""
    pose = stand(moments, rng)
    done, pose.deciding[:] = once(moments, rng, 0.5, 1.4)
    angle = rng.uniform(1.4, 1.6) * done**1.3
    way = int(rng.integers(4))
    if way < 2:
        pose.body[:, PITCH] = angle if way == 0 else -angle
    else:
        pose.body[:, ROLL] = angle if way == 2 else -angle
    buckle = np.sin(np.pi * done)
    bent = rng.uniform(0.0, 0.9) * done  # lying with the legs drawn up a little
    pose.legs[:, :, KNEE] += (rng.uniform(0.5, 1.1) * buckle + bent)[:, None]
    pose.legs[:, :, FLEX] += (rng.uniform(0.2, 0.6) * buckle + 0.6 * bent)[:, None]
    pose.arms[:, :, ABDUCT] += (rng.uniform(0.5, 1.2) * buckle + rng.uniform(0.0, 0.9) * done)[
        :, None
    ]
    pose.arms[:, :, FLEX] += (rng.uniform(0.5, 1.3) * buckle)[:, None]
    return pose


def pick_up(moments: Moments, rng: np.random.Generator) -> Pose:
    """Pick something up from the floor: bend, take it, and come up with it in the hands."""
    pose = stand(moments, rng)
    length = min(rng.uniform(1.3, 2.8), 0.85 * moments.duration)
    start = (moments.duration - length) * rng.uniform(0.1, 0.9)
    q = (moments.seconds - start) / length
    low = smooth_step(q / 0.45) * (1.0 - smooth_step((q - 0.55) / 0.45))
    grasp = start + 0.5 * length
    up = smooth_step((q - 0.6) / 0.4)
    knees = rng.uniform(0.2, 1.2)  # from a stiff bend to nearly a squat
    pose.legs[:, :, FLEX] += (0.85 * knees * low)[:, None]
    pose.legs[:, :, KNEE] += (1.25 * knees * low)[:, None]
    pitch = (1.75 - 0.45 * knees) * low
    pose.torso[:, PITCH] += pitch
    pose.arms[:, :, FLEX] += (rng.uniform(0.9, 1.1) * pitch)[:, None]
    pose.arms[:, :, ABDUCT] *= (1.0 - 0.6 * low)[:, None]
    both = bool(rng.random() < 0.6)
    hand = int(rng.integers(2))
    carrying = [0, 1] if both else [hand]
    for side in carrying:
        pose.arms[:, side, ELBOW] += rng.uniform(1.0, 1.5) * up
        pose.arms[:, side, FLEX] += 0.25 * up
        pose.arms[:, side, TWIST] = -0.35 * up
    pose.deciding[:] = (q > 0.05) & (q < 0.98)
    return pose.taking(hands=tuple(carrying), grasp=grasp, held=moments.seconds >= grasp)


def backwards(motion: Motion) -> Motion:
    """The same motion from its end to its start."""

    def reverse(moments: Moments, rng: np.random.Generator) -> Pose:
        pose = motion(moments.backwards(), rng)
        if pose.thing is None:
            return pose
        return replace(pose, thing=pose.thing.backwards(moments.duration))

    reverse.__doc__ = f"Backwards in time: {motion.__doc__}"
    return reverse


straighten_up = backwards(bend_down)
stand_up = backwards(sit_down)
get_up = backwards(fall_down)
put_down = backwards(pick_up)
