"""A figure for print: sampled frames with their heat, temporal bars, the answer, the small print.

Every word on it is drawn as plain text: clip names and labels are untrusted.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from stam_core.render.colour import colour_map, normalise
from stam_core.render.evidence import Evidence, HeatStyle
from stam_core.render.frame_rows import draw_bars, draw_frames, rows_of
from stam_core.render.panels import panels_of
from stam_core.render.sheet import (
    BAR,
    FAINT,
    FONT,
    INK,
    MARGIN,
    PAGE_WIDTH,
    Look,
    Sheet,
    new_sheet,
    plain_axes,
    plain_text,
    save_figure,
    wrapped,
)
from stam_core.render.words import parameters_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from stam_core.render.panels import Panel

__all__ = ["render_strip", "save_figure"]

# Inches.
HEADER_HEIGHT = 0.56
PANELS_HEIGHT = 2.0  # pairs and curves, where a method has such
ANSWER_HEIGHT = 1.0
CAVEAT_LINE = 0.115
TOP_ACTIONS = 5


def render_strip(evidence: Evidence, *, style: HeatStyle | None = None) -> Figure:
    """The whole story of one clip on one page.

    Args:
        evidence: the clip, the prediction and (optional) the scores.
        style: how heat is drawn; None for the defaults.

    Returns:
        A figure of journal width; write it with `save_figure`.
    """
    caveat = wrapped(evidence.caveat)
    caveat_top = story_height(evidence)
    page = new_sheet(caveat_top + len(caveat) * CAVEAT_LINE + MARGIN)
    draw_story(page, evidence, style or HeatStyle(), top=0.0)
    look: Look = {"fontsize": 6, "color": FAINT, "style": "italic"}
    page.lines(MARGIN, caveat_top, caveat, CAVEAT_LINE, look)
    return page.figure


def story_height(evidence: Evidence) -> float:
    """Inches that one clip takes on a page, without the small print."""
    return HEADER_HEIGHT + rows_of(evidence).height + _panels_height(evidence) + ANSWER_HEIGHT


def draw_story(page: Sheet, evidence: Evidence, style: HeatStyle, *, top: float) -> None:
    """One clip from `top` on: what it is, its frames, bars and curves, the answer, the colours."""
    rows = rows_of(evidence)
    _draw_header(page, evidence, top=top)
    draw_frames(page, rows, evidence, style, top=top + HEADER_HEIGHT)
    draw_bars(page, rows, evidence, style, top=top + HEADER_HEIGHT)
    panels_top = top + HEADER_HEIGHT + rows.height
    _draw_panels(page, evidence, top=panels_top)
    answer_top = panels_top + _panels_height(evidence)
    _draw_answer(page, evidence, top=answer_top)
    _draw_colour_bar(page, evidence, style, top=answer_top)


def _draw_header(page: Sheet, evidence: Evidence, *, top: float) -> None:
    clip = evidence.clip
    name = PurePath(evidence.clip_name).name or evidence.clip_name  # folders are private
    page.text(MARGIN, top + 0.1, plain_text(name, 60), {"fontsize": 9, "weight": "bold"})
    facts = (
        f"{clip.num_frames} frames sampled from {clip.info.n_frames}, "
        f"{clip.info.width}×{clip.info.height}, {clip.info.duration_seconds:.1f} s"
    )
    model = plain_text(evidence.model.title, 60)
    page.text(MARGIN, top + 0.28, f"{facts}   |   {model}", {"color": FAINT})
    page.text(MARGIN, top + 0.41, _method_words(evidence))


def _method_words(evidence: Evidence) -> str:
    """The method, the classes and the parameters on one line; "" where there is no method."""
    scores = evidence.explanation
    if scores is None:
        return ""
    said = [plain_text(evidence.method_title or scores.method, 50)]
    if evidence.target_label is not None:
        said.append(f"for “{plain_text(evidence.target_label, 30)}”")
    if evidence.foil_label is not None:
        said.append(f"rather than “{plain_text(evidence.foil_label, 30)}”")
    parameters = parameters_line(scores.parameters)
    if parameters:
        said.append(f"({plain_text(parameters, 90)})")
    if evidence.bars is not None:
        said.append(f"|   bars: {plain_text(evidence.bars_title or evidence.bars.method, 50)}")
    return " ".join(said)


def _panels(evidence: Evidence) -> list[Panel]:
    every = (evidence.explanation, evidence.bars)
    return [panel for scores in every if scores is not None for panel in panels_of(scores)]


def _panels_height(evidence: Evidence) -> float:
    return PANELS_HEIGHT if _panels(evidence) else 0.0


def _draw_panels(page: Sheet, evidence: Evidence, *, top: float) -> None:
    """Side by side in one row."""
    panels = _panels(evidence)
    width = (PAGE_WIDTH - 2 * MARGIN) / max(2, len(panels))
    for place, (title, draw) in enumerate(panels):
        left = MARGIN + place * width + 0.55  # the axis' numbers
        page.text(left, top + 0.08, plain_text(title, 60), {"weight": "bold", "fontsize": 6.5})
        draw(page.axes(left, top + 0.24, width - 0.7, PANELS_HEIGHT - 0.6))


def _draw_answer(page: Sheet, evidence: Evidence, *, top: float) -> None:
    """The likeliest actions as bars, each with its name and its probability in figures."""
    page.text(MARGIN, top + 0.02, "Predicted action", {"weight": "bold"})
    best = evidence.prediction.top(TOP_ACTIONS)
    height = ANSWER_HEIGHT - 0.28
    axes = page.axes(1.5, top + 0.17, 1.7, height)
    axes.barh(range(len(best)), [probability for _, probability in best], height=0.7, color=BAR)
    axes.set(xlim=(0, 1), ylim=(max(len(best), 3) - 0.5, -0.5))
    plain_axes(axes)
    for place, (label, probability) in enumerate(best):
        look: Look = {
            "fontsize": 6.5,
            "va": "center",
            "color": INK,
            "family": FONT,
            "parse_math": False,
        }
        axes.text(-0.03, place, plain_text(label, 26), ha="right", **look)
        axes.text(probability + 0.02, place, f"{probability:.1%}", ha="left", **look)


def _draw_colour_bar(page: Sheet, evidence: Evidence, style: HeatStyle, *, top: float) -> None:
    """Which score each colour stands for, in figures, and what the scores leave out."""
    scores = evidence.explanation
    left, width = 4.15, PAGE_WIDTH - 4.15 - 0.35
    said = ["Outlined: the part of each frame that the model saw."]
    if scores is not None and scores.patches is not None:
        scaled = normalise(
            scores.patches,
            signed=scores.signed,
            scale=style.scale,
            floor=style.floor,
            peak=style.heat_peak,
        )
        page.text(left, top + 0.02, "Score of a patch", {"weight": "bold"})
        axes = page.axes(left, top + 0.19, width, 0.12)
        ticks = _ticks(float(scaled.low[0]), float(scaled.high[0]), style)
        colours = ScalarMappable(Normalize(0, 1), colour_map(style.colours_for(scores.signed)))
        bar = page.figure.colorbar(colours, cax=axes, orientation="horizontal")
        bar.outline.set_linewidth(0.4)
        bar.set_ticks(np.linspace(0, 1, len(ticks)).tolist())
        bar.ax.set_xticklabels(ticks, fontsize=6, family=FONT, parse_math=False)
        bar.ax.tick_params(length=2, width=0.4, pad=1.5)
        said.insert(0, _scale_words(style))
    if scores is not None and scores.unattributed is not None:
        said.append(f"{scores.unattributed:.1%} of the relevance stays on CLS tokens: on no patch.")
    for index, words in enumerate(said):
        page.text(left, top + 0.49 + index * CAVEAT_LINE, words, {"fontsize": 6, "color": FAINT})


def _ticks(low: float, high: float, style: HeatStyle) -> list[str]:
    if style.scale == "frame":
        top = "frame's maximum"
        bottom = "frame's minimum" if style.floor == "lowest" else "0"
        return [bottom, top] if low >= 0 else [f"−{top}", "0", top]
    return [f"{value:.2g}".replace("-", "−") for value in np.linspace(low, high, 5)]


def _scale_words(style: HeatStyle) -> str:
    words = "One scale for all frames"
    if style.scale == "frame":
        words = "Own scale per frame: two frames do not compare"
    elif style.floor == "lowest":
        words += ", from the lowest score on"
    return f"{words}; {style.opacity:.0%} opacity."
