"""Things that pass, sway or flicker behind the person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stam_core.actions.canvas import fractal, rgb, shaded, tint
from stam_core.actions.things import BLACK, Place, Prop, Sketch, ink, leaves

if TYPE_CHECKING:
    from collections.abc import Callable


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
    s = Sketch(wide, high)
    s.polygon([(0.14, 0.45), (0.26, 0.03), (0.75, 0.0), (0.9, 0.45)], shaded(paint, 0.85))
    s.polygon([(0.2, 0.43), (0.3, 0.09), (0.7, 0.08), (0.83, 0.43)], (0.12, 0.14, 0.17))
    s.polygon([(0, 0.85), (0.01, 0.5), (0.15, 0.42), (0.88, 0.42), (1, 0.55), (1, 0.85)], paint)
    s.box(0.01, 0.7, 0.99, 0.85, shaded(paint, 0.65))
    s.box(0.5, 0.1, 0.52, 0.8, shaded(paint, 0.5))
    for hub in (0.2, 0.8):
        s.disc(hub, 0.8, 0.4 * high / wide, 0.4, BLACK)
        s.disc(hub, 0.8, 0.2 * high / wide, 0.2, (0.5, 0.5, 0.52))
    start, far = _crossing(p, wide)
    y = p.floor - high - p.uniform(0.02, 0.12) * p.side
    return Prop(*s.finished(p.uniform(0.0, 0.6)), "behind", (start, y), "pass", (far, 0.0))


def _bicycle(p: Place) -> Prop:
    """A bicycle or a cart rolling by."""
    wide = p.span(0.25, 0.5)
    high = max(4, round(0.65 * wide))
    metal = tint(p.rng, saturation=(0.0, 0.8))
    s = Sketch(wide, high)
    for hub in (0.22, 0.78):
        corners = [2 * wide * (hub - 0.2), 2 * high * 0.4, 2 * wide * (hub + 0.2), 2 * high * 0.98]
        s.pen.ellipse(corners, outline=ink(BLACK), width=2)
    s.line([(0.22, 0.7), (0.42, 0.3), (0.72, 0.28), (0.5, 0.7), (0.22, 0.7)], 1.2, metal)
    s.line([(0.78, 0.7), (0.7, 0.15), (0.8, 0.1)], 1.2, metal)
    s.line([(0.5, 0.7), (0.4, 0.18)], 1.2, metal)
    s.line([(0.33, 0.17), (0.47, 0.17)], 1.6, BLACK)
    start, far = _crossing(p, wide)
    return Prop(
        *s.finished(), "behind", (start, p.floor - high - 0.03 * p.side), "pass", (far, 0.0)
    )


def _ball(p: Place) -> Prop:
    """A ball that rolls or bounces."""
    size = p.span(0.04, 0.11)
    colour = tint(p.rng, saturation=(0.0, 0.9), value=(0.3, 1.0))
    s = Sketch(size, size)
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


def _branch(p: Place) -> Prop:
    """A branch that sways in the wind, at an upper corner."""
    wide, high = p.span(0.3, 0.7), p.span(0.2, 0.45)
    x = p.uniform(-0.5, 0.0) * wide if p.rng.random() < 0.5 else p.width - p.uniform(0.5, 1) * wide
    reach = (p.uniform(0.01, 0.04) * p.side, p.uniform(-0.02, 0.02) * p.side)
    place = (x, p.uniform(-0.6, 0.0) * high)
    return Prop(
        *leaves(p, wide, high), "behind", place, "sway", reach, p.uniform(0.5, 4), p.uniform(0, 1)
    )


def _screen(p: Place) -> Prop:
    """A screen or a lamp that flickers."""
    wide, high = p.span(0.12, 0.4), p.span(0.1, 0.28)
    s = Sketch(wide, high)
    s.box(0.0, 0.0, 1.0, 1.0, BLACK)
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
    s = Sketch(wide, max(2, wide // 2))
    dark = tint(p.rng, saturation=(0.0, 0.3), value=(0.02, 0.9))
    s.polygon([(0.0, 0.2), (0.5, 0.95), (1.0, 0.0), (0.5, 0.55)], dark)
    start, far = _crossing(p, wide)
    y = p.uniform(0.02, 0.5) * p.height
    reach = (far, p.uniform(-0.2, 0.2) * p.height)
    return Prop(*s.finished(), "behind", (start, y), "pass", reach)


BEHIND: tuple[Callable[[Place], Prop], ...] = (
    _car, _car, _bicycle, _ball, _ball, _branch, _screen, _curtain, _bird,
)  # fmt: skip
