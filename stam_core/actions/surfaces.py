"""Walls and floors: paint, paper, bricks, boards, slabs, carpet, lines on the ground, railings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stam_core.actions.canvas import Canvas, Colour, fractal, rgb, shaded, tint

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WOOD = (0.04, 0.11)  # hues
_WHITE: Colour = (1.0, 1.0, 1.0)
_BLACK: Colour = (0.0, 0.0, 0.0)


def wall_colour(c: Canvas) -> Colour:
    """What people paint walls with: mostly pale, now and then strong or dark."""
    kind = c.rng.random()
    if kind < 0.55:
        return tint(c.rng, (0.05, 0.17), (0.0, 0.22), (0.6, 0.97))
    if kind < 0.8:
        return tint(c.rng, (0.0, 1.0), (0.02, 0.2), (0.35, 0.85))
    return tint(c.rng, (0.0, 1.0), (0.2, 0.65), (0.15, 0.7))


def boards(c: Canvas, colour: Colour, count: int) -> NDArray[np.float32]:
    """A tile of `count` floorboards with grain and dark joints, [96,96,3]."""
    n = 96
    board = np.arange(n) * count // n
    tone = 1.0 + 0.14 * c.rng.standard_normal(count)[board]
    joint = np.where(np.diff(board, prepend=-1) != 0, 0.65, 1.0)
    grain = 1.0 + 0.09 * fractal(c.rng, n, n, coarsest=4, octaves=4, stretch=0.05)
    ends = np.ones((n, n), dtype=np.float32)
    ends[c.rng.integers(0, n, count)[board], np.arange(n)] = 0.7
    plank: NDArray[np.float32] = ((tone * joint) * grain * ends)[..., None] * rgb(colour)
    return plank


def slabs(
    c: Canvas, colour: Colour, count: int, joint: float, vary: float = 0.08
) -> NDArray[np.float32]:
    """A tile of count x count slabs with joints of brightness `joint`, [96,96,3]."""
    n = 96
    cell = np.arange(n) * count // n
    edge = np.diff(cell, prepend=-1) != 0
    tone = 1.0 + vary * c.rng.standard_normal((count, count))
    if c.chance(0.2):
        tone *= np.where(np.indices((count, count)).sum(axis=0) % 2, 1.0, c.uniform(0.4, 0.9))
    plate = tone[np.ix_(cell, cell)] * (1.0 + 0.05 * fractal(c.rng, n, n, octaves=5))
    plate[edge] *= joint
    plate[:, edge] *= joint
    tile: NDArray[np.float32] = plate[..., None] * rgb(colour)
    return tile


def speckle(c: Canvas, colour: Colour, strength: float, octaves: int = 6) -> NDArray[np.float32]:
    """A tile of rough stuff such as carpet, asphalt, grass or sand, [96,96,3]."""
    noise = fractal(c.rng, 96, 96, coarsest=3, octaves=octaves, roughness=0.85)
    rough: NDArray[np.float32] = (1.0 + strength * noise)[..., None] * rgb(colour)
    return rough


def lay_floor(c: Canvas) -> None:
    """Boards, tiles, carpet or concrete."""
    kind = c.rng.random()
    turn = float(c.rng.choice([0.0, np.pi / 2, c.uniform(0.0, np.pi)]))
    if kind < 0.4:
        colour = tint(c.rng, _WOOD, (0.25, 0.65), (0.25, 0.75))
        c.ground(boards(c, colour, int(c.rng.integers(4, 10))), size=c.uniform(0.5, 1.2), turn=turn)
    elif kind < 0.62:
        colour = tint(c.rng, (0.0, 1.0), (0.0, 0.18), (0.35, 0.9))
        tile = slabs(c, colour, int(c.rng.integers(2, 5)), c.uniform(0.6, 1.15))
        c.ground(tile, size=c.uniform(0.4, 1.0), turn=turn)
    else:
        colour = tint(c.rng, (0.0, 1.0), (0.0, 0.35), (0.15, 0.75))
        c.ground(speckle(c, colour, c.uniform(0.03, 0.14)), size=c.uniform(0.5, 1.2))
    # Light from windows and lamps is mirrored in the floor; under the wall it is darker.
    if c.chance(0.5):
        x = c.uniform(0.0, c.right)
        for grown in (0.3, 0.2, 0.12):
            c.disc(x, c.foot_line + 0.12, grown, 3.0 * grown, _WHITE, 0.05)
    c.box(0.0, c.foot_line, c.right, 0.03, _BLACK, 0.13)
    c.box(0.0, c.foot_line, c.right, 0.012, _BLACK, 0.2)


def put_wall(c: Canvas) -> None:
    """A painted, papered, tiled, panelled or brick wall down to where the ground begins."""
    colour = wall_colour(c)
    kind = c.rng.random()
    c.textured(0.0, c.bottom, colour, c.uniform(0.005, 0.035))
    if kind < 0.12:
        brickwork(c, tint(c.rng, (0.0, 0.08), (0.05, 0.55), (0.3, 0.9)), c.uniform(0.05, 0.11))
    elif kind < 0.24:
        step = c.uniform(0.04, 0.2)
        for x in np.arange(c.uniform(-step, 0.0), c.right, step):
            c.box(float(x), 0.0, step * 0.5, c.bottom, shaded(colour, 0.4), c.uniform(0.03, 0.15))
    elif kind < 0.42:
        high = c.metre * c.uniform(0.8, 1.5)
        lower = wall_colour(c)
        c.box(0.0, c.foot_line - high, c.right, high, lower)
        c.box(0.0, c.foot_line - high, c.right, 0.012, shaded(lower, 0.55))
        if c.chance(0.5):
            for x in np.arange(c.uniform(0.0, 0.3), c.right, c.uniform(0.15, 0.5)):
                c.stroke(
                    [(float(x), c.foot_line - high), (float(x), c.foot_line)], 0.006, _BLACK, 0.4
                )
    if c.chance(0.6):
        high = c.metre * c.uniform(0.05, 0.14)
        board = _WHITE if c.chance(0.5) else shaded(colour, c.uniform(0.3, 0.8))
        c.box(0.0, c.foot_line - high, c.right, high, shaded(board, 0.9))
        c.stroke([(0.0, c.foot_line - high), (c.right, c.foot_line - high)], 0.004, _BLACK, 0.3)


def brickwork(c: Canvas, colour: Colour, course: float) -> None:
    """Courses of bricks over the whole picture, `course` high."""
    mortar = tint(c.rng, (0.05, 0.15), (0.0, 0.15), (0.4, 0.85))
    rows, columns = int(c.bottom / course) + 2, int(c.right / (2.2 * course)) + 3
    tone = 1.0 + 0.18 * c.rng.standard_normal((rows, columns))
    y = (np.arange(c.height) / c.side / course)[:, None]
    row = y.astype(np.int64)
    x = np.arange(c.width) / c.side / (2.2 * course) + 0.5 * (row % 2)
    column = x.astype(np.int64)
    joint = ((y - row) < 0.14) | ((x - column) < 0.07)
    brick = tone[row, column] * (1.0 + 0.1 * c.grain(c.height, c.width))
    c.stamp(0, 0, np.where(joint[..., None], rgb(mortar), brick[..., None] * rgb(colour)))


def court_lines(c: Canvas, count: int) -> None:
    """Painted lines along and across the ground."""
    for _ in range(count):
        colour = tint(c.rng, saturation=(0.0, 0.9), value=(0.7, 1.0))
        thick = c.uniform(0.01, 0.03)
        if c.chance(0.5):
            near, far = (
                c.on_ground(c.uniform(-1.0, 1.0), 0.5),
                c.on_ground(c.uniform(-1.5, 1.5), 3.0),
            )
            if far[1] < c.foot_line:
                share = (c.foot_line - near[1]) / min(far[1] - near[1], -1e-6)
                far = (near[0] + share * (far[0] - near[0]), c.foot_line)
            c.stroke([near, far], thick, colour, 0.85)
        else:
            y = c.uniform(c.foot_line, max(c.foot_line + 0.01, c.bottom))
            slope = c.uniform(-0.06, 0.06)
            c.stroke(
                [(0.0, max(y - slope, c.foot_line)), (c.right, max(y + slope, c.foot_line))],
                thick,
                colour,
                0.85,
            )


def lay_pavement(c: Canvas) -> None:
    """Asphalt, slabs, cobbles, gravel or concrete."""
    colour = tint(c.rng, (0.05, 0.65), (0.0, 0.12), (0.25, 0.8))
    if c.chance(0.45):
        tile = slabs(c, colour, int(c.rng.integers(2, 9)), c.uniform(0.55, 0.9))
        turn = float(c.rng.choice([0.0, c.uniform(0.0, 1.5)]))
        c.ground(tile, size=c.uniform(0.5, 1.2), turn=turn)
    else:
        c.ground(speckle(c, colour, c.uniform(0.04, 0.16), octaves=7), size=c.uniform(0.4, 1.2))
    if c.chance(0.4):
        court_lines(c, int(c.rng.integers(1, 4)))
    if c.chance(0.4):
        c.box(0.0, c.foot_line, c.right, c.uniform(0.01, 0.05), shaded(colour, c.uniform(0.5, 1.4)))


def railing(c: Canvas, high: float) -> None:
    """Posts and rails before what lies behind."""
    colour = tint(c.rng, (0.0, 0.16), (0.0, 0.5), (0.08, 0.85))
    y, step = c.foot_line - high, c.uniform(0.02, 0.12)
    for x in np.arange(c.uniform(-step, 0.0), c.right, step).tolist():
        c.box(x, y, step * c.uniform(0.15, 0.5), high, shaded(colour, c.uniform(0.7, 1.3)))
    for share in (0.0, 0.8):
        c.box(0.0, y + share * high, c.right, c.uniform(0.008, 0.02), colour)
