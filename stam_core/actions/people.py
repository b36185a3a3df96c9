"""Who is in a clip: the person who acts, others near by, and what they hold or sit on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stam_core.actions.figure import (
    OTHER_PART,
    Outfit,
    Solids,
    person_solids,
    plain_solids,
    stool_ends,
)
from stam_core.actions.motions import ACTIONS, LOCOMOTION, SEATED, Moments
from stam_core.actions.motions.base import ELBOW, FLEX
from stam_core.actions.skeleton import JOINT_INDEX, Body, Pose, place_joints

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stam_core.actions.camera import View
    from stam_core.actions.scene import Look
    from stam_core.actions.timing import Timing

Hold = dict[int, tuple[float, float]]  # arm (0 left, 1 right): angles of shoulder and elbow
_GRAVITY = 9.81 / 1.7  # body heights per second squared
_INSTANT = 0.02  # seconds between two moments that tell how fast something goes


@dataclass(frozen=True, eq=False)
class Performance:
    """One person doing one action, in body heights, where the camera is not known yet."""

    action: str
    body: Body
    pose: Pose  # as the shutter opens
    local: NDArray[np.float64]  # [2,T,J,3] joints without the way travelled; shutter opens, closes
    speed: NDArray[np.float64]  # [T,J,3] body heights per second, without the way travelled
    path: NDArray[np.float64]  # [T,3] the way travelled over the floor
    grasp: NDArray[np.float64] | None  # [J,3] joints when something is taken or let go

    def turned(self, heading: float) -> Performance:
        """The same, facing another way: `heading` radians to the person's left."""
        turn = turning(np.array(heading))
        return Performance(
            self.action,
            self.body,
            self.pose,
            self.local @ turn,
            self.speed @ turn,
            self.path @ turn,
            None if self.grasp is None else self.grasp @ turn,
        )


