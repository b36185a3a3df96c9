"""One short function per action: where in the clip we are -> joint angles.

Every function takes `u` [T], the time of each frame as a fraction of the clip in [0,1], and a
generator that settles the manner (speed, size, side); the pose at a moment depends on that moment
alone. So `action(1 - u)` with an equally seeded generator is the same motion backwards, exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from stam_core.actions.skeleton import Pose

if TYPE_CHECKING:
    from numpy.typing import NDArray

Motion = Callable[["NDArray[np.float64]", np.random.Generator], Pose]
_TURN = 2.0 * np.pi
FLEX, ABDUCT, TWIST, ELBOW = 0, 1, 2, 3  # columns of Pose.arms
KNEE = 2  # column of Pose.legs, after FLEX and ABDUCT
PITCH, ROLL, HEADING = 0, 1, 2  # columns of Pose.body and Pose.torso


def _stand(u: NDArray[np.float64], rng: np.random.Generator) -> Pose:
    """At ease: arms hanging, feet apart a little, swaying slightly."""
    pose = Pose.standing(len(u))
    pose.arms[:, :, ABDUCT] = rng.uniform(0.08, 0.25)
    pose.arms[:, :, ELBOW] = rng.uniform(0.1, 0.4)
    pose.arms[:, :, FLEX] = rng.uniform(-0.05, 0.15)
    pose.legs[:, :, ABDUCT] = rng.uniform(0.02, 0.14)
    pose.legs[:, :, KNEE] = rng.uniform(0.0, 0.12)
    sway = np.sin(_TURN * (rng.uniform(0.5, 1.5) * u + rng.random()))
    pose.torso[:, ROLL] = rng.uniform(0.0, 0.04) * sway
    pose.torso[:, PITCH] = rng.uniform(-0.02, 0.08) + rng.uniform(0.0, 0.03) * sway
    return pose


def _ease(
    u: NDArray[np.float64], rng: np.random.Generator, shortest: float, longest: float
) -> NDArray[np.float64]:
    """0 before, 1 after, smooth between: one transition that lies well inside the clip."""
    length = rng.uniform(shortest, longest)
    margin = 1.0 - length
    start = margin * rng.uniform(0.2, 0.8)
    q = np.clip((u - start) / length, 0.0, 1.0)
    return q * q * (3.0 - 2.0 * q)


def _phase(
    u: NDArray[np.float64], rng: np.random.Generator, fewest: float, most: float
) -> NDArray[np.float64]:
    """Cycles done so far, [T]; a random number of them in the clip, from a random start."""
    return rng.uniform(fewest, most) * u + rng.random()


def _swing(phase: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 at whole cycles, 1 half way, smooth."""
    return 0.5 - 0.5 * np.cos(_TURN * phase)


def _stride(
    pose: Pose, phase: NDArray[np.float64], size: float, knee: float, arm: float, elbow: float
) -> None:
    """Legs in turn, each knee bending while its leg comes forward, arms opposite."""
    for side, shift in ((0, 0.0), (1, 0.5)):
        angle = _TURN * (phase + shift)
        pose.legs[:, side, FLEX] = size * (np.sin(angle) + 0.2)
        pose.legs[:, side, KNEE] = 0.1 + knee * np.maximum(0.0, np.cos(angle)) ** 1.3
        pose.arms[:, side, FLEX] = -arm * np.sin(angle)
        pose.arms[:, side, ELBOW] = elbow + 0.25 * arm * -np.sin(angle)
    pose.planted[:] = 0.0


def walk(u: NDArray[np.float64], rng: np.random.Generator) -> Pose:
    """Walk: one foot always down, arms nearly straight."""
    pose = _stand(u, rng)
    phase = _phase(u, rng, 1.8, 3.6)
    _stride(
        pose, phase, rng.uniform(0.38, 0.55), rng.uniform(0.5, 0.9), rng.uniform(0.3, 0.6), 0.25
    )
    pose.torso[:, PITCH] = rng.uniform(0.0, 0.1)
    pose.travel[:, 1] = rng.uniform(0.0, 0.9) * (u - 0.5)
    return pose


