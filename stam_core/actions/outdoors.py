"""Backdrops under the sky, and those that show nothing in particular."""

from __future__ import annotations

import numpy as np
from PIL import Image

from stam_core.actions.canvas import Canvas, Colour, fractal, rgb, shaded, tint
from stam_core.actions.surfaces import court_lines, lay_pavement, railing, speckle

_GREEN = (0.17, 0.37)  # hues
_WHITE: Colour = (1.0, 1.0, 1.0)


def sky(c: Canvas) -> None:
    """Blue, grey or evening sky with clouds, over the whole picture."""
    kind = c.rng.random()
    upper = tint(c.rng, (0.54, 0.63), (0.2, 0.6), (0.5, 0.95))
    lower = tint(c.rng, (0.53, 0.62), (0.0, 0.2), (0.85, 1.0))
    if kind < 0.4:
        upper = tint(c.rng, (0.55, 0.62), (0.0, 0.06), (0.7, 1.0))
        lower = shaded(upper, c.uniform(0.9, 1.1))
    elif kind < 0.5:
        lower = tint(c.rng, (0.02, 0.1), (0.2, 0.6), (0.7, 1.0))
    c.ramp(0.0, c.bottom, upper, lower)
    if c.chance(0.5):
        clouds = np.clip(c.uniform(0.2, 0.7) * c.grain(c.height, c.width), 0.0, 1.0)
        c.stamp(
            0, 0, np.ones((c.height, c.width, 3), dtype=np.float32) * c.uniform(0.8, 1.0), clouds
        )


def trees(c: Canvas, line: float, high: float, count: int) -> None:
    """A row of trees, bushes behind and trunks before, standing on row `line`."""
    green = tint(c.rng, _GREEN, (0.2, 0.6), (0.2, 0.6))
    if c.chance(0.12):
        green = tint(c.rng, (0.03, 0.14), (0.2, 0.7), (0.25, 0.7))
    for _ in range(count):
        x, tall = c.uniform(-0.1, c.right + 0.1), high * c.uniform(0.5, 1.2)
        colour = shaded(green, c.uniform(0.6, 1.4))
        if c.chance(0.55):
            thick = tall * c.uniform(0.03, 0.08)
            lean = c.uniform(-0.03, 0.03)
            bark = tint(c.rng, _GREEN, (0.05, 0.35), (0.08, 0.35))
            c.stroke([(x, line + 0.02), (x + lean, line - 0.8 * tall)], thick, bark)
            c.foliage(
                x + lean, line - 0.75 * tall, tall * c.uniform(0.5, 0.9), 0.7 * tall, colour, 0.6
            )
        else:
            c.foliage(x, line - 0.4 * tall, tall * c.uniform(0.6, 1.6), tall, colour, 0.5)


