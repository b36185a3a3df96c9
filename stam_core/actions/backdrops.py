"""The family of backdrops and the light and lens that make pictures of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

from stam_core.actions import indoors, outdoors, streets
from stam_core.actions.canvas import Canvas, fractal

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# Painter and how often it is chosen.
BACKDROPS: dict[str, tuple[Callable[[Canvas], None], float]] = {
    "room": (indoors.room, 0.24),
    "office": (indoors.office, 0.06),
    "gym": (indoors.gym, 0.07),
    "curtain": (indoors.curtain, 0.02),
    "studio": (indoors.studio, 0.06),
    "stage": (indoors.stage, 0.03),
    "street": (streets.street, 0.10),
    "avenue": (streets.avenue, 0.05),
    "park": (outdoors.park, 0.08),
    "forest": (outdoors.forest, 0.02),
    "field": (outdoors.field, 0.07),
    "beach": (outdoors.beach, 0.03),
    "wall outside": (streets.wall_outside, 0.06),
    "from above": (outdoors.from_above, 0.03),
    "abstract": (outdoors.abstract, 0.03),
    "leaves": (outdoors.leaves, 0.03),
    "lights": (outdoors.lights, 0.02),
}


def paint_backdrop(
    rng: np.random.Generator,
    *,
    width: int,
    height: int,
    feet: float,
    horizon: float,
    name: str | None = None,
) -> NDArray[np.float32]:
    """A picture of some place.

    Args:
        rng: settles everything random.
        width: of the picture, pixels.
        height: of the picture, pixels.
        feet: the row where the person stands, pixels.
        horizon: the row at infinity, pixels.
        name: of one of `BACKDROPS`; at random where None.

    Returns:
        [H,W,3] values in [0,1].
    """
    names, weights = list(BACKDROPS), np.array([weight for _, weight in BACKDROPS.values()])
    chosen = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    side = min(width, height)
    canvas = Canvas(rng, width=width, height=height, feet=feet / side, horizon=horizon / side)
    BACKDROPS[name or chosen][0](canvas)
    return _photographed(rng, canvas.finished(), canvas.noise)


def _photographed(
    rng: np.random.Generator, picture: NDArray[np.float32], noise: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Light that falls unevenly, stains and wear, a lens that may be out of focus, a tone curve."""
    height, width = picture.shape[:2]
    light = np.exp(_uneven_light(rng, height, width)).astype(np.float32)
    light *= 1.0 + np.float32(rng.uniform(0.0, 0.07)) * noise
    picture = picture * light[..., None]
    blur = float(
        rng.choice([0.0, rng.uniform(0.2, 0.8), rng.uniform(0.8, 2.2)], p=[0.4, 0.45, 0.15])
    )
    if blur > 0.0:
        picture = _blurred(picture, blur * min(height, width) / 128.0)
    # Desaturation and contrast differ between cameras and weather; haze lifts the dark.
    grey = (picture @ np.full(3, 1.0 / 3.0, dtype=np.float32))[..., None]
    picture = grey + np.float32(rng.uniform(0.45, 1.05)) * (picture - grey)
    middle = float(picture.mean())
    wanted = float(np.clip(middle + rng.normal(0.0, 0.1), 0.17, 0.82))
    picture = wanted + np.float32(rng.uniform(0.7, 1.3)) * (picture - middle)
    cast = 1.0 + np.clip(rng.normal(0.0, 0.03, 3), -0.08, 0.08).astype(np.float32)
    toned: NDArray[np.float32] = np.clip(picture * cast, 0.0, 1.0).astype(np.float32)
    return toned


def _uneven_light(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Logarithm of the light [H,W]: a slope, soft unevenness, vignetting, a patch of sun."""
    side = min(height, width)
    ys = (np.arange(height, dtype=np.float32)[:, None] - 0.5 * height) / side
    xs = (np.arange(width, dtype=np.float32)[None, :] - 0.5 * width) / side
    slope = rng.normal(0.0, 0.25, 2)
    light = slope[0] * xs + slope[1] * ys
    light = light + rng.uniform(0.0, 0.12) * fractal(rng, height, width, octaves=2, roughness=0.5)
    light = light - rng.uniform(0.0, 0.7) * rng.random() * (xs**2 + ys**2)
    if rng.random() < 0.25:
        # Sun through a window, or the shadow of something outside the picture: a slanted band.
        tilt, place, wide = rng.uniform(-1.2, 1.2), rng.uniform(-0.5, 0.5), rng.uniform(0.05, 0.35)
        across = np.abs(xs + tilt * ys - place)
        band = np.clip((wide - across) * side / rng.uniform(1.0, 6.0), 0.0, 1.0)
        if rng.random() < 0.5:
            start, end = np.sort(rng.uniform(-0.5, 0.5, 2))
            band = band * np.clip((ys - start) * 20.0, 0.0, 1.0) * np.clip((end - ys) * 20.0, 0, 1)
        light = light + rng.uniform(-0.6, 0.6) * band
    lit: NDArray[np.float32] = np.asarray(light, dtype=np.float32)
    return lit


def _blurred(picture: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    """Out of focus by about `radius` pixels."""
    values = (np.clip(picture, 0.0, 1.0) * 255.0).astype(np.uint8)
    soft = Image.fromarray(values).filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(soft, dtype=np.float32) / np.float32(255.0)
