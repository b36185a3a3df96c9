"""Frames in rows on a page for print, each with its time and (where scored) its bar beneath."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stam_core.render.colour import normalise
from stam_core.render.overlay import overlay_frames
from stam_core.render.sheet import (
    FAINT,
    MARGIN,
    PAGE_WIDTH,
    Look,
    Sheet,
    bar_colours,
    digits_of,
    number_bars,
    plain_axes,
)
from stam_core.render.words import time_stamp

if TYPE_CHECKING:
    from stam_core.render.evidence import Evidence, HeatStyle

# Inches.
COLUMNS = 8
GAP = 0.05
STAMP_HEIGHT = 0.15
BARS_HEIGHT = 0.36
ROW_GAP = 0.07
AXIS_WIDTH = 0.34  # left of the frames: the bars' scale
THUMBNAIL_PIXELS = 320  # sharp at 300 dots per inch
# A thumbnail's height as a multiple of its width; beyond these the frame does not fill its place.
FLATTEST, TALLEST = 0.25, 1.8
PITCH = (PAGE_WIDTH - AXIS_WIDTH - MARGIN) / COLUMNS  # from one frame to the next


@dataclass(frozen=True)
class FrameRows:
    """How many frames stand beside each other, and how high they are; lengths in inches."""

    count: int
    picture_height: float
    bars_height: float = 0.0

    @property
    def columns(self) -> int:
        """Frames in a row."""
        return min(COLUMNS, self.count)

    @property
    def row_height(self) -> float:
        """From one row to the next."""
        return self.picture_height + STAMP_HEIGHT + ROW_GAP + self.bars_height

    @property
    def height(self) -> float:
        """Of all rows."""
        return -(-self.count // self.columns) * self.row_height

    def place(self, index: int, top: float) -> tuple[float, float]:
        """The left and upper edge of a frame, the first row being at `top`."""
        row, column = divmod(index, self.columns)
        return AXIS_WIDTH + column * PITCH, top + row * self.row_height


def rows_for(count: int, height: int, width: int, *, bars: bool) -> FrameRows:
    """The rows that `count` frames of `width` x `height` pixels need."""
    picture = (PITCH - GAP) * min(max(height / width, FLATTEST), TALLEST)
    return FrameRows(count, picture, BARS_HEIGHT if bars else 0.0)


def rows_of(evidence: Evidence) -> FrameRows:
    """The rows that a clip needs."""
    count, height, width = evidence.clip.frames.shape[:3]
    return rows_for(count, height, width, bars=evidence.frame_scores is not None)


def draw_frames(
    sheet: Sheet, rows: FrameRows, evidence: Evidence, style: HeatStyle, *, top: float
) -> None:
    """Every frame with its heat and its time."""
    pictures = overlay_frames(
        evidence,
        style=style,
        max_width=THUMBNAIL_PIXELS,
        max_height=round(THUMBNAIL_PIXELS * TALLEST),
    )
    for index, picture in enumerate(pictures):
        left, upper = rows.place(index, top)
        axes = sheet.axes(left, upper, PITCH - GAP, rows.picture_height)
        axes.imshow(picture, interpolation="none")
        axes.set_axis_off()
        stamp = time_stamp(float(evidence.clip.seconds[index]))
        centre = left + (PITCH - GAP) / 2
        look: Look = {"fontsize": 6, "ha": "center", "color": FAINT}
        sheet.text(centre, upper + rows.picture_height + 0.02, stamp, look)


def draw_bars(
    sheet: Sheet, rows: FrameRows, evidence: Evidence, style: HeatStyle, *, top: float
) -> None:
    """One bar per frame beneath its picture; all rows share one scale."""
    scores = evidence.frame_scores
    if scores is None or scores.frames is None:
        return
    scaled = normalise(scores.frames, signed=scores.signed, peak=style.bars_peak)
    low, high = float(scaled.low[0]), float(scaled.high[0])
    for first in range(0, rows.count, rows.columns):
        values = scores.frames[first : first + rows.columns]
        upper = rows.place(first, top)[1] + rows.picture_height + STAMP_HEIGHT
        width = len(values) * PITCH
        axes = sheet.axes(AXIS_WIDTH - GAP / 2, upper, width, BARS_HEIGHT - 0.04)
        axes.bar(range(len(values)), values, width=0.8, color=bar_colours(values, scores.signed))
        room = 1.35  # above the tallest bar: its number
        axes.set(xlim=(-0.5, len(values) - 0.5), ylim=(low * room, high * room or 1.0))
        number_bars(axes, values, digits=digits_of(high))
        axes.axhline(0, color=FAINT, linewidth=0.5)
        plain_axes(axes)
    label_top = top + rows.picture_height + STAMP_HEIGHT + BARS_HEIGHT / 2
    look: Look = {"fontsize": 5.5, "ha": "right", "va": "center", "color": FAINT}
    sheet.text(AXIS_WIDTH - 0.1, label_top, "frame\nscore", look)
