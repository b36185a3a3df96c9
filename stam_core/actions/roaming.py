"""People as a camera on a wall sees them: coming in, leaving, turning, standing about."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from stam_core.actions.camera import Camera
from stam_core.actions.motions import ACROSS, LOCOMOTION
from stam_core.actions.people import Hold, Performance, turning
from stam_core.actions.scene import Look

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stam_core.actions.timing import Timing

SECONDS = (1.0, 4.0)  # shortest and longest clip
ACTIONS = (*LOCOMOTION, "idle")  # what people do there
_BUSY = ("walk", "idle")  # in which the hands may be full
_WIDEST_BEND = np.deg2rad(100.0)  # by which a way turns in one clip


def standing_camera(rng: np.random.Generator, camera: Camera, action: str) -> Camera:
    """The same camera where it follows nobody; half look down, many of these along a way in."""
    camera = replace(camera, follow=0.0)
    steep, in_line = rng.random(2)
    if steep > 0.5:
        return camera
    camera = replace(camera, elevation=float(np.deg2rad(rng.uniform(25.0, 55.0))))
    if in_line > 0.4 or action in ACROSS:
        return camera
    return replace(
        camera, azimuth=float(np.pi * rng.integers(2) + np.deg2rad(rng.uniform(-25.0, 25.0)))
    )


def full_hands(rng: np.random.Generator, action: str) -> Hold | None:
    """What a third of those who walk or stand do with one arm or both: carry, read, telephone."""
    if action not in _BUSY:
        return None
    chance, side = rng.random(), int(rng.integers(2))
    angles = rng.uniform((-0.1, 0.7), (0.7, 2.0), (2, 2))
    if chance > 0.35:
        return None
    held = (side,) if chance < 0.2 else (0, 1)
    return {arm: (float(angles[arm, 0]), float(angles[arm, 1])) for arm in held}


def dark_dress(rng: np.random.Generator, look: Look) -> Look:
    """The same look, or, on a third, dark from neck to shoe, so that limbs do not stand out."""
    chance, bare = rng.random(2)
    dark = rng.uniform(0.02, 0.16) + rng.uniform(-0.02, 0.02, 3)
    if chance > 0.35:
        return look
    dressed = ["shirt", "sleeve", "trousers", "shin", "shoe"] + ["forearm"] * int(bare < 0.6)
    return replace(
        look,
        colours=look.colours | {part: dark.clip(0.0, 1.0).astype(np.float32) for part in dressed},
        patterns={},
    )


def roam(rng: np.random.Generator, person: Performance, timing: Timing) -> Performance:
    """The same person on a bent way, who half of the time is only just coming or all but gone."""
    share = timing.seconds / timing.duration - 0.5
    headings = rng.uniform(-1.0, 1.0) * _WIDEST_BEND * share * (person.action in LOCOMOTION)
    turns = turning(headings)
    path = _bent(person.path, headings)
    seen, moment = rng.random(), int(rng.integers(len(path)))
    if seen < 0.5:
        moment = 0 if seen < 0.25 else -1
    return replace(
        person,
        local=np.einsum("ntji,tik->ntjk", person.local, turns),
        speed=np.einsum("tji,tik->tjk", person.speed, turns),
        path=path - path[moment],
    )


def _bent(path: NDArray[np.float64], headings: NDArray[np.float64]) -> NDArray[np.float64]:
    """A way [T,3] whose steps are turned by the headings [T] between which they lie."""
    steps = np.einsum(
        "ti,tik->tk", np.diff(path, axis=0), turning(0.5 * (headings[1:] + headings[:-1]))
    )
    return np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])
