"""Something to paint a backdrop on: shapes, textures and a ground plane in perspective.

Places are in shares of the picture's shorter side, right and down from its top left corner. Shapes
are drawn at twice the size and reduced afterwards, which smooths their edges.
"""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from numpy.typing import NDArray

Colour = tuple[float, float, float]  # RGB in [0,1]
_FINE = 2  # how much larger than the picture shapes are drawn


def tint(
    rng: np.random.Generator,
    hue: tuple[float, float] = (0.0, 1.0),
    saturation: tuple[float, float] = (0.0, 0.25),
    value: tuple[float, float] = (0.1, 0.9),
) -> Colour:
    """A random colour; all three ranges in [0,1], hues wrap around (0 red, 1/3 green, 2/3 blue)."""
    drawn = (float(rng.uniform(*hue)) % 1.0, float(rng.uniform(*saturation)))
    return colorsys.hsv_to_rgb(*drawn, float(rng.uniform(*value)))


def shaded(colour: Colour, factor: float) -> Colour:
    """The colour brighter or darker, within [0,1]."""
    red, green, blue = (min(1.0, max(0.0, factor * part)) for part in colour)
    return red, green, blue


def fractal(
    rng: np.random.Generator,
    height: int,
    width: int,
    *,
    coarsest: float = 2.0,
    octaves: int = 6,
    roughness: float = 0.6,
    stretch: float = 1.0,
) -> NDArray[np.float32]:
    """Noise with about as much change at every scale, as pictures of nature have.

    Args:
        rng: settles everything random.
        height: pixels.
        width: pixels.
        coarsest: cells along a side in the first octave; each next one has twice as many.
        octaves: how many are added.
        roughness: strength of an octave relative to the one before.
        stretch: cells down the picture for one across: above 1 for lying streaks, below for
            standing ones.

    Returns:
        [H,W] with mean 0 and standard deviation 1.
    """
    total = np.zeros((2, 2), dtype=np.float32)
    for octave in range(octaves):
        cells = coarsest * 2.0**octave
        rows = min(max(round(cells * stretch**0.5), 2), height)
        columns = min(max(round(cells / stretch**0.5), 2), width)
        total = _enlarged(total, rows, columns)
        total += np.float32(roughness**octave) * rng.standard_normal(
            (rows, columns), dtype=np.float32
        )
    total = _enlarged(total, height, width)
    total -= total.mean()
    total *= np.float32(1.0 / max(float(np.sqrt(np.vdot(total, total) / total.size)), 1e-6))
    return total


