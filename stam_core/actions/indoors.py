"""Backdrops inside: rooms, offices, gyms, stages, curtains."""

from __future__ import annotations

import numpy as np

from stam_core.actions.canvas import Canvas, Colour, fractal, rgb, shaded, tint
from stam_core.actions.furniture import FURNITURE, window
from stam_core.actions.surfaces import boards, court_lines, lay_floor, put_wall, wall_colour

_WOOD = (0.04, 0.11)  # hues
_WHITE: Colour = (1.0, 1.0, 1.0)
_BLACK: Colour = (0.0, 0.0, 0.0)


def put_corner(c: Canvas) -> None:
    """The side wall of a room, which runs towards the camera on the left or right."""
    wide = c.uniform(0.1, 0.35)
    rise = wide * c.uniform(0.3, 0.9)
    shade = c.uniform(0.15, 0.4)
    near, far = (0.0, wide) if c.chance(0.5) else (c.right, c.right - wide)
    points = [(near, 0.0), (far, 0.0), (far, c.foot_line), (near, c.foot_line + rise)]
    colour = wall_colour(c)
    c.polygon(points, shaded(colour, 0.8))
    c.polygon(points, _BLACK, shade)


def put_ceiling(c: Canvas) -> None:
    """The ceiling's edge, with lamps."""
    high = c.uniform(0.04, 0.22)
    c.box(0.0, 0.0, c.right, high, tint(c.rng, (0.0, 1.0), (0.0, 0.08), (0.55, 1.0)))
    c.box(0.0, high, c.right, 0.008, _BLACK, 0.25)
    for _ in range(int(c.rng.integers(0, 4))):
        x, wide = c.uniform(-0.1, c.right), c.uniform(0.1, 0.4)
        c.polygon(
            [
                (x, high * 0.8),
                (x + wide, high * 0.8),
                (x + 0.8 * wide, 0.3 * high),
                (x + 0.2 * wide, 0.3 * high),
            ],
            _WHITE,
        )


def room(c: Canvas) -> None:
    """A room at home or in an office, empty or full."""
    put_wall(c)
    if c.chance(0.3):
        put_corner(c)
    lay_floor(c)
    for _ in range(int(c.rng.integers(0, 6))):
        piece = FURNITURE[int(c.rng.integers(len(FURNITURE)))]
        piece(c, c.uniform(-0.15, c.right), c.metre * c.uniform(0.75, 1.3))
    if c.chance(0.25):
        put_ceiling(c)
    for _ in range(int(c.rng.integers(0, 3))):  # sockets, switches, cables
        x, y = c.uniform(0.0, c.right), c.uniform(0.1, max(0.11, c.foot_line))
        if c.chance(0.5):
            c.box(x, y, 0.025, 0.025, _WHITE, 0.9)
        else:
            c.stroke([(x, y), (x + c.uniform(-0.02, 0.02), c.foot_line)], 0.005, tint(c.rng), 0.8)


def gym(c: Canvas) -> None:
    """A hall: a floor with coloured lines, mats and bars on the wall, high windows."""
    put_wall(c)
    floor = tint(c.rng, _WOOD, (0.2, 0.6), (0.4, 0.85))
    if c.chance(0.4):
        floor = tint(c.rng, (0.25, 0.62), (0.1, 0.6), (0.3, 0.7))
    c.ground(
        boards(c, floor, 12), size=c.uniform(0.8, 1.6), turn=float(c.rng.choice([0.0, np.pi / 2]))
    )
    court_lines(c, int(c.rng.integers(1, 5)))
    place = c.uniform(-0.5, 0.2)
    while place < c.right:
        wide, high = c.uniform(0.2, 0.7), c.metre * c.uniform(1.0, 2.6)
        y = c.foot_line - high
        kind = c.rng.random()
        if kind < 0.35:  # wall bars
            wood = tint(c.rng, _WOOD, (0.3, 0.6), (0.4, 0.75))
            for row in np.arange(y, c.foot_line, c.uniform(0.02, 0.04)):
                c.box(place, float(row), wide, 0.012, wood)
            for share in (0.0, 0.5, 1.0):
                c.box(place + share * wide, y, 0.016, high, shaded(wood, 0.8))
        elif kind < 0.75:  # mats, doors, banners
            c.solid(place, y, wide, high, tint(c.rng, saturation=(0.1, 0.75), value=(0.2, 0.8)))
        place += wide + c.uniform(0.0, 0.5)
    if c.chance(0.5):
        for x in np.arange(c.uniform(-0.2, 0.1), c.right, c.uniform(0.15, 0.4)):
            c.box(float(x), c.uniform(0.0, 0.03), 0.13, 0.1, (0.95, 0.97, 1.0))