def run(u: NDArray[np.float64], rng: np.random.Generator) -> Pose:
    """Run: leaning, elbows bent, knees high, a moment in the air twice per cycle."""
    pose = _stand(u, rng)
    phase = _phase(u, rng, 3.0, 5.0)
    _stride(pose, phase, rng.uniform(0.7, 0.95), rng.uniform(1.3, 1.9), rng.uniform(0.7, 1.1), 1.6)
    pose.torso[:, PITCH] = rng.uniform(0.15, 0.35)
    pose.lift[:] = rng.uniform(0.03, 0.07) * _swing(2.0 * phase + 0.25)
    pose.travel[:, 1] = rng.uniform(0.0, 1.1) * (u - 0.5)
    return pose


def jump(u: NDArray[np.float64], rng: np.random.Generator) -> Pose:
    """Jump on the spot: crouch, leave the floor with both feet, land."""
    pose = _stand(u, rng)
    cycle = _phase(u, rng, 1.4, 3.2) % 1.0
    crouch = _swing(np.clip(cycle / 0.45, 0.0, 1.0)) + 0.5 * _swing(
        np.clip((cycle - 0.75) / 0.25, 0.0, 1.0)
    )
    air = np.clip((cycle - 0.4) / 0.38, 0.0, 1.0)
    flight = 4.0 * air * (1.0 - air)
    depth = rng.uniform(0.7, 1.0)
    pose.lift[:] = rng.uniform(0.16, 0.30) * flight
    pose.legs[:, :, FLEX] = (0.9 * depth * crouch + rng.uniform(0.0, 0.35) * flight)[:, None]
    pose.legs[:, :, KNEE] = (1.3 * depth * crouch + rng.uniform(0.1, 0.8) * flight)[:, None]
    pose.legs[:, :, ABDUCT] = rng.uniform(0.02, 0.08)
    pose.torso[:, PITCH] += 0.5 * depth * crouch
    pose.arms[:, :, FLEX] = (-0.6 * crouch + rng.uniform(0.6, 2.6) * flight)[:, None]
    return pose


def jumping_jacks(u: NDArray[np.float64], rng: np.random.Generator) -> Pose:
    """Jumping jacks: arms over the head as the legs spread, and back."""
    pose = _stand(u, rng)
    phase = _phase(u, rng, 1.8, 4.0)
    spread = _swing(phase)
    pose.arms[:, :, ABDUCT] = (0.15 + rng.uniform(2.3, 2.8) * spread)[:, None]
    pose.arms[:, :, ELBOW] = rng.uniform(0.05, 0.3)
    pose.arms[:, :, FLEX] = rng.uniform(0.0, 0.1)
    pose.legs[:, :, ABDUCT] = (0.03 + rng.uniform(0.35, 0.55) * spread)[:, None]
    pose.lift[:] = rng.uniform(0.02, 0.06) * _swing(2.0 * phase)
    return pose


def _raise_waving(
    pose: Pose,
    sides: list[int],
    phase: NDArray[np.float64],
    rng: np.random.Generator,
    opposed: float,
) -> None:
    """Hold the hands of `sides` above the shoulder and swing the forearms from side to side."""
    high, bend, size = rng.uniform(1.3, 2.2), rng.uniform(0.7, 1.3), rng.uniform(0.4, 0.65)
    for side in sides:
        swing = np.sin(_TURN * (phase + opposed * side))
        pose.arms[:, side, FLEX] = rng.uniform(0.0, 0.2)
        pose.arms[:, side, ABDUCT] = high + 0.25 * size * swing
        pose.arms[:, side, TWIST] = 0.5 * np.pi
        pose.arms[:, side, ELBOW] = bend + size * swing


def wave_one_hand(u: NDArray[np.float64], rng: np.random.Generator) -> Pose:
    """Wave with the left or the right hand, the other hanging."""
    pose = _stand(u, rng)
    _raise_waving(pose, [int(rng.integers(2))], _phase(u, rng, 2.0, 4.5), rng, 0.0)
    return pose


def wave_two_hands(u: NDArray[np.float64], rng: np.random.Generator) -> Pose:
    """Wave with both hands, in step or in turn."""
    pose = _stand(u, rng)
    _raise_waving(pose, [0, 1], _phase(u, rng, 2.0, 4.5), rng, float(rng.choice([0.0, 0.5])))
    return pose