def _enlarged(field: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    image = Image.fromarray(field).resize((width, height), Image.Resampling.BILINEAR)
    return np.array(image)


def _bytes(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    scaled = values * np.float32(255.0)
    np.minimum(np.maximum(scaled, 0.0, out=scaled), 255.0, out=scaled)
    return scaled.astype(np.uint8)


def rgb(colour: Colour) -> NDArray[np.float32]:
    """The colour as an array [3]."""
    return np.array(colour, dtype=np.float32)


class Canvas:
    """A picture being painted."""

    def __init__(
        self, rng: np.random.Generator, *, width: int, height: int, feet: float, horizon: float
    ) -> None:
        """A black picture.

        Args:
            rng: settles everything random.
            width: pixels.
            height: pixels.
            feet: the row where the person stands, in shares of the shorter side.
            horizon: the row at infinity, in shares of the shorter side.
        """
        self.rng = rng
        self.width, self.height, self.side = width, height, min(width, height)
        self.right, self.bottom = width / self.side, height / self.side
        self.feet, self.horizon = feet, min(horizon, feet - 0.06)
        # The ground ends (at a wall, a hedge) somewhere between the horizon and the feet.
        self.foot_line = self.feet - float(rng.uniform(0.15, 0.8)) * min(
            self.feet - self.horizon, 0.5
        )
        nearness = (self.foot_line - self.horizon) / (self.feet - self.horizon)
        # How large a metre is where the ground ends; people fill two thirds of the picture.
        self.metre = float(rng.uniform(0.38, 0.5)) * max(0.4, nearness)
        self.image = Image.new("RGB", (width * _FINE, height * _FINE))
        self.pen = ImageDraw.Draw(self.image, "RGBA")
        self.noise = fractal(rng, height, width, coarsest=2.0, octaves=6, roughness=0.72)
        mirrored = np.concatenate([self.noise, self.noise[::-1]])
        self.tiled = np.concatenate([mirrored, mirrored[:, ::-1]], axis=1)

    def uniform(self, low: float, high: float) -> float:
        """A random number between the two, whichever is larger: rows may lie above the picture."""
        return float(self.rng.uniform(min(low, high), max(low, high)))

    def chance(self, share: float) -> bool:
        """True in this share of the cases."""
        return bool(self.rng.random() < share)

    def _ink(self, colour: Colour, opacity: float) -> tuple[int, int, int, int]:
        red, green, blue = (int(255 * min(1.0, max(0.0, part))) for part in colour)
        return red, green, blue, int(255 * opacity)

    def polygon(
        self, points: list[tuple[float, float]], colour: Colour, opacity: float = 1.0
    ) -> None:
        """Fill a polygon."""
        scale = self.side * _FINE
        self.pen.polygon([(scale * x, scale * y) for x, y in points], self._ink(colour, opacity))

    def box(
        self, x: float, y: float, wide: float, high: float, colour: Colour, opacity: float = 1.0
    ) -> None:
        """Fill a rectangle whose top left corner is (x, y)."""
        scale = self.side * _FINE
        corners = (scale * x, scale * y, scale * (x + max(0.0, wide)), scale * (y + max(0.0, high)))
        self.pen.rectangle(corners, self._ink(colour, opacity))

    def disc(
        self, x: float, y: float, wide: float, high: float, colour: Colour, opacity: float = 1.0
    ) -> None:
        """Fill an ellipse around (x, y)."""
        scale = self.side * _FINE
        wide, high = 0.5 * wide, 0.5 * high
        corners = (
            scale * (x - wide),
            scale * (y - high),
            scale * (x + wide),
            scale * (y + high),
        )
        self.pen.ellipse(corners, self._ink(colour, opacity))

    def stroke(
        self,
        points: list[tuple[float, float]],
        thick: float,
        colour: Colour,
        opacity: float = 1.0,
    ) -> None:
        """Draw a line through the points."""
        scale = self.side * _FINE
        self.pen.line(
            [(scale * x, scale * y) for x, y in points],
            self._ink(colour, opacity),
            max(1, round(scale * thick)),
        )

    def solid(self, x: float, y: float, wide: float, high: float, colour: Colour) -> None:
        """A box with a cast shadow, a lit top edge and a darker flank: it stands out."""
        aside = self.uniform(-0.02, 0.02)
        for grown in (0.02, 0.012, 0.005):
            self.box(
                x + aside - grown, y + 0.01, wide + 2 * grown, high + grown, (0.0, 0.0, 0.0), 0.1
            )
        self.box(x, y, wide, high, colour)
        self.box(x, y, wide, min(0.012, 0.2 * high), (1.0, 1.0, 1.0), 0.22)
        flank = wide * self.uniform(0.04, 0.35)
        left = x if aside > 0.0 else x + wide - flank
        self.box(left, y, flank, high, (0.0, 0.0, 0.0), 0.16)
        self.box(x, y + 0.8 * high, wide, 0.2 * high, (0.0, 0.0, 0.0), 0.1)

    def grain(self, height: int, width: int) -> NDArray[np.float32]:
        """A piece [height,width] of the picture's noise from a random place."""
        start = self.rng.integers(0, 2 * self.side, 2).tolist()
        # The tiled noise holds four mirrored copies, so no seam shows wherever a piece begins.
        tiled = self.tiled
        top, left = start[0] % (2 * self.height - height), start[1] % (2 * self.width - width)
        piece: NDArray[np.float32] = tiled[top : top + height, left : left + width]
        return piece

    def stamp(
        self,
        left: int,
        top: int,
        colours: NDArray[np.floating],
        cover: NDArray[np.floating] | None = None,
    ) -> None:
        """Put colours [h,w,3] with the opacity `cover` [h,w] at (left, top), in pixels."""
        size = (colours.shape[1] * _FINE, colours.shape[0] * _FINE)
        mask = None
        if cover is not None:
            mask = Image.fromarray(_bytes(cover)).resize(size, Image.Resampling.BILINEAR)
        piece = Image.fromarray(_bytes(colours)).resize(size, Image.Resampling.NEAREST)
        self.image.paste(piece, (left * _FINE, top * _FINE), mask)

    def textured(self, top: float, bottom: float, colour: Colour, strength: float) -> None:
        """Fill the picture from row `top` to row `bottom` with a colour and noise."""
        first, last = self._rows(top), self._rows(bottom)
        if last <= first:
            return
        noise = 1.0 + strength * self.grain(last - first, self.width)
        self.stamp(0, first, noise[..., None] * rgb(colour))

    def _rows(self, place: float) -> int:
        return int(np.clip(round(place * self.side), 0, self.height))

    def ramp(self, top: float, bottom: float, upper: Colour, lower: Colour) -> None:
        """Fill rows with a change from one colour to another, a sky for example."""
        first, last = self._rows(top), self._rows(bottom)
        if last <= first:
            return
        share = np.linspace(0.0, 1.0, last - first)[:, None, None]
        rows = (1.0 - share) * rgb(upper) + share * rgb(lower)
        self.stamp(0, first, np.repeat(rows, self.width, axis=1))

    def foliage(
        self, x: float, y: float, wide: float, high: float, colour: Colour, ragged: float = 0.4
    ) -> None:
        """A tree's crown, a bush or a hedge: ragged light and dark leaves around (x, y)."""
        pixels = self.side
        left, top = int((x - 0.65 * wide) * pixels), int((y - 0.65 * high) * pixels)
        right, bottom = int((x + 0.65 * wide) * pixels) + 1, int((y + 0.65 * high) * pixels) + 1
        left, top = max(left, 0), max(top, 0)
        right, bottom = min(right, self.width), min(bottom, self.height)
        if right - left < 2 or bottom - top < 2:
            return
        across = (np.arange(left, right) / pixels - x) / (0.5 * wide)
        down = ((np.arange(top, bottom) / pixels - y) / (0.5 * high))[:, None]
        shape = self.grain(bottom - top, right - left)
        cover = 5.0 * (1.0 - np.sqrt(across**2 + down**2) + 0.5 * ragged * shape)
        leaves = self.grain(bottom - top, right - left)
        light = np.clip(1.05 + 0.36 * leaves - 0.28 * down - 0.15 * across, 0.25, 2.0)
        self.stamp(left, top, light[..., None] * rgb(colour), np.clip(cover, 0.0, 1.0))

    def ground(
        self,
        tile: NDArray[np.floating],
        *,
        size: float,
        turn: float = 0.0,
        top: float | None = None,
    ) -> None:
        """Spread a tile over the ground plane from row `top` down.

        Args:
            tile: [N,N,3] colours; repeats.
            size: of the tile where the person stands, in shares of the picture's shorter side.
            turn: of the tile, radians.
            top: where the ground ends; the canvas's foot line where None.
        """
        first = self._rows(self.foot_line if top is None else top)
        if first >= self.height:
            return
        below = np.arange(first, self.height, dtype=np.float32) / self.side - self.horizon
        away = (self.feet - self.horizon) / np.maximum(below, 0.006)[:, None]  # [h,1] 1 at the feet
        x = (np.arange(self.width, dtype=np.float32) / self.side - 0.5 * self.right) * away
        # Mirrored tiles must not mirror each other about the picture's middle.
        x += self.uniform(0.0, 2.0 * size)
        z = 2.2 * away + self.uniform(0.0, 2.0 * size)
        n = len(tile)
        # Every other tile is mirrored, so that no seam shows.
        across = ((np.cos(turn) * x + np.sin(turn) * z) * (n / size)).astype(np.int64) % (2 * n)
        along = ((np.cos(turn) * z - np.sin(turn) * x) * (n / size)).astype(np.int64) % (2 * n)
        across, along = np.minimum(across, 2 * n - 1 - across), np.minimum(along, 2 * n - 1 - along)
        seen = 1.0 / (1.0 + (0.25 * away[..., None]) ** 2)  # far away only the average is left
        average = tile.mean(axis=(0, 1))
        self.stamp(0, first, average + seen * (tile[along, across] - average))

    def on_ground(self, x: float, z: float) -> tuple[float, float]:
        """Where a point of the ground lands.

        Args:
            x: to the right, in shares of the picture's side at the person's distance.
            z: distance from the camera; the person is at 1.
        """
        down = (self.feet - self.horizon) / max(z, 0.05)
        return 0.5 * self.right + x / max(z, 0.05), self.horizon + down

    def finished(self) -> NDArray[np.float32]:
        """The picture, [H,W,3] in [0,1]."""
        reduced = np.asarray(self.image.reduce(_FINE), dtype=np.float32)
        return reduced / np.float32(255.0)
