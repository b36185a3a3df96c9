"""Things that are not people: what each looks like and how it moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from stam_core.actions.canvas import Colour, fractal, rgb, shaded, tint

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

Layer = Literal["behind", "front"]
Motion = Literal["still", "pass", "bounce", "sway"]
_BLACK: Colour = (0.02, 0.02, 0.02)


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


class _Sketch:
    """A small picture with transparency, drawn at twice its size."""

    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)
        self.image = Image.new("RGBA", (2 * width, 2 * height), (0, 0, 0, 0))
        self.pen = ImageDraw.Draw(self.image)

    def _points(self, shares: list[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(2 * self.size[0] * x, 2 * self.size[1] * y) for x, y in shares]

    def polygon(self, shares: list[tuple[float, float]], colour: Colour) -> None:
        self.pen.polygon(self._points(shares), _ink(colour))

    def box(self, x: float, y: float, right: float, bottom: float, colour: Colour) -> None:
        self.polygon([(x, y), (right, y), (right, bottom), (x, bottom)], colour)

    def line(self, shares: list[tuple[float, float]], pixels: float, colour: Colour) -> None:
        self.pen.line(self._points(shares), _ink(colour), max(1, round(2 * pixels)))

    def disc(self, x: float, y: float, wide: float, high: float, colour: Colour) -> None:
        corners = [(x - 0.5 * wide, y - 0.5 * high), (x + 0.5 * wide, y + 0.5 * high)]
        self.pen.ellipse(self._points(corners), _ink(colour))

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


def _ink(colour: Colour) -> tuple[int, int, int, int]:
    red, green, blue = (int(255 * min(1.0, max(0.0, part))) for part in colour)
    return red, green, blue, 255


def _crossing(p: Place, wide: int) -> tuple[float, float]:
    """Where something starts that crosses the picture, and how far it gets; pixels right."""
    start = p.uniform(-wide, 0.4 * p.width)
    far = p.uniform(0.3, 1.6) * p.width
    return (start, far) if p.rng.random() < 0.5 else (p.width - wide - start, -far)


def _car(p: Place) -> Prop:
    """A car or a van that drives by."""
    wide = p.span(0.45, 1.1)
    high = max(4, round(wide * p.uniform(0.32, 0.5)))
    paint = tint(p.rng, saturation=(0.0, 0.8 if p.rng.random() < 0.4 else 0.12), value=(0.05, 0.95))
    s = _Sketch(wide, high)
    s.polygon([(0.14, 0.45), (0.26, 0.03), (0.75, 0.0), (0.9, 0.45)], shaded(paint, 0.85))
    s.polygon([(0.2, 0.43), (0.3, 0.09), (0.7, 0.08), (0.83, 0.43)], (0.12, 0.14, 0.17))
    s.polygon([(0, 0.85), (0.01, 0.5), (0.15, 0.42), (0.88, 0.42), (1, 0.55), (1, 0.85)], paint)
    s.box(0.01, 0.7, 0.99, 0.85, shaded(paint, 0.65))
    s.box(0.5, 0.1, 0.52, 0.8, shaded(paint, 0.5))
    for hub in (0.2, 0.8):
        s.disc(hub, 0.8, 0.4 * high / wide, 0.4, _BLACK)
        s.disc(hub, 0.8, 0.2 * high / wide, 0.2, (0.5, 0.5, 0.52))
    start, far = _crossing(p, wide)
    y = p.floor - high - p.uniform(0.02, 0.12) * p.side
    return Prop(*s.finished(p.uniform(0.0, 0.6)), "behind", (start, y), "pass", (far, 0.0))


def _bicycle(p: Place) -> Prop:
    """A bicycle or a cart rolling by."""
    wide = p.span(0.25, 0.5)
    high = max(4, round(0.65 * wide))
    metal = tint(p.rng, saturation=(0.0, 0.8))
    s = _Sketch(wide, high)
    for hub in (0.22, 0.78):
        corners = [2 * wide * (hub - 0.2), 2 * high * 0.4, 2 * wide * (hub + 0.2), 2 * high * 0.98]
        s.pen.ellipse(corners, outline=_ink(_BLACK), width=2)
    s.line([(0.22, 0.7), (0.42, 0.3), (0.72, 0.28), (0.5, 0.7), (0.22, 0.7)], 1.2, metal)
    s.line([(0.78, 0.7), (0.7, 0.15), (0.8, 0.1)], 1.2, metal)
    s.line([(0.5, 0.7), (0.4, 0.18)], 1.2, metal)
    s.line([(0.33, 0.17), (0.47, 0.17)], 1.6, _BLACK)
    start, far = _crossing(p, wide)
    return Prop(
        *s.finished(), "behind", (start, p.floor - high - 0.03 * p.side), "pass", (far, 0.0)
    )


def _ball(p: Place) -> Prop:
    """A ball that rolls or bounces."""
    size = p.span(0.04, 0.11)
    colour = tint(p.rng, saturation=(0.0, 0.9), value=(0.3, 1.0))
    s = _Sketch(size, size)
    s.disc(0.5, 0.5, 1.0, 1.0, shaded(colour, 0.7))
    s.disc(0.44, 0.42, 0.75, 0.75, colour)
    s.disc(0.38, 0.32, 0.3, 0.3, shaded(colour, 1.35))
    start, far = _crossing(p, size)
    rolling = p.rng.random() < 0.4
    jump = 0.0 if rolling else p.uniform(0.1, 0.5) * p.side
    base = p.floor - size + p.uniform(-0.06, 0.03) * p.side
    return Prop(
        *s.finished(),
        "behind",
        (start, base),
        "bounce",
        (far, jump),
        p.uniform(1, 5),
        p.uniform(0, 1),
    )


def _leaves(p: Place, wide: int, high: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Ragged leaves: colours [3,h,w] and opacity [h,w]."""
    noise = fractal(p.rng, high, wide, coarsest=2, octaves=5, roughness=0.85)
    ys = np.linspace(-1.0, 1.0, high, dtype=np.float32)[:, None]
    xs = np.linspace(-1.0, 1.0, wide, dtype=np.float32)
    cover = np.clip(5.0 * (0.75 - np.sqrt(xs**2 + ys**2) + 0.35 * noise), 0.0, 1.0)
    green = rgb(tint(p.rng, (0.15, 0.38), (0.2, 0.65), (0.15, 0.6)))
    light = np.clip(0.9 + 0.35 * noise[::-1, ::-1] - 0.2 * ys, 0.2, 1.8)
    return np.clip(light * green[:, None, None], 0.0, 1.0).astype(np.float32), cover