def bend_down(u: NDArray[np.float64], rng: np.random.Generator) -> Pose:
    """Bend at the hips until the hands are near the floor, legs almost straight, and stay."""
    pose = _stand(u, rng)
    done = _ease(u, rng, 0.35, 0.65)
    pitch = rng.uniform(1.5, 1.95) * done
    pose.torso[:, PITCH] += pitch
    pose.body[:, PITCH] = -0.12 * done
    pose.arms[:, :, FLEX] += (rng.uniform(0.85, 1.1) * pitch)[:, None]
    pose.arms[:, :, ABDUCT] *= (1.0 - 0.7 * done)[:, None]
    pose.legs[:, :, KNEE] += (rng.uniform(0.05, 0.35) * done)[:, None]
    pose.legs[:, :, FLEX] = (0.12 * done)[:, None]
    return pose


def squat(u: NDArray[np.float64], rng: np.random.Generator) -> Pose:
    """Squats: down until the thighs are level, arms forward, and up again."""
    pose = _stand(u, rng)
    low = _swing(_phase(u, rng, 1.2, 2.8))
    depth = rng.uniform(0.85, 1.1)
    pose.legs[:, :, FLEX] = (1.75 * depth * low)[:, None]
    pose.legs[:, :, KNEE] = (2.1 * depth * low)[:, None]
    pose.legs[:, :, ABDUCT] = rng.uniform(0.1, 0.25)
    pose.torso[:, PITCH] += 0.45 * depth * low
    pose.arms[:, :, FLEX] += (rng.uniform(1.2, 1.9) * low)[:, None]
    return pose


def kick(u: NDArray[np.float64], rng: np.random.Generator) -> Pose:
    """Kick forward: the leg drawn back, thrown up straight, and set down."""
    pose = _stand(u, rng)
    leg = int(rng.integers(2))
    cycle = _phase(u, rng, 1.3, 2.8) % 1.0
    back = _swing(np.clip(cycle / 0.45, 0.0, 1.0))
    out = _swing(np.clip((cycle - 0.3) / 0.6, 0.0, 1.0))
    pose.legs[:, leg, FLEX] = rng.uniform(1.2, 1.75) * out - 0.5 * back
    pose.legs[:, leg, KNEE] = 0.1 + 1.1 * back
    pose.legs[:, 1 - leg, KNEE] = 0.1 + 0.2 * out
    pose.legs[:, 1 - leg, FLEX] = 0.1 * out
    pose.torso[:, PITCH] += -0.35 * out + 0.15 * back
    pose.arms[:, :, ABDUCT] = rng.uniform(0.3, 0.7)
    pose.arms[:, :, ELBOW] = rng.uniform(0.3, 0.9)
    pose.arms[:, 1 - leg, FLEX] = 0.7 * out
    pose.planted[:] = 0.0
    pose.planted[:, 1 - leg] = 1.0
    return pose


def punch(u: NDArray[np.float64], rng: np.random.Generator) -> Pose:
    """Punch: fists at the chin, one arm thrust straight forward after the other, a foot ahead."""
    pose = _stand(u, rng)
    phase = _phase(u, rng, 1.4, 3.0)
    front = int(rng.integers(2))
    for side, shift in ((0, 0.0), (1, 0.5)):
        # A fast thrust, then the guard again: the power narrows the bump.
        out = _swing(phase + shift) ** 1.6
        pose.arms[:, side, FLEX] = 0.75 + 0.8 * out
        pose.arms[:, side, ABDUCT] = 0.15 - 0.2 * out
        pose.arms[:, side, TWIST] = -0.25
        pose.arms[:, side, ELBOW] = 2.3 - 2.2 * out
    pose.torso[:, HEADING] = rng.uniform(0.3, 0.5) * np.cos(_TURN * phase)
    pose.torso[:, PITCH] += rng.uniform(0.05, 0.2)
    pose.legs[:, front, FLEX] = rng.uniform(0.3, 0.5)
    pose.legs[:, 1 - front, FLEX] = -rng.uniform(0.2, 0.4)
    pose.legs[:, :, KNEE] = rng.uniform(0.25, 0.5)
    pose.travel[:, 1] = rng.uniform(0.0, 0.25) * (u - 0.5)
    return pose


