"""Backdrops in town: streets and walls, and what stands along them."""

from __future__ import annotations

import numpy as np

from stam_core.actions.canvas import Canvas, Colour, shaded, tint
from stam_core.actions.outdoors import lay_grass, sky, trees
from stam_core.actions.surfaces import brickwork, lay_pavement, railing

_WHITE: Colour = (1.0, 1.0, 1.0)
_BLACK: Colour = (0.0, 0.0, 0.0)


def house(c: Canvas, x: float, wide: float, top: float, bottom: float) -> None:
    """A building's front with rows of windows, perhaps a shop below."""
    colour = tint(c.rng, (0.0, 0.16), (0.0, 0.4), (0.25, 0.95))
    c.box(x, top, wide, bottom - top, colour)
    c.box(x, top, wide, 0.01, shaded(colour, 0.6))
    storey = c.metre * c.uniform(0.9, 1.6)
    step = c.metre * c.uniform(0.5, 1.3)
    glass = tint(c.rng, (0.5, 0.65), (0.0, 0.3), (0.08, 0.6))
    pane_w, pane_h = step * c.uniform(0.35, 0.85), storey * c.uniform(0.35, 0.75)
    shop = bottom - storey * (1.1 if c.chance(0.6) else 0.0)
    for y in np.arange(shop - storey, top - 0.2 * storey, -storey).tolist():
        for left in np.arange(x + 0.2 * step, x + wide - pane_w, step).tolist():
            pane = shaded(glass, c.uniform(0.5, 1.6))
            c.box(left - 0.006, y - 0.006, pane_w + 0.012, pane_h + 0.012, shaded(colour, 1.25))
            c.box(left, y, pane_w, pane_h, pane)
            c.box(left, y, 0.4 * pane_w, pane_h, _WHITE, 0.12)
    if shop < bottom:
        c.box(x, shop, wide, bottom - shop, shaded(glass, 0.5))
        c.box(x, shop - 0.02, wide, 0.06, tint(c.rng, saturation=(0.0, 0.8), value=(0.15, 0.9)))
        for left in np.arange(x, x + wide, c.uniform(0.06, 0.25)).tolist():
            w = c.uniform(0.02, 0.15)
            inside = tint(c.rng, saturation=(0.0, 0.5), value=(0.05, 0.9))
            c.box(left, shop + 0.05, min(w, x + wide - left), bottom - shop - 0.07, inside, 0.7)


def car(c: Canvas, x: float, line: float, size: float) -> None:
    """A parked car seen from the side; `size` is a metre's length there."""
    paint = tint(c.rng, (0.0, 1.0), (0.0, 0.15), (0.05, 0.97))
    if c.chance(0.3):
        paint = tint(c.rng, (0.0, 1.0), (0.4, 0.9), (0.2, 0.7))
    wide, high = 4.2 * size, 1.35 * size
    top = line - high
    c.disc(x + 0.5 * wide, line, 1.05 * wide, 0.25 * high, _BLACK, 0.4)
    roof = [(0.16, 0.45), (0.28, 0.02), (0.72, 0.0), (0.9, 0.45)]
    c.polygon([(x + a * wide, top + b * high) for a, b in roof], shaded(paint, 0.85))
    glass = [(0.21, 0.43), (0.31, 0.08), (0.69, 0.07), (0.83, 0.43)]
    c.polygon([(x + a * wide, top + b * high) for a, b in glass], (0.12, 0.14, 0.17))
    body = [(0.0, 0.85), (0.01, 0.5), (0.16, 0.42), (0.88, 0.42), (0.99, 0.55), (1.0, 0.85)]
    c.polygon([(x + a * wide, top + b * high) for a, b in body], paint)
    c.box(x + 0.02 * wide, top + 0.44 * high, 0.95 * wide, 0.03 * high, _WHITE, 0.35)
    c.box(x + 0.01 * wide, top + 0.7 * high, 0.98 * wide, 0.15 * high, _BLACK, 0.3)
    c.box(x + 0.5 * wide, top + 0.1 * high, 0.015 * wide, 0.7 * high, _BLACK, 0.4)
    for hub in (0.19, 0.8):
        c.disc(x + hub * wide, line - 0.22 * high, 0.46 * high, 0.46 * high, (0.05, 0.05, 0.05))
        c.disc(x + hub * wide, line - 0.22 * high, 0.24 * high, 0.24 * high, (0.5, 0.5, 0.52))