def _branch(p: Place) -> Prop:
    """A branch that sways in the wind, at an upper corner."""
    wide, high = p.span(0.3, 0.7), p.span(0.2, 0.45)
    x = p.uniform(-0.5, 0.0) * wide if p.rng.random() < 0.5 else p.width - p.uniform(0.5, 1) * wide
    reach = (p.uniform(0.01, 0.04) * p.side, p.uniform(-0.02, 0.02) * p.side)
    place = (x, p.uniform(-0.6, 0.0) * high)
    return Prop(
        *_leaves(p, wide, high), "behind", place, "sway", reach, p.uniform(0.5, 4), p.uniform(0, 1)
    )


def _screen(p: Place) -> Prop:
    """A screen or a lamp that flickers."""
    wide, high = p.span(0.12, 0.4), p.span(0.1, 0.28)
    s = _Sketch(wide, high)
    s.box(0.0, 0.0, 1.0, 1.0, _BLACK)
    s.box(0.05, 0.06, 0.95, 0.94, tint(p.rng, (0.5, 0.7), (0.0, 0.5), (0.5, 0.9)))
    for _ in range(3):
        x, y = p.uniform(0.06, 0.7), p.uniform(0.08, 0.7)
        s.box(x, y, x + 0.22, y + 0.2, tint(p.rng, saturation=(0.0, 0.6)))
    place = (p.uniform(0.0, p.width - wide), p.uniform(0.02, 0.4) * p.height)
    gains = tuple(p.rng.uniform(0.5, 1.3, int(p.rng.integers(3, 12))).tolist())
    return Prop(*s.finished(), "behind", place, gains=gains)