def curtain(c: Canvas) -> None:
    """Hanging cloth from side to side."""
    cloth = tint(c.rng, (0.0, 1.0), (0.0, 0.6), (0.12, 0.9))
    folds = fractal(c.rng, c.height, c.width, coarsest=9, octaves=3, stretch=0.02, roughness=0.7)
    c.stamp(0, 0, (1.0 + c.uniform(0.06, 0.25) * folds)[..., None] * rgb(cloth))
    if c.chance(0.6):
        lay_floor(c)


def studio(c: Canvas) -> None:
    """A seamless backdrop, lit in the middle."""
    colour = tint(c.rng, (0.0, 1.0), (0.0, 0.5), (0.15, 1.0))
    ys, xs = np.mgrid[0 : c.height, 0 : c.width].astype(np.float32) / c.side
    far = (xs - c.uniform(0.2, 0.8) * c.right) ** 2 + (ys - c.uniform(0.2, 0.8)) ** 2
    light = np.exp(-far / c.uniform(0.2, 1.2)) * c.uniform(0.2, 0.5) + c.uniform(0.65, 0.9)
    light = light * (1.0 + c.uniform(0.0, 0.05) * c.grain(c.height, c.width))
    light -= c.uniform(0.0, 0.15) * (ys > c.foot_line) * np.clip(8.0 * (ys - c.foot_line), 0, 1)
    c.stamp(0, 0, light[..., None] * rgb(colour))


def stage(c: Canvas) -> None:
    """A dark stage: coloured light, a bright floor, shapes in the dark."""
    c.textured(0.0, c.bottom, tint(c.rng, (0.55, 1.05), (0.2, 0.8), (0.03, 0.2)), 0.2)
    for _ in range(int(c.rng.integers(0, 5))):
        colour = tint(c.rng, saturation=(0.1, 0.8), value=(0.05, 0.4))
        c.solid(
            c.uniform(-0.2, c.right),
            c.uniform(0.0, c.foot_line),
            c.uniform(0.1, 0.5),
            c.bottom,
            colour,
        )
    c.ground(boards(c, tint(c.rng, (0.0, 1.0), (0.0, 0.5), (0.05, 0.45)), 8), size=1.0)
    for _ in range(int(c.rng.integers(0, 4))):
        x, aside = c.uniform(0.0, c.right), c.uniform(-0.5, 0.5)
        beam = tint(c.rng, saturation=(0.0, 0.7), value=(0.8, 1.0))
        for wide in (0.2, 0.12):
            c.polygon(
                [(x, 0.0), (x + aside - wide, c.bottom), (x + aside + wide, c.bottom)], beam, 0.09
            )
        c.disc(x + aside, c.feet, 0.6, 0.12, beam, 0.15)


def office(c: Canvas) -> None:
    """Desks, screens, partitions, a ceiling with lamps."""
    put_wall(c)
    lay_floor(c)
    if c.chance(0.5):
        window(c, c.uniform(-0.1, 0.6), c.metre)
    for _ in range(int(c.rng.integers(1, 6))):
        x, size = c.uniform(-0.2, c.right), c.metre * c.uniform(0.8, 1.3)
        y = c.foot_line - 0.7 * size
        c.solid(x, y, size * 1.5, 0.035, tint(c.rng, _WOOD, (0.0, 0.4), (0.4, 0.95)))
        c.box(x + 0.03, y + 0.03, size * 1.4, 0.6 * size, _BLACK, 0.35)
        c.solid(x + 0.3 * size, y - 0.4 * size, 0.6 * size, 0.38 * size, (0.06, 0.06, 0.07))
        if c.chance(0.6):
            glow = tint(c.rng, (0.5, 0.7), (0.0, 0.5), (0.4, 1.0))
            c.box(x + 0.33 * size, y - 0.37 * size, 0.54 * size, 0.3 * size, glow)
    for _ in range(int(c.rng.integers(0, 3))):
        high = c.metre * c.uniform(1.0, 1.5)
        wall = tint(c.rng, (0.0, 1.0), (0.0, 0.2), (0.3, 0.8))
        c.solid(c.uniform(-0.2, c.right), c.foot_line - high, c.uniform(0.2, 0.7), high, wall)
    if c.chance(0.6):
        put_ceiling(c)
