"""A figure for print of two sides: each clip with its scores, then what they say in a table.

Every word on it is drawn as plain text: clip names and labels are untrusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stam_core.render.evidence import Evidence, HeatStyle
from stam_core.render.figures import draw_story, story_height
from stam_core.render.sheet import (
    FAINT,
    MARGIN,
    PAGE_WIDTH,
    Look,
    Sheet,
    new_sheet,
    plain_text,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from stam_core.render.comparison import SharedScale

# Inches.
SIDE_HEIGHT = 0.2  # of a side's name above it
LINE = 0.125
GROUP_GAP = 0.08
COLUMNS = (MARGIN, 2.1, 4.7)  # heading, left, right
CELL_WIDTHS = (34, 46, 46)  # characters that fit


@dataclass(frozen=True)
class Group:
    """Lines of the table under a heading."""

    title: str
    help: str
    rows: Sequence[Sequence[str]]  # heading, left, right


@dataclass(frozen=True)
class Comparison:
    """Two sides and what they say."""

    sides: tuple[Evidence, Evidence]
    names: tuple[str, str]  # of the sides
    scale: SharedScale
    heads: Sequence[str]  # of the table's columns, the first one empty
    groups: Sequence[Group]
    notes: Sequence[str] = ()  # sentences: the scale, the agreement


def render_comparison(comparison: Comparison) -> Figure:
    """Both sides below each other on one scale where they have one, then the table.

    Returns:
        A figure of journal width; write it with `save_figure`.
    """
    scale = comparison.scale
    style = HeatStyle(heat_peak=scale.heat_peak, bars_peak=scale.bars_peak)
    notes = [line for note in comparison.notes for line in wrapped(note, width=140)]
    table = _lines(comparison)
    sides = sum(SIDE_HEIGHT + story_height(side) for side in comparison.sides)
    gaps = GROUP_GAP * (len(comparison.groups) + 1)
    sheet = new_sheet(sides + (len(notes) + len(table)) * LINE + gaps + MARGIN)
    top = 0.0
    for name, side in zip(comparison.names, comparison.sides, strict=True):
        sheet.text(MARGIN, top + 0.08, plain_text(name, 60), {"fontsize": 8, "color": FAINT})
        draw_story(sheet, side, style, top=top + SIDE_HEIGHT)
        top += SIDE_HEIGHT + story_height(side)
    top = sheet.lines(MARGIN, top, notes, LINE, {"fontsize": 6.5})
    _draw_table(sheet, table, top=top)
    return sheet.figure


Line = tuple[Sequence[str], Look, bool]  # cells, how they look, whether there is a gap before it


def _lines(comparison: Comparison) -> list[Line]:
    """The table, each cell's words on as many lines as they need."""
    bold: Look = {"weight": "bold"}
    faint: Look = {"color": FAINT, "fontsize": 5.5}
    found = _wrapped_row(comparison.heads, bold)
    for group in comparison.groups:
        if group.title:
            found.append(((group.title,), bold, True))
            found += [((line,), faint, False) for line in wrapped(group.help, width=150)]
        for row in group.rows:
            found += _wrapped_row(row, {})
    return found


def _wrapped_row(cells: Sequence[str], look: Look) -> list[Line]:
    parts = [wrapped(cell, width=width) for cell, width in zip(cells, CELL_WIDTHS, strict=True)]
    count = max(1, *(len(part) for part in parts))
    filled = [[*part, *[""] * (count - len(part))] for part in parts]
    return [(line, look, False) for line in zip(*filled, strict=True)]


def _draw_table(sheet: Sheet, table: Sequence[Line], *, top: float) -> None:
    top += GROUP_GAP
    for cells, look, gap in table:
        top += GROUP_GAP * gap
        for left, words in zip(COLUMNS, cells, strict=False):
            room = 160 if len(cells) == 1 else round((PAGE_WIDTH - left) * 30)
            sheet.text(left, top, plain_text(words, room), {"fontsize": 6.5, **look})
        top += LINE
