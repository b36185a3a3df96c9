"""The curves of a training: every figure of its metrics over the steps, stage below stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from stam_core.render.words import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

Record = Mapping[str, Any]  # one line of a metrics file

# Neither figures of the training nor curves worth a panel.
_NO_CURVES = ("stage", "step", "seconds")
PANEL_WIDTH, PANEL_HEIGHT = 2.6, 1.9  # inches
INK, LINE, FAINT = "#1a1a1a", "#3f6fa0", "#c9d6e4"
_SMOOTHED_SHARE = 20  # one part in so many of a curve
_DPI = 120


def render_curves(records: Sequence[Record]) -> Figure:
    """A row of panels per stage, one per figure; thin: as recorded, thick: smoothed.

    Args:
        records: lines of a metrics file, with "stage", "step" and figures by name.
    """
    stages: dict[str, list[Record]] = {}
    for record in records:
        stages.setdefault(str(record["stage"]), []).append(record)
    names = {stage: _figures_of(mine) for stage, mine in stages.items()}
    rows, columns = len(stages), max(map(len, names.values()))
    figure = Figure(
        figsize=(columns * PANEL_WIDTH, rows * PANEL_HEIGHT), dpi=_DPI, layout="constrained"
    )
    panels = figure.subplots(rows, columns, squeeze=False)
    for row, (stage, mine) in enumerate(stages.items()):
        for column in range(columns):
            panel: Axes = panels[row][column]
            if column < len(names[stage]):
                _draw(panel, mine, stage, names[stage][column])
            else:
                panel.set_axis_off()
    return figure


def _figures_of(records: Sequence[Record]) -> list[str]:
    """The names of a stage's figures, in the order of their first record."""
    return list(dict.fromkeys(key for record in records for key in record if key not in _NO_CURVES))


def save_curves(figure: Figure, path: Path) -> None:
    """Write the curves as PNG, whatever the file's name ends with."""
    figure.savefig(path, format="png", facecolor="white")


def _draw(panel: Axes, records: Sequence[Record], stage: str, name: str) -> None:
    points = [(record["step"], record[name]) for record in records if name in record]
    steps, values = zip(*points, strict=True)
    smoothed = _smooth(values)
    if smoothed != list(values):
        panel.plot(steps, values, color=FAINT, linewidth=0.8)
    panel.plot(steps, smoothed, color=LINE, linewidth=1.3)
    title = one_line(f"{stage}: {name.replace('_', ' ')}", limit=40)
    panel.set_title(title, fontsize=8, color=INK, parse_math=False)
    panel.set_xlabel("step", fontsize=6)
    panel.tick_params(labelsize=6)
    panel.yaxis.get_offset_text().set_fontsize(6)
    panel.grid(color="#eeeeee", linewidth=0.5)
    panel.spines[["top", "right"]].set_visible(False)


def _smooth(values: Sequence[float]) -> list[float]:
    """The running mean of the last twentieth of the values."""
    window = max(1, len(values) // _SMOOTHED_SHARE)
    parts = [values[max(0, end - window) : end] for end in range(1, len(values) + 1)]
    return [sum(part) / len(part) for part in parts]
