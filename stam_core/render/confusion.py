"""Which actions a model takes for which: a matrix that is readable for 4 classes and for 400.

Few classes get their names and figures on the matrix. With many, the matrix shows the pattern, and
the pairs that are mixed up most often stand beside it by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from stam_core.render.colour import colour_map
from stam_core.render.sheet import DPI, FAINT, FONT, INK, PAGE_WIDTH, Look, plain_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

MOST_NAMED = 40  # classes whose names fit beside a matrix of a page's width
FEW = 12  # classes whose cells have room for large figures
MOST_FIGURES = 24  # classes whose cells have room for a figure
PAIRS = 24  # of classes mixed up, named beside a large matrix
LABEL_LIMIT = 28  # characters
# Inches.
HEADER, FOOTER, MARGIN = 0.55, 0.42, 0.12
SIDE = 4.4  # of the matrix
NAME_ROOM = 1.75  # for names beside and below it
COLOURS = "viridis"
GAMMA = 0.5  # shares are coloured by their square root: rare confusions are the ones looked for
LIGHT_FROM = 0.4  # share of a row from which its colour needs dark figures


def render_confusion(
    counts: NDArray[np.int64], labels: Sequence[str], *, title: str, subtitle: str = ""
) -> Figure:
    """Rows are the truth, columns the answers; each row is coloured by its own shares.

    Args:
        counts: [n,n] clips of class row that were taken for class column.
        labels: [n] untrusted text.
        title: heading.
        subtitle: small print below it.

    Returns:
        A figure of journal width; write it with `save_figure`.
    """
    named = len(labels) <= MOST_NAMED
    below = NAME_ROOM if named else FOOTER
    height = HEADER + SIDE + below + MARGIN
    figure = Figure(figsize=(PAGE_WIDTH, height), dpi=DPI)
    left = NAME_ROOM if named else 0.5
    axes = figure.add_axes((left / PAGE_WIDTH, below / height, SIDE / PAGE_WIDTH, SIDE / height))
    shares = _row_shares(counts)
    image = axes.imshow(
        shares,
        cmap=colour_map(COLOURS),
        norm=PowerNorm(GAMMA, 0, 1),
        interpolation="none",
        aspect="auto",
    )
    _words(figure, MARGIN, 1 - 0.1 / height, plain_text(title, 90), fontsize=9, weight="bold")
    _words(figure, MARGIN, 1 - 0.29 / height, plain_text(subtitle, 150), color=FAINT)
    if named:
        _name_classes(axes, labels)
        if len(labels) <= MOST_FIGURES:
            _write_counts(axes, counts, shares)
    else:
        _number_classes(axes, labels)
    bar_left = (left + SIDE + 0.12) / PAGE_WIDTH
    bar_height = 1.1 if not named else SIDE
    bar = figure.colorbar(
        image,
        cax=figure.add_axes((bar_left, below / height, 0.1 / PAGE_WIDTH, bar_height / height)),
    )
    bar.outline.set_linewidth(0.4)
    bar.set_ticks([0.0, 0.1, 0.5, 1.0])
    bar.ax.set_yticklabels(
        ["0", "10 %", "50 %", "100 %"], fontsize=6, family=FONT, parse_math=False
    )
    bar.ax.tick_params(length=2, width=0.4, pad=1.5)
    if not named:
        _list_pairs(figure, counts, labels, left=(left + SIDE + 0.12), height=height)
    return figure


def _row_shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """[n,n] shares of each row; not a number, so left white, where a class has no clips."""
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.full(counts.shape, np.nan)
    np.divide(counts, totals, out=shares, where=totals > 0)
    return shares


def _name_classes(axes: Axes, labels: Sequence[str]) -> None:
    look: Look = {
        "fontsize": float(np.clip(200 / max(len(labels), 1), 4.5, 7)),
        "family": FONT,
        "color": INK,
        "parse_math": False,
    }
    names = [plain_text(label, LABEL_LIMIT) for label in labels]
    places = range(len(labels))
    axes.set_yticks(places, names, **look)
    axes.set_xticks(places, names, rotation=90, **look)
    axes.tick_params(length=0, pad=2)
    _axis_titles(axes)


def _number_classes(axes: Axes, labels: Sequence[str]) -> None:
    """Names do not fit: places in the model's order, every fiftieth or so."""
    step = max(1, round(len(labels) / 8 / 10) * 10)
    places = list(range(0, len(labels), step))
    axes.set_xticks(places, [str(place) for place in places], fontsize=6, family=FONT)
    axes.set_yticks(places, [str(place) for place in places], fontsize=6, family=FONT)
    axes.tick_params(length=2, width=0.4, pad=1.5)
    _axis_titles(axes)


def _axis_titles(axes: Axes) -> None:
    axes.set_xlabel("recognised as", fontsize=7, family=FONT, color=FAINT)
    axes.set_ylabel("shows", fontsize=7, family=FONT, color=FAINT)
    for spine in axes.spines.values():
        spine.set_linewidth(0.4)


def _write_counts(axes: Axes, counts: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
    for row, column in zip(*np.nonzero(counts), strict=True):
        light = shares[row, column] > LIGHT_FROM
        axes.text(
            column,
            row,
            f"{counts[row, column]}",
            ha="center",
            va="center",
            fontsize=6 if len(counts) <= FEW else 4.5,
            family=FONT,
            color=INK if light else "white",
        )


def _list_pairs(
    figure: Figure, counts: NDArray[np.int64], labels: Sequence[str], *, left: float, height: float
) -> None:
    """The pairs that are mixed up most often, by name and number of clips."""
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    lines = []
    for place in order.tolist():
        row, column = divmod(place, len(labels))
        if wrong[row, column]:
            pair = f"{plain_text(labels[row], 19)} → {plain_text(labels[column], 19)}"
            lines.append(f"{wrong[row, column]}×  {pair}")
    top = HEADER + 0.02
    _words(figure, left, 1 - top / height, "Most often mixed up", weight="bold", fontsize=6.5)
    for number, line in enumerate(lines or ["nothing"], start=1):
        _words(figure, left, 1 - (top + 0.03 + number * 0.118) / height, line, fontsize=4.6)


def _words(figure: Figure, left: float, bottom: float, words: str, **look: object) -> None:
    looks: Look = {"va": "top", "color": INK, "fontsize": 7, "family": FONT, **look}
    figure.text(left / PAGE_WIDTH, bottom, words, parse_math=False, **looks)
