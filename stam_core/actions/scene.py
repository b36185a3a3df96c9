"""What surrounds the person: colours, light and the background, plain or cluttered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MARGIN_SHARE = (
    0.08  # of the picture's side: how much background lies outside it, for the camera to drift over
)
_SKINS = np.array(
    [[245, 214, 190], [224, 184, 150], [198, 150, 115], [160, 110, 78], [120, 80, 56], [88, 58, 42]]
)
_HAIRS = np.array([[30, 24, 20], [70, 45, 28], [120, 80, 45], [200, 165, 100], [150, 150, 150]])
_LEAST_CONTRAST = 0.30  # distance in RGB [0,1] between clothes and the background's average


@dataclass(frozen=True, eq=False)
class Look:
    """Colours of one person, RGB in [0,1], by the name a body part asks for."""

    colours: dict[str, NDArray[np.float32]]
    light: NDArray[np.float32]  # [3] direction towards the light: right, down, towards the camera
    ambient: float  # share of light that comes from everywhere


def _contrasting(
    rng: np.random.Generator, against: list[NDArray[np.float32]], least: float
) -> NDArray[np.float32]:
    """A random colour that differs from all colours of `against`, or the best of twelve tries."""
    tries = rng.uniform(0.03, 0.97, (12, 3)).astype(np.float32)
    distance = np.min([np.linalg.norm(tries - colour, axis=1) for colour in against], axis=0)
    good = np.flatnonzero(distance > least)
    picked: NDArray[np.float32] = tries[good[0] if len(good) else int(distance.argmax())]
    return picked


def choose_look(rng: np.random.Generator, background: NDArray[np.float32]) -> Look:
    """Colours and light of a person who can be told from the `background` [H,W,3] in [0,1]."""
    average = background.mean(axis=(0, 1))
    skins = _SKINS / 255.0 + rng.normal(0.0, 0.02, 3)
    far = np.linalg.norm(skins - average, axis=1)
    likely = np.flatnonzero(far > 0.5 * _LEAST_CONTRAST)
    skin = skins[rng.choice(likely) if len(likely) else int(far.argmax())].astype(np.float32)
    shirt = _contrasting(rng, [average, skin], _LEAST_CONTRAST)
    trousers = _contrasting(rng, [average, shirt], _LEAST_CONTRAST)
    sleeve_kind, leg_kind = rng.random(2)
    colours = {
        "skin": skin,
        "hair": (_HAIRS[rng.integers(len(_HAIRS))] / 255.0).astype(np.float32),
        "shirt": shirt,
        "sleeve": skin if sleeve_kind < 0.15 else shirt * 0.92,
        "forearm": shirt * 0.92 if sleeve_kind > 0.6 else skin,
        "trousers": trousers,
        "shin": skin if leg_kind < 0.3 else trousers,
        "shoe": _contrasting(rng, [average], 0.25),
        "stool": _contrasting(rng, [average, trousers], 0.2),
    }
    light = np.array([rng.uniform(-0.8, 0.8), rng.uniform(-0.9, -0.2), 0.8])
    return Look(
        colours={name: np.clip(colour, 0.0, 1.0) for name, colour in colours.items()},
        light=(light / np.linalg.norm(light)).astype(np.float32),
        ambient=float(rng.uniform(0.5, 0.75)),
    )


def _ramp(
    rng: np.random.Generator, height: int, width: int, strength: float
) -> NDArray[np.float32]:
    """A linear change of brightness in a random direction, [H,W,1], mean 0."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    ys, xs = np.mgrid[0:height, 0:width]
    ramp = np.cos(angle) * (xs / width - 0.5) + np.sin(angle) * (ys / height - 0.5)
    sloped: NDArray[np.float32] = (strength * ramp)[..., None].astype(np.float32)
    return sloped


