"""From 3D joints to pixels: a pinhole camera, and a frame that holds the whole motion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Looking at somebody's front: azimuth 0; from their left: +pi/2. Views from behind are not drawn
# (see assets card).
_WIDEST_AZIMUTH = np.deg2rad(115.0)
_WIDEST_AZIMUTH_OF_HANDS = np.deg2rad(70.0)


@dataclass(frozen=True)
class Camera:
    """Where the camera stands, in radians and body heights; and how it frames the person."""

    azimuth: float
    elevation: float
    roll: float
    distance: float
    height_share: float  # a standing person's share of the picture's height
    offset: tuple[
        float, float
    ]  # of the motion's middle from the picture's, as shares of its height
    drift: tuple[float, float]  # over the whole clip, as shares of the picture's height
    zoom: float  # growth over the whole clip, 0 for none

    @classmethod
    def random(cls, rng: np.random.Generator, *, hands_in_front: bool) -> Camera:
        """A view from the front, the side or between, at about eye level."""
        widest = _WIDEST_AZIMUTH_OF_HANDS if hands_in_front else _WIDEST_AZIMUTH
        return cls(
            azimuth=float(rng.uniform(-widest, widest)),
            elevation=float(rng.uniform(np.deg2rad(-4.0), np.deg2rad(22.0))),
            roll=float(rng.normal(0.0, np.deg2rad(2.0))),
            distance=float(rng.uniform(2.8, 6.0)),
            height_share=float(rng.uniform(0.62, 0.86)),
            offset=(float(rng.uniform(-0.08, 0.08)), float(rng.uniform(-0.05, 0.05))),
            drift=(float(rng.normal(0.0, 0.02)), float(rng.normal(0.0, 0.012))),
            zoom=float(rng.normal(0.0, 0.03)),
        )

    def look(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Project points [..., 3] to the image plane.

        Returns:
            [..., 2] right and down, at distance 1 as large as in life; and [...] depth in body
            heights.
        """
        middle = np.array([0.0, 0.5, 0.0])
        sin_a, cos_a = np.sin(self.azimuth), np.cos(self.azimuth)
        sin_e, cos_e = np.sin(self.elevation), np.cos(self.elevation)
        # Rows: the camera's right, down and forward axes. Seen from the front, the person's left is
        # on the right.
        right = np.array([cos_a, 0.0, -sin_a])
        forward = -np.array([sin_a * cos_e, sin_e, cos_a * cos_e])
        down = np.cross(forward, right)
        sin_r, cos_r = np.sin(self.roll), np.cos(self.roll)
        axes = np.stack([cos_r * right + sin_r * down, cos_r * down - sin_r * right, forward])
        seen = (points - middle) @ axes.T
        depth = self.distance + seen[..., 2]
        return seen[..., :2] * (self.distance / depth)[..., None], depth

    def frame(self, plane: NDArray[np.float64], *, width: int, height: int) -> View:
        """Choose scale and place so that `plane` [T,J,2] stays in the picture's central square."""
        side = min(width, height)
        low, high = plane.reshape(-1, 2).min(axis=0), plane.reshape(-1, 2).max(axis=0)
        extent = high - low + 0.16  # room for the limbs' thickness
        scale = min(self.height_share * side, 0.97 * side / float(extent.max()))
        slack = np.maximum(0.0, 0.5 * (side - scale * extent))
        shift = np.clip(np.array(self.offset) * side, -slack, slack)
        centre = np.array([0.5 * width, 0.5 * height]) + shift - scale * 0.5 * (low + high)
        return View(
            scale=scale, centre=(float(centre[0]), float(centre[1])), camera=self, side=side
        )


@dataclass(frozen=True)
class View:
    """A camera with its frame settled: turns the image plane into pixels."""

    scale: float  # pixels per body height
    centre: tuple[float, float]  # pixels; where the image plane's origin lands
    camera: Camera
    side: int  # pixels; shorter side of the picture

    def drift_at(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        """[T,2] pixels by which everything has moved at the times `u` in [0,1]."""
        drift: NDArray[np.float64] = (u - 0.5)[:, None] * np.array(self.camera.drift) * self.side
        return drift

    def zoom_at(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        """[T] factor by which everything is larger at the times `u` in [0,1]."""
        return 1.0 + self.camera.zoom * (u - 0.5)

    def to_pixels(self, plane: NDArray[np.float64], u: NDArray[np.float64]) -> NDArray[np.float64]:
        """[T,J,2] image plane -> [T,J,2] pixels (right, down) in the frames at times `u`."""
        scale = (self.scale * self.zoom_at(u))[:, None, None]
        pixels: NDArray[np.float64] = plane * scale + self.centre + self.drift_at(u)[:, None, :]
        return pixels
