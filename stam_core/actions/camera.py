"""From 3D joints to pixels: a pinhole camera, how it frames a person, follows, and shakes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from stam_core.actions.motions import ACROSS, ARMS_ALONE, HANDS_IN_FRONT, LOCOMOTION

if TYPE_CHECKING:
    from numpy.typing import NDArray

Shot = Literal["whole", "knees", "waist", "crowd"]
# Looking at somebody's front: azimuth 0; from their left: +pi/2.
_WIDEST_OF_HANDS = np.deg2rad(65.0)
_WIDEST_ACROSS = np.deg2rad(50.0)
_NEAREST = 1.7  # body heights: nobody comes closer to the camera
_FARTHEST_OUT = 1.15  # picture sides that somebody who crosses the picture goes to either side


@dataclass(frozen=True, eq=False)
class Handheld:
    """A hand that is not quite still, as shares of the picture's shorter side."""

    pan: tuple[float, float]  # per clip: right, down
    amplitudes: NDArray[np.float64]  # [k,2]
    frequencies: NDArray[np.float64]  # [k] per second
    phases: NDArray[np.float64]  # [k,2]
    zoom: float  # growth over the whole clip, 0 for none

    @classmethod
    def random(cls, rng: np.random.Generator, strength: float) -> Handheld:
        """Half of the cameras stand on something; few pan far."""
        shaking = rng.random() < 0.5
        size = strength * shaking * float(rng.lognormal(np.log(0.006), 0.6))
        far = strength * (0.08 if rng.random() < 0.1 else 0.015)
        return cls(
            pan=(float(rng.normal(0.0, far)), float(rng.normal(0.0, 0.5 * far))),
            amplitudes=size * rng.normal(0.0, 1.0, (3, 2)) / np.array([[1.0], [2.0], [4.0]]),
            frequencies=rng.uniform((0.3, 1.0, 3.0), (1.0, 3.0, 8.0)),
            phases=rng.uniform(0.0, 2.0 * np.pi, (3, 2)),
            zoom=strength * float(rng.normal(0.0, 0.10 if rng.random() < 0.15 else 0.02)),
        )

    def shift(self, seconds: NDArray[np.float64], duration: float) -> NDArray[np.float64]:
        """[T,2] shares of the side by which everything has moved."""
        turns = 2.0 * np.pi * self.frequencies[None, :, None] * seconds[:, None, None]
        shaken: NDArray[np.float64] = (self.amplitudes * np.sin(turns + self.phases)).sum(axis=1)
        panned: NDArray[np.float64] = (seconds / duration - 0.5)[:, None] * np.array(self.pan)
        return shaken + panned


