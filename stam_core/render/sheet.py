"""A page for print: places in inches, plain words, bars with their numbers.

Every word is drawn as plain text: clip names and labels are untrusted, and a `$` must not start a
formula.
Figures are made without pyplot, so that threads may draw at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.text import Text

from stam_core.render.colour import lut
from stam_core.render.words import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

# All lengths of the page are in inches; the width is a journal's two columns.
PAGE_WIDTH = 7.2
MARGIN = 0.12
DPI = 300

FONT = "DejaVu Sans"  # ships with matplotlib: the same page on every machine
INK = "#1a1a1a"
FAINT = "#6a6a6a"
BAR = "#3f6fa0"

Look = dict[str, Any]  # keywords of a matplotlib Text


@dataclass(frozen=True)
class Sheet:
    """A figure whose parts stand at places in inches from its top left."""

    figure: Figure
    height: float

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """New axes at a place given in inches from the page's top left."""
        bottom = self.height - top - height
        return self.figure.add_axes(
            (
                left / PAGE_WIDTH,
                bottom / self.height,
                width / PAGE_WIDTH,
                height / self.height,
            )
        )

    def text(self, left: float, top: float, words: str, look: Look | None = None) -> Text:
        """Plain text whose top is at `top`."""
        looks: Look = {"va": "top", "color": INK, "fontsize": 7, "family": FONT, **(look or {})}
        return self.figure.text(
            left / PAGE_WIDTH,
            1 - top / self.height,
            words,
            parse_math=False,
            **looks,
        )

    def lines(
        self, left: float, top: float, lines: Sequence[str], pitch: float, look: Look | None = None
    ) -> float:
        """Lines of plain text below each other; where the next one would stand."""
        for index, words in enumerate(lines):
            self.text(left, top + index * pitch, words, look)
        return top + len(lines) * pitch


def new_sheet(height: float) -> Sheet:
    """An empty page of journal width, `height` inches high."""
    return Sheet(Figure(figsize=(PAGE_WIDTH, height), dpi=DPI), height)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as the kind its suffix names: .png, .pdf or .svg."""
    figure.savefig(path, dpi=DPI, facecolor="white")


def bar_colours(values: NDArray[np.floating], signed: bool) -> list[str]:
    """A colour per bar: of two where scores have a sign."""
    if not signed:
        return [BAR] * len(values)
    against, for_it = (f"#{bytes(lut('blue-orange')[index]).hex()}" for index in (40, 215))
    return [for_it if value >= 0 else against for value in values]


def digits_of(largest: float) -> int:
    """Decimals that keep two figures of the largest score."""
    if largest <= 0:
        return 2
    return int(np.clip(1 - np.floor(np.log10(largest)), 0, 6))


def number_bars(axes: Axes, values: NDArray[np.floating], *, digits: int) -> None:
    """Each bar's value at its end."""
    for index, value in enumerate(values):
        axes.annotate(
            f"{value:.{digits}f}".replace("-", "−"),
            (index, float(value)),
            xytext=(0, 1.2 if value >= 0 else -1.2),
            textcoords="offset points",
            ha="center",
            va="bottom" if value >= 0 else "top",
            fontsize=5,
            color=INK,
            family=FONT,
            parse_math=False,
        )


def plain_axes(axes: Axes) -> None:
    """Without frame, ticks and background."""
    for side in ("top", "right", "bottom", "left"):
        axes.spines[side].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.patch.set_alpha(0)


@cache
def _known_characters() -> frozenset[int]:
    """Code points the page's font can draw."""
    return frozenset(get_font(findfont(FontProperties(family=FONT))).get_charmap())


def plain_text(text: object, limit: int) -> str:
    """Untrusted text on one line; characters the font lacks become an empty box."""
    known = _known_characters()
    return "".join(
        letter if ord(letter) in known else "□" for letter in one_line(text, limit=limit)
    )


def wrapped(text: str, *, width: int = 150) -> list[str]:
    """Words in lines of at most `width` characters."""
    lines: list[str] = []
    for word in plain_text(text, 2000).split():
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
