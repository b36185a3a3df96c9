"""An articulated body: joint angles over time in, 3D joints out (forward kinematics).

Axes of the body: x to the person's left, y up, z forward. Lengths are fractions of the person's
height, angles radians.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

JOINTS = (
    "pelvis",
    "neck",
    "head",
    "left shoulder",
    "left elbow",
    "left wrist",
    "right shoulder",
    "right elbow",
    "right wrist",
    "left hip",
    "left knee",
    "left ankle",
    "left toe",
    "right hip",
    "right knee",
    "right ankle",
    "right toe",
)
JOINT_INDEX = {name: index for index, name in enumerate(JOINTS)}
# Joints after mirroring a picture left to right: the left elbow takes the right elbow's place and
# so on.
MIRRORED_JOINTS = tuple(
    JOINT_INDEX[
        name.replace("left", "right") if name.startswith("left") else name.replace("right", "left")
    ]
    for name in JOINTS
)
_SIDES = ((0, "left", 1.0), (1, "right", -1.0))
_DOWN = np.array([0.0, -1.0, 0.0])
_FORWARD = np.array([0.0, 0.0, 1.0])
_UP = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True)
class Body:
    """Lengths and thicknesses of one person, as fractions of body height."""

    torso: float = 0.30
    neck_to_head: float = 0.115
    shoulder_half_width: float = 0.105
    hip_half_width: float = 0.055
    upper_arm: float = 0.165
    forearm: float = 0.160  # to the middle of the hand
    thigh: float = 0.245
    shin: float = 0.235
    foot: float = 0.085
    girth: float = 1.0  # multiplies every thickness


@dataclass(frozen=True, eq=False)
class Thing:
    """What a person takes, puts down or throws, and when."""

    kind: Literal["carried", "thrown"]
    hands: tuple[int, ...]  # 0 left, 1 right
    moment: float  # seconds: the hands close around it, or let it go
    held: NDArray[np.bool_]  # [T] in the hands

    def backwards(self, duration: float) -> Thing:
        """The same in a clip of `duration` seconds played from its end; `held` goes by moment."""
        return replace(self, moment=duration - self.moment)


@dataclass(frozen=True, eq=False)
class Pose:
    """Joint angles of T frames. Motions fill the arrays of a fresh `Pose.standing`."""

    body: NDArray[np.float64]  # [T,3] whole body: pitch (forward), roll (to the left), heading
    torso: NDArray[np.float64]  # [T,3] above the hips: pitch, roll, twist
    arms: NDArray[
        np.float64
    ]  # [T,2,4] left, right: flex (forward), abduct (sideways), twist, elbow
    legs: NDArray[np.float64]  # [T,2,3] left, right: flex (forward), abduct (sideways), knee
    lift: NDArray[np.float64]  # [T] height of the lowest point above the floor
    travel: NDArray[np.float64]  # [T,2] displacement over the floor: left, forward
    planted: NDArray[
        np.float64
    ]  # [T,2] how much the left and right foot stay in place; rows sum to <= 1
    deciding: NDArray[np.bool_]  # [T] the action is under way: without these it cannot be told
    thing: Thing | None = None

    @classmethod
    def standing(cls, num_frames: int) -> Pose:
        """Upright, arms and legs straight, both feet planted, for `num_frames` frames."""
        return cls(
            body=np.zeros((num_frames, 3)),
            torso=np.zeros((num_frames, 3)),
            arms=np.zeros((num_frames, 2, 4)),
            legs=np.zeros((num_frames, 2, 3)),
            lift=np.zeros(num_frames),
            travel=np.zeros((num_frames, 2)),
            planted=np.full((num_frames, 2), 0.5),
            deciding=np.ones(num_frames, dtype=np.bool_),
        )

    def taking(self, *, hands: tuple[int, ...], grasp: float, held: NDArray[np.bool_]) -> Pose:
        """The same pose, taking something from the floor at the second `grasp`."""
        return replace(self, thing=Thing("carried", hands, grasp, held))

    def throwing(self, *, arm: int, release: float, held: NDArray[np.bool_]) -> Pose:
        """The same pose, letting a ball go from the hand `arm` at the second `release`."""
        return replace(self, thing=Thing("thrown", (arm,), release, held))


def _rotation(axis: int, angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Right-handed rotations about one axis, [T,3,3]."""
    matrix = np.zeros((len(angle), 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[:, axis, axis] = 1.0
    matrix[:, i, i] = matrix[:, j, j] = np.cos(angle)
    matrix[:, j, i] = np.sin(angle)
    matrix[:, i, j] = -matrix[:, j, i]
    return matrix


def _limb_frames(
    base: NDArray[np.float64], angles: NDArray[np.float64], side: float
) -> NDArray[np.float64]:
    """Orientation [T,3,3] of an upper limb.

    Abducted first, then flexed, so that abducting an arm that points forward spreads it.
    """
    return base @ _rotation(0, -angles[:, 0]) @ _rotation(2, side * angles[:, 1])


def place_joints(pose: Pose, body: Body) -> NDArray[np.float64]:
    """Forward kinematics: joints in space, floor at y = 0.

    The body is set down so that its lowest joint touches the floor (plus `pose.lift`), which makes
    crouching, sitting and lying fall out of the joint angles alone; planted feet then fix where it
    stands.

    Returns:
        [T,J,3] positions (left, up, forward) as fractions of body height.
    """
    num_frames = len(pose.lift)
    joints = np.zeros((num_frames, len(JOINTS), 3))
    whole = _rotation(1, pose.body[:, 2])
    whole = whole @ _rotation(0, pose.body[:, 0]) @ _rotation(2, -pose.body[:, 1])
    torso = whole @ _rotation(1, pose.torso[:, 2]) @ _rotation(0, pose.torso[:, 0])
    torso = torso @ _rotation(2, -pose.torso[:, 1])

    joints[:, JOINT_INDEX["neck"]] = torso @ (body.torso * _UP)
    joints[:, JOINT_INDEX["head"]] = torso @ np.array(
        [0.0, body.torso + body.neck_to_head, 0.15 * body.neck_to_head]
    )
    for index, name, side in _SIDES:
        _place_arm(joints, torso, pose.arms[:, index], body, name, side)
        _place_leg(joints, whole, pose.legs[:, index], body, name, side)
    return _set_down(joints, pose)


def _place_arm(
    joints: NDArray[np.float64],
    torso: NDArray[np.float64],
    angles: NDArray[np.float64],
    body: Body,
    name: str,
    side: float,
) -> None:
    """Write shoulder, elbow and wrist of one arm into `joints`."""
    upper = _limb_frames(torso, angles, side) @ _rotation(1, side * angles[:, 2])
    shoulder = torso @ np.array([side * body.shoulder_half_width, 0.93 * body.torso, 0.0])
    elbow = shoulder + upper @ (body.upper_arm * _DOWN)
    wrist = elbow + upper @ _rotation(0, -angles[:, 3]) @ (body.forearm * _DOWN)
    for joint, place in (("shoulder", shoulder), ("elbow", elbow), ("wrist", wrist)):
        joints[:, JOINT_INDEX[f"{name} {joint}"]] = place


def _place_leg(
    joints: NDArray[np.float64],
    whole: NDArray[np.float64],
    angles: NDArray[np.float64],
    body: Body,
    name: str,
    side: float,
) -> None:
    """Write hip, knee, ankle and toe of one leg into `joints`."""
    upper = _limb_frames(whole, angles, side)
    hip = whole @ np.array([side * body.hip_half_width, -0.02, 0.0])
    knee = hip + upper @ (body.thigh * _DOWN)
    ankle = knee + upper @ _rotation(0, angles[:, 2]) @ (body.shin * _DOWN)
    # The ankle gives half of what hip and knee turn the foot: flat in a squat, toe down in a
    # stride.
    foot = whole @ _rotation(0, 0.5 * (angles[:, 2] - angles[:, 0]))
    toe = ankle + foot @ (body.foot * _FORWARD - 0.02 * _UP)
    for joint, place in (("hip", hip), ("knee", knee), ("ankle", ankle), ("toe", toe)):
        joints[:, JOINT_INDEX[f"{name} {joint}"]] = place


def _set_down(joints: NDArray[np.float64], pose: Pose) -> NDArray[np.float64]:
    """Put the lowest joint on the floor and the planted feet where they were at rest."""
    ankles = joints[:, [JOINT_INDEX["left ankle"], JOINT_INDEX["right ankle"]]]  # [T,2,3]
    held = (ankles * pose.planted[:, :, None]).sum(axis=1)  # [T,3]
    offset = np.zeros((len(joints), 3))
    offset[:, 0] = pose.travel[:, 0] - held[:, 0]
    offset[:, 2] = pose.travel[:, 1] - held[:, 2]
    offset[:, 1] = pose.lift - joints[:, :, 1].min(axis=1) + 0.03
    placed: NDArray[np.float64] = joints + offset[:, None, :]
    return placed
