"""A figure for print: sampled frames with their heat, temporal bars, the answer, the small print.

Every word on it is drawn as plain text: clip names and labels are untrusted, and a `$` must not
start a formula.
Figures are made without pyplot, so that threads may draw at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.text import Text

from stam_core.render.colour import colour_map, lut, normalise
from stam_core.render.evidence import Evidence, HeatStyle
from stam_core.render.overlay import overlay_frames
from stam_core.render.panels import panels_of
from stam_core.render.words import one_line, parameters_line, time_stamp

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from stam_core.render.panels import Panel

# All lengths of the page are in inches; the width is a journal's two columns.
PAGE_WIDTH = 7.2
MARGIN = 0.12
COLUMNS = 8
GAP = 0.05
STAMP_HEIGHT = 0.15
BARS_HEIGHT = 0.36
ROW_GAP = 0.07
HEADER_HEIGHT = 0.56
ANSWER_HEIGHT = 1.0
PANELS_HEIGHT = 2.0  # pairs and curves, where a method has such
CAVEAT_LINE = 0.115
AXIS_WIDTH = 0.34  # left of the frames: the bars' scale
THUMBNAIL_PIXELS = 320  # sharp at 300 dots per inch
# A thumbnail's height as a multiple of its width; beyond these the frame does not fill its place.
FLATTEST, TALLEST = 0.25, 1.8
DPI = 300

FONT = "DejaVu Sans"  # ships with matplotlib: the same page on every machine
INK = "#1a1a1a"
FAINT = "#6a6a6a"
BAR = "#3f6fa0"
TOP_ACTIONS = 5


Look = dict[str, Any]  # keywords of a matplotlib Text


@dataclass(frozen=True)
class _Page:
    """The figure and where its parts stand, in inches from the top left."""

    figure: Figure
    height: float
    rows: int
    columns: int
    pitch: float  # from one frame to the next
    picture_height: float
    row_height: float

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


def render_strip(evidence: Evidence, *, style: HeatStyle | None = None) -> Figure:
    """The whole story of one clip on one page.

    Args:
        evidence: the clip, the prediction and (optional) the scores.
        style: how heat is drawn; None for the defaults.

    Returns:
        A figure of journal width; write it with `save_figure`.
    """
    style = style or HeatStyle()
    caveat = _wrapped(evidence.caveat)
    page = _new_page(evidence, caveat_lines=len(caveat))
    _draw_header(page, evidence)
    _draw_frames(page, evidence, style)
    _draw_bars(page, evidence)
    answer_top = HEADER_HEIGHT + page.rows * page.row_height
    _draw_panels(page, evidence, top=answer_top)
    answer_top += _panels_height(evidence)
    _draw_answer(page, evidence, top=answer_top)
    _draw_colour_bar(page, evidence, style, top=answer_top)
    for index, line in enumerate(caveat):
        top = answer_top + ANSWER_HEIGHT + index * CAVEAT_LINE
        page.text(MARGIN, top, line, {"fontsize": 6, "color": FAINT, "style": "italic"})
    return page.figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as the kind its suffix names: .png, .pdf or .svg."""
    figure.savefig(path, dpi=DPI, facecolor="white")