def _curtain(p: Place) -> Prop:
    """A curtain, a flag or washing that moves in the wind."""
    wide, high = p.span(0.1, 0.35), p.span(0.3, 0.8)
    cloth = rgb(tint(p.rng, saturation=(0.0, 0.6), value=(0.25, 0.9)))
    folds = 1.0 + 0.15 * fractal(p.rng, high, wide, coarsest=6, octaves=2, stretch=0.05)
    colours = np.clip(folds * cloth[:, None, None], 0.0, 1.0).astype(np.float32)
    left = p.rng.random() < 0.5
    place = (p.uniform(-0.3, 0.1) * wide if left else p.width - p.uniform(0.7, 1.2) * wide, 0.0)
    reach = (p.uniform(0.01, 0.05) * p.side, 0.0)
    cover = np.ones((high, wide), dtype=np.float32)
    return Prop(
        colours, cover, "behind", place, "sway", reach, p.uniform(0.3, 2.5), p.uniform(0, 1)
    )


def _bird(p: Place) -> Prop:
    """A bird, or something else small that flies past."""
    wide = p.span(0.03, 0.09)
    s = _Sketch(wide, max(2, wide // 2))
    dark = tint(p.rng, saturation=(0.0, 0.3), value=(0.02, 0.9))
    s.polygon([(0.0, 0.2), (0.5, 0.95), (1.0, 0.0), (0.5, 0.55)], dark)
    start, far = _crossing(p, wide)
    y = p.uniform(0.02, 0.5) * p.height
    reach = (far, p.uniform(-0.2, 0.2) * p.height)
    return Prop(*s.finished(), "behind", (start, y), "pass", reach)


def _table(p: Place) -> Prop:
    """The edge of a table at the picture's bottom, things on it."""
    high = max(2, round(p.uniform(0.06, 0.19) * p.height))
    rise = p.uniform(0.25, 0.6)  # share of the sketch above the table's edge
    total = round(high / (1.0 - rise))
    wide = p.width if p.rng.random() < 0.6 else round(p.uniform(0.4, 0.8) * p.width)
    wood = tint(p.rng, (0.03, 0.12), (0.0, 0.6), (0.12, 0.9))
    s = _Sketch(wide, total)
    for _ in range(int(p.rng.integers(0, 4))):
        x, w = p.uniform(0.0, 0.9), p.uniform(0.03, 0.15)
        s.box(x, rise * p.uniform(0.0, 0.7), x + w, 1.0, tint(p.rng, saturation=(0.0, 0.6)))
    s.box(0.0, rise, 1.0, 1.0, wood)
    s.box(0.0, rise, 1.0, rise + 0.1, shaded(wood, 1.25))
    x = 0.0 if wide == p.width else p.uniform(-0.2, p.width - 0.8 * wide)
    return Prop(*s.finished(p.uniform(0.0, 1.2)), "front", (x, float(p.height - total + 1)))


def _chair(p: Place) -> Prop:
    """The back of a chair, to one side."""
    wide, high = p.span(0.18, 0.36), p.span(0.25, 0.5)
    wood = tint(p.rng, (0.0, 0.14), (0.0, 0.6), (0.05, 0.75))
    s = _Sketch(wide, high)
    if p.rng.random() < 0.4:
        s.box(0.06, 0.04, 0.94, 0.75, shaded(wood, 1.1))
    s.box(0.0, 0.0, 0.13, 1.0, wood)
    s.box(0.87, 0.0, 1.0, 1.0, wood)
    for top in np.arange(0.02, 0.75, p.uniform(0.15, 0.35)).tolist():
        s.box(0.0, top, 1.0, top + 0.09, shaded(wood, 0.85))
    left = p.rng.random() < 0.5
    x = (
        p.uniform(-0.3 * wide, 0.2 * p.width)
        if left
        else p.width - wide - p.uniform(-0.3 * wide, 0.2 * p.width)
    )
    return Prop(
        *s.finished(p.uniform(0.0, 0.8)), "front", (x, p.height - p.uniform(0.6, 1.0) * high)
    )


def _bush(p: Place) -> Prop:
    """A plant at a lower corner, perhaps swaying."""
    wide, high = p.span(0.25, 0.5), p.span(0.25, 0.55)
    x = (
        p.uniform(-0.5, -0.1) * wide
        if p.rng.random() < 0.5
        else p.width - p.uniform(0.5, 0.9) * wide
    )
    sway = p.uniform(0.0, 0.02) * p.side
    place = (x, p.height - p.uniform(0.5, 0.95) * high)
    return Prop(
        *_leaves(p, wide, high),
        "front",
        place,
        "sway",
        (sway, 0.0),
        p.uniform(0.5, 3),
        p.uniform(0, 1),
    )


def _pole(p: Place) -> Prop:
    """A lamp post, a door's edge or a trunk from top to bottom."""
    wide = p.span(0.02, 0.06)
    colour = tint(p.rng, saturation=(0.0, 0.3), value=(0.05, 0.85))
    s = _Sketch(wide, p.height)
    s.box(0.0, 0.0, 1.0, 1.0, colour)
    s.box(0.0, 0.0, 0.3, 1.0, shaded(colour, 0.75))
    s.box(0.5, 0.0, 0.7, 1.0, shaded(colour, 1.2))
    place = (p.uniform(0.0, p.width - wide), 0.0)
    return Prop(*s.finished(p.uniform(0.0, 0.9)), "front", place)


def _railing(p: Place) -> Prop:
    """Rails and thin posts across the lower half."""
    high = p.span(0.2, 0.45)
    colour = tint(p.rng, saturation=(0.0, 0.3), value=(0.05, 0.9))
    s = _Sketch(p.width, high)
    for y in (0.0, 0.5) if p.rng.random() < 0.5 else (0.0,):
        s.line([(0.0, y + 0.04), (1.0, y + 0.04)], 0.025 * p.side, colour)
    for x in np.arange(p.uniform(0.0, 0.1), 1.0, p.uniform(0.07, 0.3)).tolist():
        s.line([(x, 0.0), (x, 1.0)], 0.014 * p.side, shaded(colour, 0.85))
    return Prop(*s.finished(p.uniform(0.0, 0.8)), "front", (0.0, float(p.height - high)))


def _spectators(p: Place) -> Prop:
    """The backs of heads along the picture's bottom."""
    high = p.span(0.1, 0.2)
    s = _Sketch(p.width, high)
    for x in np.arange(p.uniform(-0.1, 0.1), 1.0, p.uniform(0.16, 0.35)).tolist():
        wide = p.uniform(0.55, 0.75) * high / p.width
        y = p.uniform(0.35, 0.6)
        hair = tint(p.rng, (0.03, 0.12), (0.1, 0.5), (0.04, 0.45))
        s.disc(x, y + 0.75, 2.3 * wide, 0.8, tint(p.rng, saturation=(0.0, 0.5), value=(0.05, 0.7)))
        s.disc(x, y, wide, 0.7, hair)
    return Prop(*s.finished(p.uniform(0.0, 1.2)), "front", (0.0, float(p.height - high)))


def _unsharp(p: Place) -> Prop:
    """Something very near and out of focus that reaches in from the left or right."""
    wide, high = p.span(0.15, 0.42), round(p.uniform(0.4, 1.0) * p.height)
    s = _Sketch(wide, high)
    colour = tint(p.rng, saturation=(0.0, 0.4), value=(0.03, 0.8))
    s.disc(0.5, 0.5, p.uniform(0.6, 0.85), p.uniform(0.7, 0.95), colour)
    x = (
        -p.uniform(0.4, 0.7) * wide
        if p.rng.random() < 0.5
        else p.width - p.uniform(0.3, 0.6) * wide
    )
    place = (x, p.uniform(0.0, 1.0) * (p.height - high))
    return Prop(*s.finished(p.uniform(1.5, 5.0) * p.side / 112.0), "front", place)


BEHIND: tuple[Callable[[Place], Prop], ...] = (
    _car, _car, _bicycle, _ball, _ball, _branch, _screen, _curtain, _bird,
)  # fmt: skip
FRONT: tuple[Callable[[Place], Prop], ...] = (
    _table, _chair, _bush, _pole, _railing, _spectators, _unsharp,
)  # fmt: skip
