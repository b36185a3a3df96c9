"""A figure for print of an edited clip: the strip, the answer, the curves, attention and effect.

Every word on it is drawn as plain text: clip names and labels are untrusted.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from stam_core.render.edited import EditedClip, Row
from stam_core.render.edited_panels import CHARTS_HEIGHT, draw_answer, draw_charts
from stam_core.render.frame_rows import (
    GAP,
    PITCH,
    TALLEST,
    THUMBNAIL_PIXELS,
    FrameRows,
    rows_for,
)
from stam_core.render.overlay import fit_frame
from stam_core.render.sheet import (
    BAR,
    FAINT,
    INK,
    MARGIN,
    PAGE_WIDTH,
    Look,
    Sheet,
    bar_colours,
    digits_of,
    new_sheet,
    number_bars,
    plain_axes,
    plain_text,
    wrapped,
)
from stam_core.render.words import time_stamp

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Inches.
HEADER_HEIGHT = 0.46  # without the lines that say what the edit is
MARKS_HEIGHT = 0.11  # under each frame: what was done to it
ANSWER_LINE = 0.14
HEADING = 0.2
BARS_LEFT = 1.55  # the method's title stands to the left
BARS_HEIGHT = 0.4
LINE = 0.115
MOVED = "#b45309"  # an outline of what was moved, repeated or brought in
SCALE_WORDS = (
    "Each row has its own scale. Orange speaks for the class, blue against it; attention has no "
    "sign."
)
REMOVED_BRIGHTNESS = 0.35


def render_edited(edited: EditedClip) -> Figure:
    """The edited strip with its answer and all that was measured, on one page.

    Args:
        edited: rows and curves that are not computed are left out.

    Returns:
        A figure of journal width; write it with `save_figure`.
    """
    first = edited.clips[0].frames
    strip = rows_for(max(len(edited.places), 1), first.shape[1], first.shape[2], bars=False)
    marks = -(-strip.count // strip.columns) * MARKS_HEIGHT
    words = wrapped(edited.edit_words, width=135)
    strip_top = HEADER_HEIGHT + len(words) * LINE
    said = [*edited.sentences, edited.told.get("sufficient", "")]
    told = [line for sentence in said for line in wrapped(sentence)]
    rows = [row for row in edited.rows if row.explanation is not None]
    answer_top = strip_top + strip.height + marks
    charts_top = answer_top + HEADING + len(shown_classes(edited)) * ANSWER_LINE + 0.12
    charts = CHARTS_HEIGHT if edited.decision is not None or edited.order is not None else 0.0
    bars_top = charts_top + charts
    bars = HEADING + 0.24 + len(rows) * BARS_HEIGHT + 0.06 if rows else 0.0
    told_top = bars_top + bars
    sheet = new_sheet(told_top + len(told) * LINE + MARGIN)
    _draw_header(sheet, edited, words)
    _draw_strip(sheet, strip, edited, top=strip_top)
    draw_answer(sheet, edited, shown_classes(edited), top=answer_top, line=ANSWER_LINE)
    draw_charts(sheet, edited, top=charts_top)
    if rows:
        _draw_rows(sheet, edited, rows, top=bars_top)
    sheet.lines(MARGIN, told_top, told, LINE, {"fontsize": 6})
    return sheet.figure


def shown_classes(edited: EditedClip, count: int = 4) -> list[int]:
    """The likeliest classes of both answers, those asked about, likeliest as opened first."""
    before, after = edited.original.probabilities, edited.edited.probabilities
    shown = {edited.target.index}
    if edited.target.foil is not None:
        shown.add(edited.target.foil)
    for answer in (before, after):
        shown |= {int(index) for index in np.argsort(-answer, kind="stable")[:count]}
    return sorted(shown, key=lambda index: (-before[index], index))


def _draw_header(sheet: Sheet, edited: EditedClip, words: list[str]) -> None:
    name = plain_text(PurePath(edited.clip_names[0]).name or edited.clip_names[0], 60)
    sheet.text(MARGIN, 0.1, name, {"fontsize": 9, "weight": "bold"})
    facts = [plain_text(edited.model.title, 60)]
    if len(edited.clips) > 1:
        second = PurePath(edited.clip_names[1]).name or edited.clip_names[1]
        facts.append(f"second clip: {plain_text(second, 50)}")
    sheet.text(MARGIN, 0.28, "   |   ".join(facts), {"color": FAINT})
    sheet.lines(MARGIN, 0.41, words, LINE)


def _draw_strip(sheet: Sheet, strip: FrameRows, edited: EditedClip, *, top: float) -> None:
    """The frames in their new order; what was done to each is drawn on it and written below."""
    for index, place in enumerate(edited.places):
        left, upper = strip.place(index, top)
        upper += index // strip.columns * MARKS_HEIGHT
        clip = edited.clips[place.clip]
        picture = fit_frame(
            clip.frames[place.frame],
            max_width=THUMBNAIL_PIXELS,
            max_height=round(THUMBNAIL_PIXELS * TALLEST),
        )
        axes = sheet.axes(left, upper, PITCH - GAP, strip.picture_height)
        changes = edited.changes(index)
        if place.kept:
            axes.imshow(picture, interpolation="none")
        else:
            grey = 255 - (255 - picture.mean(axis=2)) * REMOVED_BRIGHTNESS
            axes.imshow(grey, cmap="gray", vmin=0, vmax=255, interpolation="none")
            for ends in ((0, 1), (1, 0)):
                axes.plot((0, 1), ends, color=INK, linewidth=0.8, transform=axes.transAxes)
        _outline(axes, moved=bool(set(changes) - {"removed"}))
        stamp = f"{place.frame + 1}  ·  {time_stamp(float(clip.seconds[place.frame]))}"
        centre = left + (PITCH - GAP) / 2
        below = upper + strip.picture_height + 0.02
        look: Look = {"fontsize": 6, "ha": "center", "color": FAINT}
        sheet.text(centre, below, stamp, look)
        if changes:
            looks: Look = {**look, "color": MOVED if place.kept else INK, "weight": "bold"}
            sheet.text(centre, below + 0.1, ", ".join(changes), looks)


def _outline(axes: Axes, *, moved: bool) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(moved)
        spine.set_color(MOVED)
        spine.set_linewidth(1.4)


def _draw_rows(sheet: Sheet, edited: EditedClip, rows: list[Row], *, top: float) -> None:
    """One row of bars per method, aligned with the frames; every row on a scale of its own."""
    about = f"for “{plain_text(edited.target_label, 30)}”"
    if edited.foil_label is not None:
        about += f" rather than “{plain_text(edited.foil_label, 30)}”"
    heading = f"Attention against effect, {about}; the clip as opened"
    sheet.text(MARGIN, top, heading, {"weight": "bold"})
    sheet.text(MARGIN, top + HEADING - 0.03, SCALE_WORDS, {"fontsize": 5.5, "color": FAINT})
    width = PAGE_WIDTH - MARGIN - BARS_LEFT
    count = edited.clips[0].num_frames
    for frame in range(count):
        centre = BARS_LEFT + (frame + 0.5) * width / count
        look: Look = {"fontsize": 5.5, "ha": "center", "color": FAINT}
        sheet.text(centre, top + HEADING + 0.1, str(frame + 1), look)
    for index, row in enumerate(rows):
        _draw_row(sheet, row, width, top=top + HEADING + 0.24 + index * BARS_HEIGHT)


def _draw_row(sheet: Sheet, row: Row, width: float, *, top: float) -> None:
    found = row.explanation
    assert found is not None
    title = plain_text(row.title, 40)
    if found.done < 1:
        title += f" ({found.done:.0%})"
    sheet.text(MARGIN, top + 0.06, title, {"fontsize": 6.5})
    notes = wrapped(row.note, width=38)
    sheet.lines(MARGIN, top + 0.18, notes[:3], 0.08, {"fontsize": 4.5, "color": FAINT})
    if found.frames is None:
        return
    values = np.asarray(found.frames, np.float64)
    ends = [np.abs(values).max(), *(np.abs(found.series[name]).max() for name in _ends(row))]
    peak = float(max(ends)) or 1.0
    axes = sheet.axes(BARS_LEFT, top, width, BARS_HEIGHT - 0.04)
    axes.bar(range(len(values)), values, width=0.8, color=bar_colours(values, found.signed))
    if _ends(row):
        low, high = found.series["low"], found.series["high"]
        axes.vlines(range(len(values)), low, high, color=INK, linewidth=0.5)
    if len(values) <= 32:  # beyond, figures would lie on each other
        number_bars(axes, values, digits=digits_of(peak))
    room = 1.45  # beyond the tallest bar: its number
    axes.set(xlim=(-0.5, len(values) - 0.5), ylim=(-peak * room * found.signed, peak * room))
    axes.axhline(0, color=FAINT if found.signed else BAR, linewidth=0.5)
    plain_axes(axes)


def _ends(row: Row) -> list[str]:
    series = {} if row.explanation is None else row.explanation.series
    return [name for name in ("low", "high") if name in series]