def _new_page(evidence: Evidence, *, caveat_lines: int) -> _Page:
    n_frames, height, width = evidence.clip.frames.shape[:3]
    columns = min(COLUMNS, n_frames)
    rows = -(-n_frames // columns)
    pitch = (PAGE_WIDTH - AXIS_WIDTH - MARGIN) / COLUMNS
    picture_height = (pitch - GAP) * min(max(height / width, FLATTEST), TALLEST)
    row_height = picture_height + STAMP_HEIGHT + ROW_GAP
    if evidence.frame_scores is not None:
        row_height += BARS_HEIGHT
    total = HEADER_HEIGHT + rows * row_height + _panels_height(evidence)
    total += ANSWER_HEIGHT + caveat_lines * CAVEAT_LINE + MARGIN
    figure = Figure(figsize=(PAGE_WIDTH, total), dpi=DPI)
    return _Page(figure, total, rows, columns, pitch, picture_height, row_height)


def _draw_header(page: _Page, evidence: Evidence) -> None:
    clip, scores = evidence.clip, evidence.explanation
    name = PurePath(evidence.clip_name).name or evidence.clip_name  # folders are private
    page.text(MARGIN, 0.1, _plain(name, 60), {"fontsize": 9, "weight": "bold"})
    facts = (
        f"{clip.num_frames} frames sampled from {clip.info.n_frames}, "
        f"{clip.info.width}×{clip.info.height}, {clip.info.duration_seconds:.1f} s"
    )
    page.text(MARGIN, 0.28, f"{facts}   |   {_plain(evidence.model.title, 60)}", {"color": FAINT})
    if scores is None:
        return
    said = [_plain(evidence.method_title or scores.method, 50)]
    if evidence.target_label is not None:
        said.append(f"for “{_plain(evidence.target_label, 30)}”")
    if evidence.foil_label is not None:
        said.append(f"rather than “{_plain(evidence.foil_label, 30)}”")
    parameters = parameters_line(scores.parameters)
    if parameters:
        said.append(f"({_plain(parameters, 90)})")
    if evidence.bars is not None:
        said.append(f"|   bars: {_plain(evidence.bars_title or evidence.bars.method, 50)}")
    page.text(MARGIN, 0.41, " ".join(said))


def _draw_frames(page: _Page, evidence: Evidence, style: HeatStyle) -> None:
    pictures = overlay_frames(
        evidence,
        style=style,
        max_width=THUMBNAIL_PIXELS,
        max_height=round(THUMBNAIL_PIXELS * TALLEST),
    )
    for index, picture in enumerate(pictures):
        row, column = divmod(index, page.columns)
        left = AXIS_WIDTH + column * page.pitch
        top = HEADER_HEIGHT + row * page.row_height
        axes = page.axes(left, top, page.pitch - GAP, page.picture_height)
        axes.imshow(picture, interpolation="none")
        axes.set_axis_off()
        stamp = time_stamp(float(evidence.clip.seconds[index]))
        centre = left + (page.pitch - GAP) / 2
        top += page.picture_height + 0.02
        page.text(centre, top, stamp, {"fontsize": 6, "ha": "center", "color": FAINT})


def _draw_bars(page: _Page, evidence: Evidence) -> None:
    """One bar per frame beneath its picture; all rows share one scale."""
    scores = evidence.frame_scores
    if scores is None or scores.frames is None:
        return
    scaled = normalise(scores.frames, signed=scores.signed)
    low, high = float(scaled.low[0]), float(scaled.high[0])
    for row in range(page.rows):
        values = scores.frames[row * page.columns : (row + 1) * page.columns]
        top = HEADER_HEIGHT + row * page.row_height + page.picture_height + STAMP_HEIGHT
        width = len(values) * page.pitch
        axes = page.axes(AXIS_WIDTH - GAP / 2, top, width, BARS_HEIGHT - 0.04)
        axes.bar(range(len(values)), values, width=0.8, color=_bar_colours(values, scores.signed))
        room = 1.35  # above the tallest bar: its number
        axes.set(xlim=(-0.5, len(values) - 0.5), ylim=(low * room, high * room or 1.0))
        _number_bars(axes, values, digits=_digits(high))
        axes.axhline(0, color=FAINT, linewidth=0.5)
        _plain_axes(axes)
    label_top = HEADER_HEIGHT + page.picture_height + STAMP_HEIGHT + BARS_HEIGHT / 2
    look: Look = {"fontsize": 5.5, "ha": "right", "va": "center", "color": FAINT}
    page.text(AXIS_WIDTH - 0.1, label_top, "frame\nscore", look)


def _bar_colours(values: NDArray[np.float32], signed: bool) -> list[str]:
    if not signed:
        return [BAR] * len(values)
    against, for_it = (f"#{bytes(lut('blue-orange')[index]).hex()}" for index in (40, 215))
    return [for_it if value >= 0 else against for value in values]


def _digits(largest: float) -> int:
    """Decimals that keep two figures of the largest score."""
    if largest <= 0:
        return 2
    return int(np.clip(1 - np.floor(np.log10(largest)), 0, 6))


def _number_bars(axes: Axes, values: NDArray[np.float32], *, digits: int) -> None:
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


def _plain_axes(axes: Axes) -> None:
    for side in ("top", "right", "bottom", "left"):
        axes.spines[side].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.patch.set_alpha(0)


def _panels(evidence: Evidence) -> list[Panel]:
    every = (evidence.explanation, evidence.bars)
    return [panel for scores in every if scores is not None for panel in panels_of(scores)]


def _panels_height(evidence: Evidence) -> float:
    return PANELS_HEIGHT if _panels(evidence) else 0.0


def _draw_panels(page: _Page, evidence: Evidence, *, top: float) -> None:
    """Side by side in one row."""
    panels = _panels(evidence)
    width = (PAGE_WIDTH - 2 * MARGIN) / max(2, len(panels))
    for place, (title, draw) in enumerate(panels):
        left = MARGIN + place * width
        page.text(left + 0.55, top + 0.08, _plain(title, 60), {"weight": "bold", "fontsize": 6.5})
        draw(page.axes(left + 0.55, top + 0.24, width - 0.7, PANELS_HEIGHT - 0.6))


def _draw_answer(page: _Page, evidence: Evidence, *, top: float) -> None:
    """The likeliest actions as bars, each with its name and its probability in figures."""
    page.text(MARGIN, top + 0.02, "Predicted action", {"weight": "bold"})
    best = evidence.prediction.top(TOP_ACTIONS)
    height = ANSWER_HEIGHT - 0.28
    axes = page.axes(1.5, top + 0.17, 1.7, height)
    axes.barh(range(len(best)), [probability for _, probability in best], height=0.7, color=BAR)
    axes.set(xlim=(0, 1), ylim=(max(len(best), 3) - 0.5, -0.5))
    _plain_axes(axes)
    for place, (label, probability) in enumerate(best):
        look: Look = {
            "fontsize": 6.5,
            "va": "center",
            "color": INK,
            "family": FONT,
            "parse_math": False,
        }
        axes.text(-0.03, place, _plain(label, 26), ha="right", **look)
        axes.text(probability + 0.02, place, f"{probability:.1%}", ha="left", **look)


def _draw_colour_bar(page: _Page, evidence: Evidence, style: HeatStyle, *, top: float) -> None:
    """Which score each colour stands for, in figures, and what the scores leave out."""
    scores = evidence.explanation
    left, width = 4.15, PAGE_WIDTH - 4.15 - 0.35
    said = ["Outlined: the part of each frame that the model saw."]
    if scores is not None and scores.patches is not None:
        scaled = normalise(
            scores.patches, signed=scores.signed, scale=style.scale, floor=style.floor
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


@cache
def _known_characters() -> frozenset[int]:
    """Code points the page's font can draw."""
    return frozenset(get_font(findfont(FontProperties(family=FONT))).get_charmap())


def _plain(text: object, limit: int) -> str:
    """Untrusted text on one line; characters the font lacks become an empty box."""
    known = _known_characters()
    return "".join(
        letter if ord(letter) in known else "□" for letter in one_line(text, limit=limit)
    )


def _wrapped(text: str, *, width: int = 150) -> list[str]:
    """Words in lines of at most `width` characters."""
    lines: list[str] = []
    for word in _plain(text, 2000).split():
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
