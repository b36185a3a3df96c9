"""The panels of an edited clip's figure: both answers class by class, and the curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stam_core.render.sheet import (
    BAR,
    FAINT,
    FONT,
    INK,
    MARGIN,
    PAGE_WIDTH,
    Look,
    Sheet,
    plain_axes,
    plain_text,
    wrapped,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from stam_core.render.edited import EditedClip
    from stam_core.types import Explanation

# Inches.
HEADING = 0.2
TOLD_LINES, TOLD_LINE = 3, 0.1  # a chart's sentence
CHART_HEIGHT = 1.15
CHARTS_HEIGHT = HEADING + TOLD_LINES * TOLD_LINE + CHART_HEIGHT + 0.42
DECISION_LEFT, DECISION_WIDTH = 0.5, 1.9
DEPTH_LEFT, DEPTH_WIDTH = 2.75, 0.85
ORDER_LEFT, ORDER_WIDTH = 4.75, PAGE_WIDTH - 4.75 - 0.2
SUFFIX = "#c2742f"  # the other curve
ORDERS = {
    "original": "as opened",
    "reversed": "reversed",
    "shuffles": "shuffled",
    "frozen": "frozen on one frame",
}


def draw_answer(
    sheet: Sheet, edited: EditedClip, classes: Sequence[int], *, top: float, line: float
) -> None:
    """Bar: now. Mark: the clip as opened. Then both in figures, and the change."""
    sheet.text(MARGIN, top, "Answer to the edited clip", {"weight": "bold"})
    legend = "bar: edited; mark: as opened"
    sheet.text(1.85, top + 0.01, legend, {"fontsize": 6, "color": FAINT})
    before, after = edited.original.probabilities, edited.edited.probabilities
    columns = {"edited": 4.95, "as opened": 5.75, "change, points": PAGE_WIDTH - MARGIN}
    for name, right in columns.items():
        sheet.text(right, top + 0.01, name, {"fontsize": 6, "ha": "right", "color": FAINT})
    height = len(classes) * line
    axes = sheet.axes(1.85, top + HEADING, 2.4, height)
    places = np.arange(len(classes))
    axes.barh(places, [float(after[index]) for index in classes], height=0.68, color=BAR)
    marks = [float(before[index]) for index in classes]
    axes.vlines(marks, places - 0.45, places + 0.45, color=INK, linewidth=1.2)
    axes.set(xlim=(0, 1), ylim=(len(classes) - 0.5, -0.5))
    plain_axes(axes)
    for place, index in enumerate(classes):
        at = top + HEADING + place * line + 0.02
        weight = "bold" if index == edited.target.index else "normal"
        label = plain_text(edited.original.labels[index], 30)
        sheet.text(1.8, at, label, {"fontsize": 6.5, "ha": "right", "weight": weight})
        change = 100 * float(after[index] - before[index])
        moved = "as opened" if abs(change) < 0.05 else f"{change:+.1f}".replace("-", "−")
        figures = (f"{after[index]:.1%}", f"{before[index]:.1%}", moved)
        for words, right in zip(figures, columns.values(), strict=True):
            sheet.text(right, at, words, {"fontsize": 6.5, "ha": "right"})


def draw_charts(sheet: Sheet, edited: EditedClip, *, top: float) -> None:
    """When it decided, layer by layer, and whether order matters; what is computed of them."""
    foil = edited.target.foil is not None
    chart_top = top + HEADING + TOLD_LINES * TOLD_LINE + 0.06
    if edited.decision is not None:
        _say(sheet, MARGIN, top, "When did it decide?", edited.told.get("decision", ""))
        axes = sheet.axes(DECISION_LEFT, chart_top, DECISION_WIDTH, CHART_HEIGHT)
        _draw_decision(axes, edited.decision, foil=foil)
        depth = edited.decision.series.get("depth")
        if depth is not None and len(depth):
            axes = sheet.axes(DEPTH_LEFT, chart_top, DEPTH_WIDTH, CHART_HEIGHT)
            axes.bar(range(1, len(depth) + 1), depth, width=0.7, color=BAR)
            _scale(axes, foil=foil, side="y")
            axes.set_yticklabels([])
            axes.set_xticks(range(1, len(depth) + 1, max(1, len(depth) // 6)))
            _name(axes, "after temporal layer")
    if edited.order is not None:
        left = 3.95
        _say(sheet, left, top, "Does order matter?", edited.told.get("order", ""))
        axes = sheet.axes(ORDER_LEFT, chart_top, ORDER_WIDTH, CHART_HEIGHT)
        _draw_order(axes, edited.order, foil=foil)


def _say(sheet: Sheet, left: float, top: float, heading: str, sentence: str) -> None:
    sheet.text(left, top, heading, {"weight": "bold"})
    lines = wrapped(sentence, width=78)[:TOLD_LINES]
    sheet.lines(left, top + HEADING - 0.03, lines, TOLD_LINE, {"fontsize": 5.5, "color": FAINT})


def _draw_decision(axes: Axes, decision: Explanation, *, foil: bool) -> None:
    for name, colour, words in (
        ("suffix", SUFFIX, "last n frames"),
        ("prefix", BAR, "first n frames"),
    ):
        row = decision.series.get(name)
        if row is None:
            continue
        axes.plot(range(len(row)), row, color=colour, linewidth=1, marker="o", markersize=2)
        height = 0.2 if name == "prefix" else 0.08
        look: dict[str, Any] = {"fontsize": 5.5, "ha": "right", "family": FONT}
        axes.text(0.97, height, words, color=colour, transform=axes.transAxes, **look)
    last = len(decision.series["prefix"]) - 1
    axes.set_xticks(range(0, last + 1, max(1, last // 8)))
    _scale(axes, foil=foil, side="y")
    _name(axes, "frames given")


def _draw_order(axes: Axes, order: Explanation, *, foil: bool) -> None:
    names = [name for name in ORDERS if name in order.series]
    for place, name in enumerate(names):
        row = np.asarray(order.series[name], np.float64)
        # Spread up and down by a fixed rule, so that dots of one value can be told apart.
        off = [0.0] if len(row) == 1 else [((at * 7) % 11 - 5) * 0.05 for at in range(len(row))]
        size = 14 if len(row) == 1 else 4
        axes.scatter(row, place + np.array(off), s=size, color=BAR, alpha=0.8, linewidths=0)
        if len(row) > 1:
            axes.vlines(float(np.median(row)), place - 0.35, place + 0.35, color=INK, linewidth=0.8)
    axes.set_ylim(len(names) - 0.5, -0.5)
    _scale(axes, foil=foil, side="x")
    axes.set_yticks(range(len(names)), [ORDERS[name] for name in names])
    axes.tick_params(axis="y", length=0)
    _name(axes, "difference of probabilities" if foil else "probability")


def _scale(axes: Axes, *, foil: bool, side: str) -> None:
    """From 0 (a difference: from −1) to 1, with lines at the quarters."""
    ticks = [-1.0, -0.5, 0.0, 0.5, 1.0] if foil else [0.0, 0.25, 0.5, 0.75, 1.0]
    room = 0.03 * (ticks[-1] - ticks[0])
    ends = (ticks[0] - room, ticks[-1] + room)
    words = [f"{100 * tick:.0f} %".replace("-", "−") for tick in ticks]
    if side == "y":
        axes.set_ylim(*ends)
        axes.set_yticks(ticks, words)
    else:
        axes.set_xlim(*ends)
        axes.set_xticks(ticks, words)
    axes.grid(axis="y" if side == "y" else "x", color="#e5e5e5", linewidth=0.5)
    axes.set_axisbelow(True)


def _name(axes: Axes, words: str) -> None:
    look: Look = {"fontsize": 5.5, "family": FONT, "color": FAINT}
    axes.set_xlabel(words, labelpad=2, **look)
    axes.tick_params(length=2, width=0.4, pad=1.5, labelsize=5.5, labelfontfamily=FONT)
    for spine in axes.spines.values():
        spine.set_linewidth(0.4)
        spine.set_color(FAINT)