def _smooth_noise(
    rng: np.random.Generator, height: int, width: int, cells: int, channels: int
) -> NDArray[np.float32]:
    """Random values on a coarse grid, bilinearly enlarged to [H,W,channels], in [-1,1]."""
    grid = rng.uniform(-1.0, 1.0, (cells + 1, cells + 1, channels))
    ys, xs = np.linspace(0, cells - 1e-6, height), np.linspace(0, cells - 1e-6, width)
    y0, x0 = ys.astype(int), xs.astype(int)
    fy, fx = (ys - y0)[:, None, None], (xs - x0)[None, :, None]
    rows = grid[y0] * (1 - fy) + grid[y0 + 1] * fy  # [H,cells+1,C]
    smooth: NDArray[np.float32] = (rows[:, x0] * (1 - fx) + rows[:, x0 + 1] * fx).astype(np.float32)
    return smooth


def _stripes(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Soft stripes or a chequered pattern, [H,W,1] in [-1,1]."""
    ys, xs = np.mgrid[0:height, 0:width] / min(height, width)
    angle, count = rng.uniform(0.0, np.pi), rng.uniform(3.0, 12.0)
    along = np.cos(angle) * xs + np.sin(angle) * ys
    across = np.cos(angle) * ys - np.sin(angle) * xs
    wave = np.sin(2.0 * np.pi * count * along)
    if rng.random() < 0.4:
        wave = wave * np.sin(2.0 * np.pi * count * across)
    pattern: NDArray[np.float32] = np.clip(3.0 * wave, -1.0, 1.0)[..., None].astype(np.float32)
    return pattern


def _put_things(picture: NDArray[np.float32], rng: np.random.Generator, things: int) -> None:
    """Boxes and blobs of random colour on the wall, none as strongly coloured as a person."""
    height, width = picture.shape[:2]
    side = min(height, width)
    average = picture.mean(axis=(0, 1))
    ys, xs = np.mgrid[0:height, 0:width]
    for _ in range(things):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        half_w, half_h = rng.uniform(0.03, 0.22, 2) * side
        colour = average + rng.uniform(-0.28, 0.28, 3)
        dx, dy = np.abs(xs - x) / half_w, np.abs(ys - y) / half_h
        inside = (np.maximum(dx, dy) if rng.random() < 0.6 else dx**2 + dy**2) < 1.0
        picture[inside] += rng.uniform(0.6, 1.0) * (colour - picture[inside])


def paint_background(
    rng: np.random.Generator, *, width: int, height: int, floor_y: float, clutter: float
) -> NDArray[np.float32]:
    """A wall and perhaps a floor.

    Args:
        rng: settles everything random.
        width: of the picture, pixels.
        height: of the picture, pixels.
        floor_y: where the person's feet stand, in pixels from the picture's top.
        clutter: in [0,1]; the chance that the wall is more than one colour, and how much stands in
            front of it.

    Returns:
        [H+2m, W+2m, 3] values in [0,1], m the margin on every side.
    """
    side = min(width, height)
    margin = margin_pixels(width, height)
    full_h, full_w = height + 2 * margin, width + 2 * margin
    wall = rng.uniform(0.1, 0.9) + rng.normal(0.0, 0.12, 3)
    picture = np.broadcast_to(wall.astype(np.float32), (full_h, full_w, 3)).copy()
    if rng.random() < clutter:
        picture += _ramp(rng, full_h, full_w, float(rng.uniform(0.0, 0.4)))
        kind = rng.random()
        if kind < 0.35:
            cells = int(rng.integers(3, 16))
            strength = float(rng.uniform(0.04, 0.16))
            picture += strength * _smooth_noise(rng, full_h, full_w, cells, int(rng.choice([1, 3])))
        elif kind < 0.55:
            picture += float(rng.uniform(0.02, 0.09)) * _stripes(rng, full_h, full_w)
        if rng.random() < 0.6:
            _put_things(picture, rng, int(rng.integers(1, 7)))
    if rng.random() < 0.3 + 0.4 * clutter:
        # The floor meets the wall somewhat above the feet, further up the more the camera looks
        # down.
        line = int(np.clip(floor_y - rng.uniform(0.02, 0.22) * side, 0.4 * height, height)) + margin
        picture[line:] += (rng.uniform(-0.2, 0.2) + rng.normal(0.0, 0.05, 3)).astype(np.float32)
    return np.clip(picture, 0.02, 0.98)


def margin_pixels(width: int, height: int) -> int:
    """Pixels of background on every side beyond the picture."""
    return round(MARGIN_SHARE * min(width, height))
