"""What stands in a room or hangs on its wall."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stam_core.actions.canvas import Canvas, Colour, shaded, tint

if TYPE_CHECKING:
    from collections.abc import Callable

_WOOD = (0.04, 0.11)  # hues
_WHITE: Colour = (1.0, 1.0, 1.0)
_BLACK: Colour = (0.0, 0.0, 0.0)


def window(c: Canvas, x: float, size: float) -> None:
    """Bright panes in a frame, perhaps with blinds or curtains."""
    wide, high = size * c.uniform(0.8, 2.2), size * c.uniform(1.0, 1.8)
    y = c.foot_line - c.metre * c.uniform(0.7, 1.1) - high
    frame = tint(c.rng, _WOOD, (0.0, 0.3), (0.3, 1.0))
    c.box(x - 0.015, y - 0.015, wide + 0.03, high + 0.03, frame)
    night = c.chance(0.15)
    view = tint(c.rng, (0.5, 0.65), (0.0, 0.25), (0.02, 0.2) if night else (0.8, 1.0))
    c.box(x, y, wide, high, view)
    if c.chance(0.5) and not night:
        c.box(x, y + 0.6 * high, wide, 0.4 * high, tint(c.rng, (0.2, 0.4), (0.1, 0.4), (0.3, 0.8)))
        c.foliage(x + 0.5 * wide, y + 0.65 * high, 0.7 * wide, 0.5 * high, (0.35, 0.5, 0.3))
    for share in np.arange(1, int(c.rng.integers(1, 4))) / 3.0:
        c.box(x + float(share) * wide, y, 0.012, high, frame)
    if c.chance(0.3):
        for row in np.arange(y, y + high * c.uniform(0.3, 1.0), 0.03):
            c.box(x, float(row), wide, 0.016, (0.9, 0.88, 0.84), 0.85)
    if c.chance(0.35):
        cloth = tint(c.rng, (0.0, 1.0), (0.05, 0.5), (0.25, 0.9))
        for left in (x - 0.08, x + wide - 0.05):
            _folds(c, left, y - 0.03, 0.13, high + 0.2, cloth)


def _folds(c: Canvas, x: float, y: float, wide: float, high: float, cloth: Colour) -> None:
    """Hanging cloth."""
    c.box(x, y, wide, high, cloth)
    place = x
    while place < x + wide:
        fold = c.uniform(0.012, 0.04)
        dark = c.chance(0.5)
        c.box(
            place,
            y,
            min(fold, x + wide - place),
            high,
            _BLACK if dark else _WHITE,
            c.uniform(0.03, 0.25),
        )
        place += fold * c.uniform(0.8, 1.8)


def door(c: Canvas, x: float, size: float) -> None:
    """A door with a frame and a handle, now and then open to the dark."""
    wide, high = size * 0.9, size * 2.05
    y = c.foot_line - high
    colour = tint(c.rng, _WOOD, (0.0, 0.6), (0.2, 0.95))
    c.box(x - 0.02, y - 0.02, wide + 0.04, high + 0.02, shaded(colour, c.uniform(0.5, 1.2)))
    c.box(x, y, wide, high, shaded(colour, 0.25) if c.chance(0.2) else colour)
    if c.chance(0.6):
        for top, tall in ((0.08, 0.35), (0.52, 0.4)):
            c.box(x + 0.15 * wide, y + top * high, 0.7 * wide, tall * high, _BLACK, 0.15)
    c.disc(x + 0.88 * wide, y + 0.52 * high, 0.02, 0.02, (0.75, 0.72, 0.65))


def hanging(c: Canvas, x: float, size: float) -> None:
    """A picture, poster, whiteboard or screen on the wall."""
    wide, high = size * c.uniform(0.3, 1.4), size * c.uniform(0.3, 0.9)
    y = c.foot_line - c.metre * c.uniform(1.2, 2.0) - 0.5 * high
    kind = c.rng.random()
    inside = tint(c.rng, (0.0, 1.0), (0.0, 0.6), (0.2, 0.95))
    if kind < 0.25:
        inside = tint(c.rng, (0.5, 0.7), (0.0, 0.08), (0.85, 1.0))
    elif kind < 0.45:
        inside = tint(c.rng, (0.5, 0.7), (0.0, 0.3), (0.02, 0.12))
    c.solid(
        x - 0.012,
        y - 0.012,
        wide + 0.024,
        high + 0.024,
        tint(c.rng, _WOOD, (0.0, 0.5), (0.05, 0.9)),
    )
    c.box(x, y, wide, high, inside)
    for _ in range(int(c.rng.integers(0, 9))):
        left, top = x + wide * c.uniform(0.0, 0.8), y + high * c.uniform(0.0, 0.8)
        colour = tint(c.rng, (0.0, 1.0), (0.0, 0.6), (0.1, 0.9))
        right, low = (
            min(left + wide * c.uniform(0.1, 0.6), x + wide),
            top + high * c.uniform(0.02, 0.2),
        )
        c.box(left, top, right - left, low - top, colour, 0.8)


def shelf(c: Canvas, x: float, size: float) -> None:
    """Shelves full of books or boxes."""
    wide, high = size * c.uniform(0.6, 1.6), size * c.uniform(0.9, 2.1)
    y = c.foot_line - high
    wood = tint(c.rng, _WOOD, (0.0, 0.6), (0.15, 0.85))
    c.solid(x, y, wide, high, wood)
    rows = int(c.rng.integers(2, 6))
    for row in range(rows):
        top, tall = y + high * (row + 0.08) / rows, 0.84 * high / rows
        c.box(x + 0.01, top, wide - 0.02, tall, shaded(wood, 0.35))
        place = x + 0.012
        while place < x + wide - 0.03:
            thick = c.uniform(0.008, 0.045)
            rise = tall * c.uniform(0.45, 0.95)
            spine = tint(c.rng, (0.0, 1.0), (0.0, 0.6), (0.15, 0.9))
            if c.chance(0.85):
                c.box(place, top + tall - rise, min(thick, x + wide - 0.012 - place), rise, spine)
            place += thick + 0.002


def cupboard(c: Canvas, x: float, size: float) -> None:
    """A sideboard, desk or cupboard with doors and things on it."""
    wide, high = size * c.uniform(0.7, 2.2), size * c.uniform(0.5, 1.1)
    y = c.foot_line - high + 0.02
    colour = tint(c.rng, _WOOD, (0.0, 0.55), (0.15, 0.95))
    legs = c.chance(0.35)
    if legs:
        c.box(x, y, wide, 0.025, colour)
        for left in (x + 0.01, x + wide - 0.03):
            c.box(left, y, 0.02, high, shaded(colour, 0.6))
    else:
        c.solid(x, y, wide, high, colour)
        for share in np.arange(1, int(c.rng.integers(2, 5))) / 4.0:
            c.box(x + float(share) * wide, y, 0.005, high, _BLACK, 0.5)
    for _ in range(int(c.rng.integers(0, 6))):
        w, h = size * c.uniform(0.05, 0.5), size * c.uniform(0.06, 0.4)
        c.solid(x + c.uniform(0.0, 0.9) * wide, y - h, w, h, tint(c.rng, saturation=(0.0, 0.5)))


def sofa(c: Canvas, x: float, size: float) -> None:
    """A sofa or an armchair."""
    wide, high = size * c.uniform(0.9, 2.2), size * 0.8
    y = c.foot_line - 0.75 * high
    cloth = tint(c.rng, (0.0, 1.0), (0.0, 0.45), (0.12, 0.75))
    c.solid(x, y, wide, high, cloth)
    c.box(x + 0.1 * wide, y + 0.5 * high, 0.8 * wide, 0.2 * high, shaded(cloth, 1.2))
    c.box(x + 0.1 * wide, y + 0.7 * high, 0.8 * wide, 0.28 * high, shaded(cloth, 0.75))
    for left in (x - 0.02, x + wide - 0.1 * wide):
        c.solid(left, y + 0.35 * high, 0.12 * wide, 0.62 * high, shaded(cloth, 0.95))
    for _ in range(int(c.rng.integers(0, 3))):
        left = x + wide * c.uniform(0.12, 0.75)
        c.box(left, y + 0.25 * high, 0.28 * high, 0.28 * high, tint(c.rng, saturation=(0.1, 0.7)))


def lamp(c: Canvas, x: float, size: float) -> None:
    """A standing lamp and the glow around it."""
    y = c.foot_line - size * 1.6
    c.stroke([(x, y), (x, c.foot_line + 0.02)], 0.012, tint(c.rng, value=(0.1, 0.5)))
    lit = c.chance(0.6)
    if lit:
        for wide in (0.5, 0.35, 0.22):
            c.disc(x, y, wide, wide, (1.0, 0.9, 0.65), 0.10)
    shade = (1.0, 0.93, 0.75) if lit else tint(c.rng)
    c.polygon(
        [(x - 0.07, y + 0.05), (x + 0.07, y + 0.05), (x + 0.04, y - 0.07), (x - 0.04, y - 0.07)],
        shade,
    )


def radiator(c: Canvas, x: float, size: float) -> None:
    """A ribbed radiator or a heap of stacked chairs: upright stripes near the floor."""
    wide, high = size * c.uniform(0.6, 1.4), size * 0.6
    y = c.foot_line - high - 0.04
    c.solid(x, y, wide, high, tint(c.rng, (0.0, 1.0), (0.0, 0.08), (0.6, 0.97)))
    for rib in np.arange(x, x + wide, 0.022):
        c.box(float(rib), y, 0.008, high, _BLACK, 0.25)


def plant(c: Canvas, x: float, size: float) -> None:
    """A plant in a pot."""
    pot = size * c.uniform(0.25, 0.45)
    c.solid(
        x - 0.5 * pot,
        c.foot_line - 0.8 * pot + 0.03,
        pot,
        0.8 * pot,
        tint(c.rng, _WOOD, (0.1, 0.6)),
    )
    wide, high = size * c.uniform(0.4, 1.0), size * c.uniform(0.6, 1.5)
    green = tint(c.rng, (0.22, 0.38), (0.3, 0.6), (0.2, 0.5))
    c.foliage(x, c.foot_line - pot - 0.35 * high, wide, high, green, 0.9)


FURNITURE: tuple[Callable[[Canvas, float, float], None], ...] = (
    window, window, door, hanging, hanging, shelf, cupboard, cupboard, sofa, lamp, radiator, plant,
)  # fmt: skip  # fmt: skip
