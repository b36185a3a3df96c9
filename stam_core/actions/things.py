"""What things that are not people are made of: a picture with its cover, a place, a way to move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from stam_core.actions.canvas import Colour, fractal, rgb, tint

if TYPE_CHECKING:
    from numpy.typing import NDArray

Layer = Literal["behind", "front"]
Motion = Literal["still", "pass", "bounce", "sway"]
BLACK: Colour = (0.02, 0.02, 0.02)


@dataclass(frozen=True, eq=False)
class Prop:
    """One thing: what it looks like and how it moves."""

    colours: NDArray[np.float32]  # [3,h,w] in [0,1]
    cover: NDArray[np.float32]  # [h,w] opacity in [0,1]
    layer: Layer
    place: tuple[float, float]  # pixels; of its left top corner when the clip begins
    motion: Motion = "still"
    reach: tuple[float, float] = (
        0.0,
        0.0,
    )  # pixels it moves in all, jumps or sways, right and down
    cycles: float = 1.0  # bounces or swings in the clip
    phase: float = 0.0  # of a swing, in cycles
    gains: tuple[float, ...] = (1.0,)  # brightness in equal stretches of the clip, for screens

    def places(self, u: NDArray[np.floating]) -> NDArray[np.int64]:
        """Left top corner [T,2] in whole pixels at the times `u` in [0,1]."""
        turn = self.cycles * np.asarray(u, dtype=np.float64) + self.phase
        along = np.stack([u, u] if self.motion == "pass" else [np.zeros_like(u)] * 2, axis=1)
        if self.motion == "bounce":
            along = np.stack([u, -np.abs(np.sin(np.pi * turn))], axis=1)
        elif self.motion == "sway":
            along = np.stack([np.sin(2.0 * np.pi * turn)] * 2, axis=1)
        places = np.rint(np.array(self.place) + along * np.array(self.reach))
        whole: NDArray[np.int64] = places.astype(np.int64)
        return whole


@dataclass(frozen=True)
class Place:
    """The picture that things are made for."""

    rng: np.random.Generator
    width: int
    height: int
    floor: float  # row

    @property
    def side(self) -> int:
        """Pixels of the shorter side."""
        return min(self.width, self.height)

    def uniform(self, low: float, high: float) -> float:
        """A random number."""
        return float(self.rng.uniform(low, high))

    def span(self, low: float, high: float) -> int:
        """A random length in pixels, from shares of the shorter side."""
        return max(2, round(self.uniform(low, high) * self.side))


class Sketch:
    """A small picture with transparency, drawn at twice its size."""

    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)
        self.image = Image.new("RGBA", (2 * width, 2 * height), (0, 0, 0, 0))
        self.pen = ImageDraw.Draw(self.image)

    def _points(self, shares: list[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(2 * self.size[0] * x, 2 * self.size[1] * y) for x, y in shares]

    def polygon(self, shares: list[tuple[float, float]], colour: Colour) -> None:
        """A filled shape; corners in shares of width and height."""
        self.pen.polygon(self._points(shares), ink(colour))

    def box(self, x: float, y: float, right: float, bottom: float, colour: Colour) -> None:
        """A filled box between two corners, in shares."""
        self.polygon([(x, y), (right, y), (right, bottom), (x, bottom)], colour)

    def line(self, shares: list[tuple[float, float]], pixels: float, colour: Colour) -> None:
        """A line through points in shares, some pixels wide."""
        self.pen.line(self._points(shares), ink(colour), max(1, round(2 * pixels)))

    def disc(self, x: float, y: float, wide: float, high: float, colour: Colour) -> None:
        """A filled ellipse around a centre, in shares."""
        corners = [(x - 0.5 * wide, y - 0.5 * high), (x + 0.5 * wide, y + 0.5 * high)]
        self.pen.ellipse(self._points(corners), ink(colour))

    def finished(self, blur: float = 0.0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Colours [3,h,w] and opacity [h,w]."""
        image = self.image
        if blur > 0.0:
            image = image.filter(ImageFilter.GaussianBlur(2.0 * blur))
        values = np.asarray(image.reduce(2), dtype=np.float32) / np.float32(255.0)
        cover = np.ascontiguousarray(values[..., 3])
        # Half-covered pixels were mixed with the black of what is transparent.
        colours = (
            values[..., :3] if blur == 0.0 else values[..., :3] / np.maximum(cover, 0.02)[..., None]
        )
        return np.ascontiguousarray(np.clip(colours, 0.0, 1.0).transpose(2, 0, 1)), cover


def ink(colour: Colour) -> tuple[int, int, int, int]:
    """A colour in [0,1] as the pen wants it: RGBA in 0..255, opaque."""
    red, green, blue = (int(255 * min(1.0, max(0.0, part))) for part in colour)
    return red, green, blue, 255


def leaves(p: Place, wide: int, high: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Ragged leaves: colours [3,h,w] and opacity [h,w]."""
    noise = fractal(p.rng, high, wide, coarsest=2, octaves=5, roughness=0.85)
    ys = np.linspace(-1.0, 1.0, high, dtype=np.float32)[:, None]
    xs = np.linspace(-1.0, 1.0, wide, dtype=np.float32)
    cover = np.clip(5.0 * (0.75 - np.sqrt(xs**2 + ys**2) + 0.35 * noise), 0.0, 1.0)
    green = rgb(tint(p.rng, (0.15, 0.38), (0.2, 0.65), (0.15, 0.6)))
    light = np.clip(0.9 + 0.35 * noise[::-1, ::-1] - 0.2 * ys, 0.2, 1.8)
    return np.clip(light * green[:, None, None], 0.0, 1.0).astype(np.float32), cover