@dataclass(frozen=True, eq=False)
class Camera:
    """Where the camera stands, in radians and body heights; and how it frames the person."""

    azimuth: float
    elevation: float
    roll: float
    distance: float
    shot: Shot
    height_share: float  # a standing person's share of the picture's height
    place: tuple[float, float]  # in [-1,1]: where the person is within the room that is left
    follow: float  # 1: goes along with the person; 0: stands still
    handheld: Handheld

    @classmethod
    def random(cls, rng: np.random.Generator, action: str, strength: float) -> Camera:
        """A view of `action`; at strength 0 near, level and still."""
        shot = _choose_shot(rng, action, strength)
        steep = shot == "crowd" or rng.random() < 0.12 * strength
        moving = action in LOCOMOTION and strength > 0 and rng.random() < 0.45
        return cls(
            azimuth=_choose_azimuth(rng, action),
            elevation=np.deg2rad(rng.uniform(15.0, 50.0) if steep else rng.uniform(-6.0, 18.0)),
            roll=float(rng.normal(0.0, np.deg2rad(2.0))),
            distance=float(rng.uniform(2.8, 7.0)),
            shot=shot,
            height_share=_choose_share(rng, shot, strength),
            place=(float(rng.uniform(-1.0, 1.0)), float(rng.uniform(-1.0, 1.0))),
            follow=0.0 if moving else 1.0,
            handheld=Handheld.random(rng, strength),
        )

    def axes(self) -> NDArray[np.float64]:
        """The camera's right, down and forward axes, [3,3]."""
        sin_a, cos_a = np.sin(self.azimuth), np.cos(self.azimuth)
        sin_e, cos_e = np.sin(self.elevation), np.cos(self.elevation)
        # Seen from the front, the person's left is on the right.
        right = np.array([cos_a, 0.0, -sin_a])
        forward = -np.array([sin_a * cos_e, sin_e, cos_a * cos_e])
        down = np.cross(forward, right)
        sin_r, cos_r = np.sin(self.roll), np.cos(self.roll)
        return np.stack([cos_r * right + sin_r * down, cos_r * down - sin_r * right, forward])

    def look(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Project points [..., 3] to the image plane.

        Returns:
            [..., 2] right and down, at distance 1 as large as in life; and [...] depth in body
            heights.
        """
        seen = (points - np.array([0.0, 0.5, 0.0])) @ self.axes().T
        depth = np.maximum(self.distance + seen[..., 2], 0.3)
        return seen[..., :2] * (self.distance / depth)[..., None], depth

    def frame(self, joints: NDArray[np.float64], *, width: int, height: int) -> View:
        """Choose scale and place for a motion [T,J,3] that stays where it is."""
        plane, _ = self.look(joints)
        side = min(width, height)
        low, high = plane.reshape(-1, 2).min(axis=0), plane.reshape(-1, 2).max(axis=0)
        scale = self.height_share * side
        if self.shot in ("whole", "crowd"):
            extent = high - low + 0.16  # room for the limbs' thickness
            scale = min(scale, 0.99 * side / float(extent.max()))
            room = 0.5 * np.array([width, height]) - 0.5 * scale * extent
            shift = np.array(self.place) * np.maximum(room, 0.0)
            centre = 0.5 * np.array([width, height]) + shift - scale * 0.5 * (low + high)
        else:
            head = plane[:, 2].mean(axis=0)  # skeleton.JOINTS: the head
            target = np.array([0.5 + 0.16 * self.place[0], 0.30 + 0.14 * self.place[1]])
            centre = target * (width, height) - scale * head
        return View(self, scale, (float(centre[0]), float(centre[1])), side)


def _choose_shot(rng: np.random.Generator, action: str, strength: float) -> Shot:
    """Mostly the whole person; the waist up where only arms matter, small crowds where many go."""
    chance = rng.random()
    if strength == 0:
        return "whole"
    if action in ARMS_ALONE and chance < 0.40:
        return "waist" if chance < 0.28 else "knees"
    if action in ("walk", "run", "idle", "punch") and chance < 0.10:
        return "knees"
    if action == "walk" and chance > 0.88:
        return "crowd"
    return "whole"


def _choose_azimuth(rng: np.random.Generator, action: str) -> float:
    if action in HANDS_IN_FRONT:
        return float(rng.uniform(-_WIDEST_OF_HANDS, _WIDEST_OF_HANDS))
    if action in ACROSS:
        return float(rng.uniform(-_WIDEST_ACROSS, _WIDEST_ACROSS) + np.pi * (rng.random() < 0.3))
    return float(rng.uniform(-np.pi, np.pi))


def _choose_share(rng: np.random.Generator, shot: Shot, strength: float) -> float:
    if shot == "waist":
        return float(rng.uniform(1.1, 1.6))
    if shot == "knees":
        return float(rng.uniform(0.95, 1.2))
    if shot == "crowd":
        return float(rng.uniform(0.22, 0.42))
    least = 0.62 - 0.22 * strength * (rng.random() < 0.5)
    return float(rng.uniform(least, 0.92))


@dataclass(frozen=True, eq=False)
class View:
    """A camera with its frame settled: turns points in space into pixels."""

    camera: Camera
    scale: float  # pixels per body height
    centre: tuple[float, float]  # pixels; where the image plane's origin lands
    side: int  # pixels; shorter side of the picture

    def horizon(self) -> float:
        """The row, in pixels from the top, in which the ground ends."""
        up = self.camera.distance * float(np.tan(self.camera.elevation))
        return self.centre[1] - self.scale * up

    def limit_path(self, path: NDArray[np.float64], *, follow: float) -> NDArray[np.float64]:
        """What of a path [T,3] over the floor is seen where the camera follows a share of it.

        The rest is shortened so that the person neither strays far from the picture nor walks into
        the camera.
        """
        axes = self.camera.axes()
        left = path * (1.0 - follow)
        across = float(np.abs(left @ axes[0]).max()) * self.scale / self.side
        near = -float((left @ axes[2]).min()) / max(self.camera.distance - _NEAREST, 0.2)
        far = float((left @ axes[2]).max()) / (1.5 * self.camera.distance)
        return left / max(1.0, across / _FARTHEST_OUT, near, far)

    def followed(self, path: NDArray[np.float64]) -> NDArray[np.float64]:
        """[T,2] pixels by which the surroundings pass behind somebody who is followed."""
        lateral = (path * self.camera.follow) @ self.camera.axes()[0]
        return np.stack([-self.scale * lateral, np.zeros(len(path))], axis=1)

    def shift(self, seconds: NDArray[np.float64], duration: float) -> NDArray[np.float64]:
        """[T,2] pixels by which the camera's own movement moves everything."""
        return self.side * self.camera.handheld.shift(seconds, duration)

    def project(
        self, points: NDArray[np.float64], seconds: NDArray[np.float64], duration: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Points [T,...,3] -> pixels [T,...,2], depth [T,...], pixels per body height there."""
        plane, depth = self.camera.look(points)
        some = (len(points), *[1] * (points.ndim - 2))
        zoom = 1.0 + self.camera.handheld.zoom * (seconds / duration - 0.5)
        scale = (self.scale * zoom).reshape(some)
        shift = self.shift(seconds, duration).reshape(*some, 2)
        pixels = plane * scale[..., None] + np.array(self.centre) + shift
        return pixels, depth, scale * self.camera.distance / depth
