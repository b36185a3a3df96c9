"""Things that stand in front of the person and hide a part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stam_core.actions.canvas import shaded, tint
from stam_core.actions.things import Place, Prop, Sketch, leaves

if TYPE_CHECKING:
    from collections.abc import Callable


def _table(p: Place) -> Prop:
    """The edge of a table at the picture's bottom, things on it."""
    high = max(2, round(p.uniform(0.06, 0.19) * p.height))
    rise = p.uniform(0.25, 0.6)  # share of the sketch above the table's edge
    total = round(high / (1.0 - rise))
    wide = p.width if p.rng.random() < 0.6 else round(p.uniform(0.4, 0.8) * p.width)
    wood = tint(p.rng, (0.03, 0.12), (0.0, 0.6), (0.12, 0.9))
    s = Sketch(wide, total)
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
    s = Sketch(wide, high)
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
        *leaves(p, wide, high),
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
    s = Sketch(wide, p.height)
    s.box(0.0, 0.0, 1.0, 1.0, colour)
    s.box(0.0, 0.0, 0.3, 1.0, shaded(colour, 0.75))
    s.box(0.5, 0.0, 0.7, 1.0, shaded(colour, 1.2))
    place = (p.uniform(0.0, p.width - wide), 0.0)
    return Prop(*s.finished(p.uniform(0.0, 0.9)), "front", place)


def _railing(p: Place) -> Prop:
    """Rails and thin posts across the lower half."""
    high = p.span(0.2, 0.45)
    colour = tint(p.rng, saturation=(0.0, 0.3), value=(0.05, 0.9))
    s = Sketch(p.width, high)
    for y in (0.0, 0.5) if p.rng.random() < 0.5 else (0.0,):
        s.line([(0.0, y + 0.04), (1.0, y + 0.04)], 0.025 * p.side, colour)
    for x in np.arange(p.uniform(0.0, 0.1), 1.0, p.uniform(0.07, 0.3)).tolist():
        s.line([(x, 0.0), (x, 1.0)], 0.014 * p.side, shaded(colour, 0.85))
    return Prop(*s.finished(p.uniform(0.0, 0.8)), "front", (0.0, float(p.height - high)))


def _spectators(p: Place) -> Prop:
    """The backs of heads along the picture's bottom."""
    high = p.span(0.1, 0.2)
    s = Sketch(p.width, high)
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
    s = Sketch(wide, high)
    colour = tint(p.rng, saturation=(0.0, 0.4), value=(0.03, 0.8))
    s.disc(0.5, 0.5, p.uniform(0.6, 0.85), p.uniform(0.7, 0.95), colour)
    x = (
        -p.uniform(0.4, 0.7) * wide
        if p.rng.random() < 0.5
        else p.width - p.uniform(0.3, 0.6) * wide
    )
    place = (x, p.uniform(0.0, 1.0) * (p.height - high))
    return Prop(*s.finished(p.uniform(1.5, 5.0) * p.side / 112.0), "front", place)


FRONT: tuple[Callable[[Place], Prop], ...] = (
    _table, _chair, _bush, _pole, _railing, _spectators, _unsharp,
)  # fmt: skip