def lay_grass(c: Canvas) -> None:
    """Lawn, meadow or artificial turf; mown stripes now and then."""
    colour = tint(c.rng, (0.16, 0.33), (0.25, 0.6), (0.25, 0.6))
    tile = speckle(c, colour, c.uniform(0.08, 0.25), octaves=7)
    if c.chance(0.2):
        tile = tile * np.where(np.arange(len(tile)) < len(tile) // 2, 1.1, 0.9)[None, :, None]
    c.ground(tile, size=c.uniform(0.25, 0.8))
    if c.chance(0.5):  # worn and shaded patches
        rows = c.height - int(min(max(c.foot_line, 0.0), c.bottom) * c.side)
        if rows > 1:
            dark = np.clip(c.uniform(0.1, 0.5) * c.grain(rows, c.width), 0.0, 0.7)
            shade = np.ones((rows, c.width, 3), dtype=np.float32) * rgb(
                shaded(colour, c.uniform(0.3, 0.6))
            )
            c.stamp(0, c.height - rows, shade, dark)


def park(c: Canvas) -> None:
    """Trees, hedges and grass, a path now and then."""
    sky(c)
    trees(c, c.foot_line, c.uniform(0.1, 0.6), int(c.rng.integers(5, 14)))
    if c.chance(0.4):
        green = tint(c.rng, _GREEN, (0.2, 0.5), (0.15, 0.4))
        for x in np.arange(-0.1, c.right + 0.1, 0.3).tolist():
            c.foliage(x, c.foot_line - 0.03, 0.5, c.uniform(0.1, 0.3), green, 0.4)
    lay_grass(c)
    if c.chance(0.35):
        left, wide, bend = c.uniform(-0.6, 0.6), c.uniform(0.3, 0.9), c.uniform(-1.0, 1.0)
        sides = [
            [c.on_ground(x + bend * z / 3.0, z) for z in (0.5, 1.0, 1.6, 2.5, 4.0)]
            for x in (left, left + wide)
        ]
        edge = [(x, max(y, c.foot_line)) for x, y in sides[0] + sides[1][::-1]]
        c.polygon(edge, tint(c.rng, (0.05, 0.14), (0.0, 0.25), (0.4, 0.8)), 0.9)
    if c.chance(0.35):
        trees(c, c.foot_line + c.uniform(0.0, 0.1), c.uniform(0.5, 1.0), int(c.rng.integers(1, 3)))
    if c.chance(0.15):
        railing(c, c.metre * 0.8)


def forest(c: Canvas) -> None:
    """Leaves everywhere, light between them, trunks."""
    c.textured(0.0, c.bottom, tint(c.rng, _GREEN, (0.2, 0.6), (0.2, 0.6)), c.uniform(0.3, 0.7))
    light = np.clip(0.8 * c.grain(c.height, c.width) - c.uniform(0.3, 1.0), 0.0, 1.0)
    c.stamp(0, 0, np.ones((c.height, c.width, 3), dtype=np.float32) * rgb((0.93, 0.97, 0.9)), light)
    trees(c, c.foot_line, c.uniform(0.4, 0.9), int(c.rng.integers(4, 10)))
    lay_grass(c)


def field(c: Canvas) -> None:
    """A sports ground: lines, a stand or a fence behind, posts."""
    sky(c)
    high = c.uniform(0.05, 0.5)
    if c.chance(0.5):
        crowd(c, c.foot_line - high, c.foot_line)
    else:
        trees(c, c.foot_line, high, int(c.rng.integers(4, 9)))
    if c.chance(0.6):
        low = c.uniform(0.03, 0.12)
        place = c.uniform(-0.3, 0.0)
        while place < c.right:  # advertising boards
            wide = c.uniform(0.15, 0.6)
            c.box(place, c.foot_line - low, wide, low, tint(c.rng, saturation=(0.0, 0.9)))
            c.box(
                place + 0.2 * wide, c.foot_line - 0.7 * low, 0.5 * wide, 0.4 * low, tint(c.rng), 0.9
            )
            place += wide
    if c.chance(0.65):
        lay_grass(c)
    else:
        colour = tint(c.rng, (-0.03, 0.65), (0.2, 0.65), (0.3, 0.75))
        c.ground(speckle(c, colour, c.uniform(0.02, 0.1)), size=0.6)
    court_lines(c, int(c.rng.integers(1, 5)))
    if c.chance(0.3):
        x = c.uniform(0.0, c.right)
        c.stroke(
            [(x, c.foot_line), (x, 0.1), (x + 0.5, 0.1), (x + 0.5, c.foot_line)], 0.014, _WHITE
        )


def crowd(c: Canvas, top: float, bottom: float) -> None:
    """Rows of spectators: a mosaic of clothes and faces."""
    first, last = max(0, int(top * c.side)), min(c.height, int(bottom * c.side))
    if last - first < 3:
        return
    rows, columns = max(2, (last - first) // 4), max(2, c.width // 3)
    dots = c.rng.uniform(0.05, 0.75, (rows, columns, 1)) + c.rng.normal(
        0.0, 0.12, (rows, columns, 3)
    )
    dots[::2] = 0.5 * dots[::2] + 0.5 * rgb((0.6, 0.45, 0.36))
    seats = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(dots[..., channel], dtype=np.float32)).resize(
                (c.width, last - first), Image.Resampling.BILINEAR
            )
        )
        for channel in range(3)
    ]
    rough = 1.0 + 0.25 * c.grain(last - first, c.width)
    c.stamp(0, first, (c.uniform(0.5, 1.0) * rough)[..., None] * np.stack(seats, axis=2))