def turning(headings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matrices [...,3,3] that turn points (rows) by `headings` [...] radians to their left."""
    cos, sin = np.cos(headings), np.sin(headings)
    none, one = np.zeros_like(cos), np.ones_like(cos)
    rows = ((cos, none, -sin), (none, one, none), (sin, none, cos))
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def perform(
    rng: np.random.Generator, action: str, timing: Timing, *, hold: Hold | None = None
) -> Performance:
    """Somebody does `action`, in a manner that `rng` settles; `hold` has the arms do otherwise."""
    body, manner = _random_body(rng), int(rng.integers(2**62))

    def at(moments: Moments) -> tuple[Pose, NDArray[np.float64], NDArray[np.float64]]:
        pose = ACTIONS[action](moments, np.random.default_rng(manner))
        for side, (flex, elbow) in (hold or {}).items():
            pose.arms[:, side, FLEX] = flex + 0.1 * pose.arms[:, side, FLEX]
            pose.arms[:, side, ELBOW] = elbow
        path = np.stack([pose.travel[:, 0], np.zeros(len(moments)), pose.travel[:, 1]], axis=1)
        return pose, place_joints(pose, body) - path[:, None], path

    opening = timing.opening()
    pose, first, path = at(opening)
    _, last, _ = at(timing.closing())
    _, later, _ = at(Moments(opening.seconds + _INSTANT, opening.duration))
    grasp = None
    if pose.thing is not None:
        grasp = at(Moments(np.array([pose.thing.moment]), opening.duration))[1][0]
    if action in LOCOMOTION:  # where the person is at some moment is where the camera looks
        path = path - path[rng.integers(len(path) // 4, len(path) - len(path) // 4)]
    return Performance(
        action, body, pose, np.stack([first, last]), (later - first) / _INSTANT, path, grasp
    )


def _random_body(rng: np.random.Generator) -> Body:
    """Adult proportions, varied by a tenth or so; now and then a child's."""
    child = float(rng.uniform(0.3, 1.0)) if rng.random() < 0.1 else 0.0
    vary = {
        name: getattr(Body, name) * float(rng.uniform(0.9, 1.1))
        for name in (
            "torso",
            "neck_to_head",
            "shoulder_half_width",
            "upper_arm",
            "forearm",
            "thigh",
            "shin",
            "foot",
        )
    }
    for name in ("thigh", "shin", "upper_arm", "forearm"):
        vary[name] *= 1.0 - 0.12 * child
    girth = float(rng.uniform(0.85, 1.3)) * (1.0 + 0.2 * child)
    return Body(**vary, hip_half_width=float(rng.uniform(0.05, 0.065)), girth=girth)


def furniture(
    rng: np.random.Generator, person: Performance, look: Look, path: NDArray[np.float64]
) -> list[Solids]:
    """A stool or chair under most who sit; now and then one beside somebody who does not."""
    pelvis = person.local[0, :, JOINT_INDEX["pelvis"]]
    chance, aside, height = rng.random(), rng.uniform(0.3, 0.45), rng.uniform(0.2, 0.3)
    sign, back = rng.choice([-1.0, 1.0]), bool(rng.random() < 0.5)
    if person.action in SEATED and chance < 0.75:
        seat = pelvis[int(pelvis[:, 1].argmin())] - np.array([0.0, 0.085, 0.02])
    elif person.action not in SEATED and chance < 0.12:
        seat = np.array([pelvis[0, 0] + sign * aside, height, pelvis[0, 2] - 0.15])
    else:
        return []
    bars, radii = stool_ends(seat, back=back)
    ends = np.broadcast_to(bars, (2, len(path), *bars.shape))
    return [plain_solids(ends, radii, look.colours["stool"], OTHER_PART)]


def held_thing(
    rng: np.random.Generator,
    person: Performance,
    look: Look,
    timing: Timing,
    path: NDArray[np.float64],
) -> list[Solids]:
    """What the person takes, puts down or throws.

    Args:
        rng: settles size and way.
        person: who does it.
        look: colours.
        timing: of the clip.
        path: [T,3] where the person stands.
    """
    thing = person.pose.thing
    if thing is None or person.grasp is None:
        return []
    wrists = [JOINT_INDEX[("left wrist", "right wrist")[hand]] for hand in thing.hands]
    hands = person.local[:, :, wrists].mean(axis=2) + path  # [2,T,3]
    there = person.grasp[wrists].mean(axis=0)  # [3]
    size, flat, pantomime = rng.uniform(0.035, 0.075), rng.random() < 0.4, rng.random()
    if thing.kind == "thrown":
        if pantomime < 0.25:
            return []
        flying = _flight(rng, there, timing.seconds - thing.moment, size)
        place = np.where(thing.held[:, None], hands, flying)  # [2,T,3]
        ends = np.stack([place, place], axis=2)[:, :, None]
    else:
        # Its top is where the hands take it, its foot on the floor.
        drop = np.array([0.0, max(float(there[1]) - size, 0.02), 0.0])
        if flat:
            drop *= 0.3
            there = there * np.array([1.0, 0.0, 1.0]) + drop + np.array([0.0, size, 0.0])
        place = np.where(thing.held[:, None], hands, there)
        ends = np.stack([place, place - drop], axis=2)[:, :, None]
    return [
        plain_solids(ends, np.array([[size, size]]), look.colours["stool"], OTHER_PART, nearer=0.02)
    ]


def _flight(
    rng: np.random.Generator, start: NDArray[np.float64], since: NDArray[np.float64], radius: float
) -> NDArray[np.float64]:
    """Where a ball thrown forward is, [T,3], `since` seconds [T] after it left the hand."""
    velocity = np.array([rng.normal(0.0, 0.4), rng.uniform(0.2, 1.4), rng.uniform(2.5, 5.0)])
    since = np.maximum(since, 0.0)
    place: NDArray[np.float64] = start + since[:, None] * velocity
    place[:, 1] = np.maximum(place[:, 1] - 0.5 * _GRAVITY * since**2, radius)
    return place


def bystanders(
    rng: np.random.Generator,
    person: Performance,
    view: View,
    timing: Timing,
    looks: list[Look],
    gone: NDArray[np.float64],
) -> list[Solids]:
    """Other people: in a crowd and on the move often doing the same, otherwise behind and quiet.

    Args:
        rng: settles everything.
        person: whom the clip is about.
        view: of the camera.
        timing: of the clip.
        looks: one for each of them.
        gone: [T,3] the way that the camera has gone along with the person.
    """
    crowd = view.camera.shot == "crowd"
    across, _, ahead = view.camera.axes()
    away = ahead * np.array([1.0, 0.0, 1.0])
    away /= np.linalg.norm(away)
    people = []
    for look in looks:
        same = person.action in LOCOMOTION and (crowd or rng.random() < 0.6)
        action = person.action if same else str(rng.choice(["idle", "idle", "walk"]))
        other = perform(rng, action, timing)
        if same:
            other = other.turned(np.pi * (rng.random() < 0.25))
        else:
            other = other.turned(rng.uniform(-np.pi, np.pi))
        deep = rng.uniform(-0.5, 4.0) if crowd else rng.uniform(0.8, 5.0)
        aside = rng.uniform(-1.0, 1.0) * (2.4 if crowd else 1.2) * (1.0 + 0.2 * max(deep, 0.0))
        place = aside * across * np.array([1.0, 0.0, 1.0]) + deep * away
        path = place + view.limit_path(other.path, follow=0.0) - gone
        joints = other.local + path[:, None]
        solids = person_solids(joints, other.body, Outfit.random(rng), look)
        solids.values[:] = OTHER_PART
        people.append(solids)
    return people