def street_things(c: Canvas) -> None:
    """Cars, lamp posts, signs, bollards and railings along the street."""
    for _ in range(int(c.rng.integers(0, 4))):
        car(
            c,
            c.uniform(-0.4, c.right),
            c.foot_line + c.uniform(0.0, 0.03),
            c.metre * c.uniform(0.6, 0.9),
        )
    for _ in range(int(c.rng.integers(0, 3))):
        x, grey = c.uniform(0.0, c.right), tint(c.rng, saturation=(0.0, 0.15), value=(0.08, 0.6))
        c.stroke([(x, c.uniform(-0.1, 0.4)), (x, c.foot_line + 0.03)], c.uniform(0.008, 0.03), grey)
        if c.chance(0.5):
            sign = tint(c.rng, saturation=(0.3, 0.9), value=(0.4, 0.9))
            c.disc(x, c.uniform(0.1, 0.4), 0.1, 0.1, sign)
    if c.chance(0.3):
        railing(c, c.metre * c.uniform(0.6, 1.1))


def street(c: Canvas) -> None:
    """A row of houses across the street."""
    sky(c)
    place = c.uniform(-0.5, 0.0)
    while place < c.right:
        wide = c.uniform(0.3, 1.1)
        house(c, place, wide, c.foot_line - c.metre * c.uniform(2.0, 7.0), c.foot_line)
        place += wide + (c.uniform(0.05, 0.3) if c.chance(0.3) else 0.0)
    lay_pavement(c)
    if c.chance(0.4):
        trees(c, c.foot_line, c.metre * 2.0, int(c.rng.integers(1, 4)))
    street_things(c)


def avenue(c: Canvas) -> None:
    """A street that runs away from the camera between two rows of houses."""
    sky(c)
    vanish = (c.uniform(0.3, 0.7) * c.right, max(c.horizon, 0.12))
    c.foot_line = vanish[1] + 0.02
    lay_pavement(c)
    for edge in (0.0, c.right):
        far = 1.0
        for _ in range(int(c.rng.integers(3, 6))):
            near, far = far, far * c.uniform(0.4, 0.75)
            roof, base = c.uniform(0.8, 2.5), c.uniform(0.5, 0.6)
            xs = [vanish[0] + s * (edge - vanish[0]) * 1.15 for s in (near, far)]
            tops = [vanish[1] - s * roof for s in (near, far)]
            lows = [vanish[1] + s * base for s in (near, far)]
            colour = tint(c.rng, (0.0, 0.16), (0.0, 0.35), (0.2, 0.85))
            corners = [(xs[0], tops[0]), (xs[1], tops[1]), (xs[1], lows[1]), (xs[0], lows[0])]
            c.polygon(corners, colour)
            dark = shaded(colour, c.uniform(0.25, 0.6))
            for row in np.arange(0.08, 0.9, c.uniform(0.12, 0.3)).tolist():
                ends = [
                    (x, low + row * (top - low)) for x, top, low in zip(xs, tops, lows, strict=True)
                ]
                c.stroke(ends, 0.05 * near, dark, 0.8)
            if c.chance(0.7):
                sign = tint(c.rng, saturation=(0.1, 0.9), value=(0.3, 1.0))
                x, y = 0.5 * (xs[0] + xs[1]), vanish[1] - c.uniform(0.0, 0.3) * near
                c.box(x, y, 0.12 * near, 0.2 * near, sign)
    if c.chance(0.6):
        trees(c, vanish[1] + 0.04, 0.25, int(c.rng.integers(1, 4)))
    for _ in range(int(c.rng.integers(0, 3))):
        x = c.uniform(0.0, c.right)
        c.stroke(
            [(x, c.uniform(-0.1, 0.3)), (x, vanish[1] + c.uniform(0.1, 0.3))],
            c.uniform(0.006, 0.03),
            (0.12, 0.12, 0.13),
        )


def wall_outside(c: Canvas) -> None:
    """A brick wall, a fence, a garage door or planks, and the pavement before it."""
    kind = c.rng.random()
    if kind < 0.45:
        brickwork(
            c, tint(c.rng, (0.0, 0.09), (0.1, 0.6), (0.3, 0.8)), c.metre * c.uniform(0.1, 0.25)
        )
    elif kind < 0.7:
        c.textured(
            0.0, c.bottom, tint(c.rng, (0.05, 0.6), (0.0, 0.2), (0.3, 0.85)), c.uniform(0.04, 0.15)
        )
        if c.chance(0.5):
            house(c, -0.1, c.right + 0.2, -0.1, c.foot_line)
    else:
        sky(c)
        trees(c, c.foot_line - 0.2, 0.5, int(c.rng.integers(1, 6)))
        high = c.metre * c.uniform(1.0, 2.2)
        wood = tint(c.rng, (0.04, 0.14), (0.05, 0.5), (0.2, 0.8))
        step = c.uniform(0.03, 0.12)
        for x in np.arange(-0.02, c.right, step).tolist():
            c.box(
                x,
                c.foot_line - high,
                step * c.uniform(0.85, 0.98),
                high,
                shaded(wood, c.uniform(0.75, 1.2)),
            )
    if c.chance(0.3):
        lay_grass(c)
    else:
        lay_pavement(c)
    street_things(c)