def beach(c: Canvas) -> None:
    """Sand, water with waves, sky; or snow and hills."""
    sky(c)
    line, c.foot_line = c.foot_line, max(c.horizon, 0.1) + 0.02
    snow = c.chance(0.3)
    water = tint(c.rng, (0.48, 0.6), (0.15, 0.6), (0.3, 0.7))
    if snow or c.chance(0.4):
        for _ in range(3):
            hill = tint(c.rng, (0.25, 0.62), (0.05, 0.3), (0.3, 0.6))
            c.foliage(
                c.uniform(0.0, c.right),
                c.foot_line + 0.05,
                c.uniform(0.8, 1.6),
                c.uniform(0.2, 0.5),
                hill,
                0.1,
            )
    sand = tint(c.rng, (0.07, 0.12), (0.1, 0.4), (0.6, 0.9)) if not snow else (0.9, 0.92, 0.96)
    if not snow:
        waves = speckle(c, water, 0.12, octaves=7)
        c.ground(waves, size=0.5)
        for _ in range(int(c.rng.integers(0, 4))):
            c.box(0.0, c.uniform(c.foot_line, max(line, c.foot_line)), c.right, 0.012, _WHITE, 0.55)
        c.foot_line = max(line, c.foot_line + 0.02)
    c.ground(speckle(c, sand, c.uniform(0.03, 0.1), octaves=7), size=c.uniform(0.4, 1.0))


def from_above(c: Canvas) -> None:
    """Nothing but ground: asphalt, grass or sand, as in old footage from a balcony."""
    c.foot_line = 0.0
    c.horizon = min(c.horizon, -c.uniform(0.5, 2.0))
    colour = tint(c.rng, (0.05, 0.3), (0.0, 0.4), (0.3, 0.8))
    c.ground(speckle(c, colour, c.uniform(0.03, 0.11), octaves=7), size=c.uniform(0.8, 2.0))
    if c.chance(0.4):
        court_lines(c, int(c.rng.integers(1, 3)))


def abstract(c: Canvas) -> None:
    """Coloured regions of 1/f noise: nothing can be learned from it."""
    picture = np.ones((c.height, c.width, 3), dtype=np.float32) * rgb(
        tint(c.rng, saturation=(0.0, 0.4))
    )
    for _ in range(int(c.rng.integers(1, 5))):
        noise = fractal(c.rng, c.height, c.width, octaves=5, roughness=c.uniform(0.4, 0.8))
        cover = np.clip(c.uniform(1.0, 8.0) * (noise - c.uniform(-0.8, 0.8)), 0.0, 1.0)[..., None]
        picture += c.uniform(0.4, 1.0) * cover * (rgb(tint(c.rng)) - picture)
    picture *= 1.0 + c.uniform(0.02, 0.2) * c.grain(c.height, c.width)[..., None]
    c.stamp(0, 0, picture)


def leaves(c: Canvas) -> None:
    """Things of all sizes, one over the other: "dead leaves", statistically like photographs."""
    c.textured(0.0, c.bottom, tint(c.rng), 0.1)
    base = tint(c.rng, saturation=(0.0, 0.3))
    for _ in range(int(c.rng.integers(30, 110))):
        size = min(0.03 / max(c.uniform(0.0, 1.0), 0.03) ** 0.8, 0.6)
        x, y = c.uniform(-0.1, c.right + 0.1), c.uniform(-0.1, c.bottom + 0.1)
        wide, high = size * c.uniform(0.4, 1.6), size * c.uniform(0.4, 1.6)
        colour = tint(c.rng, saturation=(0.0, 0.5))
        red, green, blue = (0.5 * (a + b) for a, b in zip(base, colour, strict=True))
        if c.chance(0.5):
            c.solid(x - 0.5 * wide, y - 0.5 * high, wide, high, (red, green, blue))
        else:
            c.disc(x, y, wide, high, (red, green, blue))


def lights(c: Canvas) -> None:
    """Night: the dark and unsharp lamps."""
    c.textured(0.0, c.bottom, tint(c.rng, (0.0, 1.0), (0.1, 0.6), (0.03, 0.25)), 0.4)
    for _ in range(int(c.rng.integers(5, 40))):
        size = c.uniform(0.02, 0.12)
        colour = tint(c.rng, (0.0, 0.2) if c.chance(0.7) else (0.0, 1.0), (0.0, 0.8), (0.5, 1.0))
        c.disc(
            c.uniform(0.0, c.right),
            c.uniform(0.0, c.foot_line),
            size,
            size,
            colour,
            c.uniform(0.2, 0.9),
        )
    if c.chance(0.6):
        lay_pavement(c)