def sit_down(u: NDArray[np.float64], rng: np.random.Generator) -> Pose:
    """Sit down as on a stool: lean forward, lower the hips behind the feet, sit upright."""
    pose = _stand(u, rng)
    done = _ease(u, rng, 0.35, 0.65)
    pose.legs[:, :, FLEX] = (rng.uniform(1.4, 1.6) * done)[:, None]
    pose.legs[:, :, KNEE] += (rng.uniform(1.4, 1.6) * done)[:, None]
    pose.torso[:, PITCH] += rng.uniform(0.5, 0.9) * np.sin(np.pi * done)
    pose.arms[:, :, FLEX] += (0.45 * done)[:, None]
    pose.arms[:, :, ELBOW] += (rng.uniform(0.5, 0.9) * done)[:, None]
    return pose


def fall_down(u: NDArray[np.float64], rng: np.random.Generator) -> Pose:
    """Fall forward, backward or to a side, arms thrown out, and lie there."""
    pose = _stand(u, rng)
    done = _ease(u, rng, 0.3, 0.55)
    angle = rng.uniform(1.4, 1.6) * done**1.3
    way = int(rng.integers(4))
    if way < 2:
        pose.body[:, PITCH] = angle if way == 0 else -angle
    else:
        pose.body[:, ROLL] = angle if way == 2 else -angle
    buckle = np.sin(np.pi * done)
    pose.legs[:, :, KNEE] += (rng.uniform(0.5, 1.1) * buckle)[:, None]
    pose.legs[:, :, FLEX] += (rng.uniform(0.2, 0.6) * buckle)[:, None]
    pose.arms[:, :, ABDUCT] += (rng.uniform(0.5, 1.2) * buckle + rng.uniform(0.0, 0.9) * done)[
        :, None
    ]
    pose.arms[:, :, FLEX] += (rng.uniform(0.5, 1.3) * buckle)[:, None]
    return pose


def clap(u: NDArray[np.float64], rng: np.random.Generator) -> Pose:
    """Clap: both hands in front of the chest, apart and together several times."""
    pose = _stand(u, rng)
    apart = _swing(_phase(u, rng, 2.5, 5.0))
    bend, raised = rng.uniform(1.2, 1.6), rng.uniform(0.5, 1.0)
    wide = rng.uniform(0.9, 1.3)
    pose.arms[:, :, FLEX] = raised
    pose.arms[:, :, ABDUCT] = (0.2 + 0.45 * wide * apart)[:, None]
    pose.arms[:, :, TWIST] = (-0.85 + 1.0 * wide * apart)[:, None]
    pose.arms[:, :, ELBOW] = bend
    return pose


def _backwards(motion: Motion) -> Motion:
    """The same motion from its end to its start."""

    def reverse(u: NDArray[np.float64], rng: np.random.Generator) -> Pose:
        return motion(1.0 - u, rng)

    reverse.__doc__ = f"Backwards in time: {motion.__doc__}"
    return reverse


straighten_up = _backwards(bend_down)
stand_up = _backwards(sit_down)
get_up = _backwards(fall_down)

ACTIONS: dict[str, Motion] = {
    "walk": walk,
    "run": run,
    "jump": jump,
    "jumping jacks": jumping_jacks,
    "wave one hand": wave_one_hand,
    "wave two hands": wave_two_hands,
    "bend down": bend_down,
    "straighten up": straighten_up,
    "squat": squat,
    "kick": kick,
    "punch": punch,
    "sit down": sit_down,
    "stand up": stand_up,
    "fall down": fall_down,
    "get up": get_up,
    "clap": clap,
}
LABELS = tuple(ACTIONS)
# Each is the other played backwards.
TIME_PAIRS = (("bend down", "straighten up"), ("sit down", "stand up"), ("fall down", "get up"))
# Shown from the front half only: from behind, the body hides the hands that carry the action.
HANDS_IN_FRONT = ("clap", "punch", "wave one hand", "wave two hands")
SEATED = ("sit down", "stand up")
