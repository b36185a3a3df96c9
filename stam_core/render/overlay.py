"""Heat laid over the part of the frame that the model saw, to the pixel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from stam_core.render.colour import colourise, normalise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stam_core.render.evidence import Evidence, HeatStyle, Smoothing
    from stam_core.types import CropBox

# A pixel whose centre lies on the crop's edge, up to rounding of its fractions, counts as inside.
EDGE_TOLERANCE = 1e-6
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, of R, G and B
OUTLINE_LIGHT = (255, 255, 255)
OUTLINE_DARK = (20, 20, 20)


def fit_frame(frame: NDArray[np.uint8], *, max_width: int, max_height: int) -> NDArray[np.uint8]:
    """Scale a frame [H,W,3] to touch a box of pixels, keeping its shape; tiny frames grow."""
    height, width = frame.shape[:2]
    ratio = min(max_width / width, max_height / height)
    size = max(1, round(width * ratio)), max(1, round(height * ratio))
    if size == (width, height):
        return frame
    # Enlarged frames keep their square pixels visible: smoothing would invent detail.
    how = Image.Resampling.NEAREST if ratio > 2 else Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(frame).resize(size, how))


def crop_pixels(box: CropBox, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of the frame whose centres lie in the crop; at least one of each."""
    return _span(box.top, box.height, height), _span(box.left, box.width, width)


def _span(start: float, length: float, pixels: int) -> slice:
    # pixel i covers [i, i+1); its centre i + 0.5 is inside from i = ceil(start - 0.5) on
    first = math.ceil(start * pixels - 0.5 - EDGE_TOLERANCE)
    stop = math.ceil((start + length) * pixels - 0.5 - EDGE_TOLERANCE)
    first = min(max(first, 0), pixels - 1)
    return slice(first, min(max(stop, first + 1), pixels))


def heat_in_crop(
    heat: NDArray[np.floating],
    box: CropBox,
    *,
    height: int,
    width: int,
    smoothing: Smoothing = "grid",
) -> NDArray[np.float32]:
    """The heat of each pixel of the crop.

    Args:
        heat: [h,w] one value per patch, row 0 at the crop's top.
        box: the crop, in fractions of the displayed frame.
        height: of the displayed frame, in pixels.
        width: of the displayed frame, in pixels.
        smoothing: "grid": a pixel has its patch's value; "smooth": bilinear between the patches.

    Returns:
        [rows, columns] of `crop_pixels(box, height, width)`.
    """
    rows, columns = crop_pixels(box, height, width)
    y = _patch_position(rows, box.top, box.height, height, heat.shape[0])  # [rows]
    x = _patch_position(columns, box.left, box.width, width, heat.shape[1])  # [columns]
    values = np.asarray(heat, dtype=np.float32)
    if smoothing == "grid":
        return values[np.floor(y).astype(np.intp)][:, np.floor(x).astype(np.intp)]
    return _blend(_blend(values, y).T, x).T


def _patch_position(
    span: slice, start: float, length: float, pixels: int, patches: int
) -> NDArray[np.float64]:
    """Where each pixel's centre lies, counted in patches: patch k covers [k, k+1)."""
    centres = np.arange(span.start, span.stop) + 0.5
    position = (centres - start * pixels) / (length * pixels) * patches
    return np.clip(position, 0.0, np.nextafter(patches, 0))


def _blend(values: NDArray[np.float32], position: NDArray[np.float64]) -> NDArray[np.float32]:
    """Linear interpolation along axis 0 between patch centres; flat beyond the outer ones."""
    along = np.clip(position - 0.5, 0.0, len(values) - 1)
    lower = np.floor(along).astype(np.intp)
    upper = np.minimum(lower + 1, len(values) - 1)
    share = (along - lower).astype(np.float32)[:, None]
    return values[lower] * (1 - share) + values[upper] * share


def render_overlay(
    frame: NDArray[np.uint8],
    heat: NDArray[np.floating] | None,
    box: CropBox,
    *,
    colours: str,
    style: HeatStyle,
    outline: bool = True,
) -> NDArray[np.uint8]:
    """One displayed frame with its heat on the crop that the model saw.

    Args:
        frame: [H,W,3] RGB as displayed.
        heat: [h,w] in [0,1] (see `normalise`); None draws the outline alone.
        box: the crop, in fractions of the frame.
        colours: a key of COLOUR_MAPS.
        style: opacity, smoothing and the brightness outside the crop.
        outline: draw the crop's edge.

    Returns:
        [H,W,3] RGB, a new array.
    """
    height, width = frame.shape[:2]
    rows, columns = crop_pixels(box, height, width)
    picture: NDArray[np.uint8] = np.rint(frame * np.float32(style.outside)).astype(np.uint8)
    inside = frame[rows, columns]
    if heat is not None:
        values = heat_in_crop(heat, box, height=height, width=width, smoothing=style.smoothing)
        colour = colourise(values, colours).astype(np.float32)
        mixed = _greyed(inside, style.opacity) * (1 - style.opacity) + colour * style.opacity
        inside = np.rint(mixed).astype(np.uint8)
    picture[rows, columns] = inside
    if outline:
        _draw_outline(picture, rows, columns)
    return picture


def _greyed(picture: NDArray[np.uint8], opacity: float) -> NDArray[np.float32]:
    """The picture under heat in grey: a yellow jacket must not pass for a high score.

    A trace of heat takes a trace of colour away, so that opacity 0 shows the frame as it is.
    """
    share = min(1.0, 4 * opacity)
    grey = (picture @ LUMA)[..., None]
    mixed: NDArray[np.float32] = (picture * (1 - share) + grey * share).astype(np.float32)
    return mixed


def overlay_frames(
    evidence: Evidence, *, style: HeatStyle, max_width: int, max_height: int
) -> list[NDArray[np.uint8]]:
    """Every sampled frame, scaled to fit, with its heat or else the crop's outline alone."""
    scores = evidence.explanation
    heat = None
    signed = scores is not None and scores.signed
    if scores is not None and scores.patches is not None:
        heat = normalise(
            scores.patches,
            signed=signed,
            scale=style.scale,
            floor=style.floor,
            peak=style.heat_peak,
        ).values  # [T,h,w]
    colours = style.colours_for(signed)
    return [
        render_overlay(
            fit_frame(frame, max_width=max_width, max_height=max_height),
            None if heat is None else heat[index],
            evidence.crop_box,
            colours=colours,
            style=style,
        )
        for index, frame in enumerate(evidence.clip.frames)
    ]


def _draw_outline(picture: NDArray[np.uint8], rows: slice, columns: slice) -> None:
    """A light line with a dark one inside it along the crop's edge, seen on any background."""
    thick = max(1, round(min(picture.shape[:2]) / 200))
    if min(rows.stop - rows.start, columns.stop - columns.start) < 8 * thick:
        return  # the line would hide the crop it should show
    for offset, colour in ((0, OUTLINE_LIGHT), (thick, OUTLINE_DARK)):
        top, bottom = rows.start + offset, rows.stop - offset
        left, right = columns.start + offset, columns.stop - offset
        picture[top : top + thick, left:right] = colour
        picture[bottom - thick : bottom, left:right] = colour
        picture[top:bottom, left : left + thick] = colour
        picture[top:bottom, right - thick : right] = colour
