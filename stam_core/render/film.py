"""A film of the sampled frames with their heat, and a bar of time beneath; GIF where asked.

mp4 is written by `video.encode`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stam_core.render.colour import lut, normalise
from stam_core.render.evidence import Evidence, HeatStyle
from stam_core.render.overlay import overlay_frames
from stam_core.render.words import one_line, time_stamp

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILM_FPS = 5.0
HOLD_FRAMES = 2  # film frames per sampled frame: 0.4 s at 5 per second
PICTURE_WIDTH = 640  # pixels
PICTURE_HEIGHT = 480
PANEL_HEIGHT = 92  # pixels: caption, bars and the play head
MIN_FILM_WIDTH = 320  # so that the caption fits under a portrait clip
MARGIN = 8
BACKGROUND = (24, 26, 30)
INK = (238, 238, 238)
FAINT = (92, 98, 108)
GIF_SIDE = 400  # pixels: a GIF of the film's full size is ten times the mp4
Box = tuple[float, float, float, float]  # left, top, right, bottom


def render_film(evidence: Evidence, *, style: HeatStyle | None = None) -> NDArray[np.uint8]:
    """Film frames for `FILM_FPS`: each sampled frame held for 0.4 s.

    Args:
        evidence: the clip and its scores.
        style: how heat is drawn; None for the defaults.

    Returns:
        [n,H,W,3] RGB; H and W even, as 4:2:0 encoding asks.
    """
    style = style or HeatStyle()
    pictures = overlay_frames(
        evidence, style=style, max_width=PICTURE_WIDTH, max_height=PICTURE_HEIGHT
    )
    height, width = pictures[0].shape[:2]
    film_width = _even(max(width, MIN_FILM_WIDTH))
    picture_height = _even(height)
    left = (film_width - width) // 2
    stills = []
    for index, picture in enumerate(pictures):
        still = Image.new("RGB", (film_width, picture_height + PANEL_HEIGHT), BACKGROUND)
        still.paste(Image.fromarray(picture), (left, 0))
        _draw_panel(still, evidence, index, top=picture_height)
        stills.append(np.asarray(still))
    return np.repeat(np.stack(stills), HOLD_FRAMES, axis=0)


def write_gif(path: Path, frames: NDArray[np.uint8], fps: float) -> Path:
    """Write a film as a GIF that starts again at its end, whole or not at all.

    Each still has colours of its own: with one palette for all, heat would be drawn in the wrong
    ones. Stills that are held are stored once.

    Args:
        path: of the file to write; an existing one is replaced.
        frames: [n,H,W,3] RGB, from `render_film`.
        fps: frames per second; GIF counts in hundredths of a second.

    Returns:
        `path`.
    """
    stills: list[Image.Image] = []
    milliseconds: list[int] = []
    for index, frame in enumerate(frames):
        if index and np.array_equal(frame, frames[index - 1]):
            milliseconds[-1] += round(1000 / fps)
            continue
        still = Image.fromarray(frame)
        still.thumbnail((GIF_SIDE, GIF_SIDE), Image.Resampling.LANCZOS)
        stills.append(still.quantize(256, dither=Image.Dither.NONE))
        milliseconds.append(round(1000 / fps))
    part = path.with_name(path.name + ".part")
    try:
        stills[0].save(
            part, "GIF", save_all=True, append_images=stills[1:], duration=milliseconds, loop=0
        )
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _even(pixels: int) -> int:
    return pixels + pixels % 2


def _draw_panel(still: Image.Image, evidence: Evidence, index: int, *, top: int) -> None:
    """Caption line, then one bar per sampled frame with the current one lit."""
    draw = ImageDraw.Draw(still)
    font = ImageFont.load_default(13)
    label, probability = evidence.prediction.top(1)[0]
    stamp = f"{index + 1}/{evidence.clip.num_frames}   {time_stamp(evidence.clip.seconds[index])}"
    draw.text((MARGIN, top + 6), _drawable(f"{label} {probability:.0%}"), fill=INK, font=font)
    draw.text((still.width - MARGIN, top + 6), stamp, fill=INK, font=font, anchor="ra")
    area = (MARGIN, top + 28, still.width - MARGIN, top + PANEL_HEIGHT - 16)
    scores = evidence.frame_scores
    if scores is not None and scores.frames is not None:
        _draw_bars(draw, scores.frames, index, area, signed=scores.signed)
    _draw_time(draw, index, evidence.clip.num_frames, area)


def _drawable(text: str) -> str:
    return one_line(text, limit=28)


def _draw_bars(
    draw: ImageDraw.ImageDraw,
    scores: NDArray[np.float32],
    index: int,
    area: Box,
    *,
    signed: bool,
) -> None:
    """Bars up from zero, or down in the other colour; the current frame's at full brightness."""
    left, top, right, bottom = area
    values = normalise(scores, signed=signed).values
    pitch = (right - left) / len(values)
    zero = (top + bottom) / 2 if signed else bottom
    table = lut("blue-orange")
    for position, value in enumerate(values):
        tip = bottom - float(value) * (bottom - top)
        bright = np.array(table[205 if tip <= zero else 50], dtype=np.float64)
        colour = bright if position == index else bright * 0.5
        x = left + position * pitch
        draw.rectangle(
            (x + 1, min(tip, zero), x + pitch - 1, max(tip, zero)),
            fill=(int(colour[0]), int(colour[1]), int(colour[2])),
        )


def _draw_time(draw: ImageDraw.ImageDraw, index: int, n_frames: int, area: Box) -> None:
    """The bar of time: a faint line, and the current frame's share of it bright."""
    left, _, right, bottom = area
    pitch = (right - left) / n_frames
    draw.rectangle((left, bottom + 4, right, bottom + 7), fill=FAINT)
    start = left + index * pitch
    draw.rectangle((start, bottom + 3, start + pitch, bottom + 8), fill=INK)
