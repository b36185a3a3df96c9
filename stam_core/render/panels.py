"""What is no score of a frame or a patch, drawn: pairs of frames, curves, distributions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from stam_core.render.colour import colour_map

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from stam_core.types import Explanation

    Panel = tuple[str, Callable[[Axes], None]]  # its title, and what draws it

INK = "#1a1a1a"
COLOURS = ("#3f6fa0", "#c8702a", "#5a8f3c", "#7d5ba6")
LEAST_OF_A_CURVE = 2
CURVES_TITLE = "The class's value"
MARKS_TITLE = "The class's value, a mark for each order of the frames"
SERIES_WORDS = {
    "prefix": "with the first n frames",
    "suffix": "with the last n frames",
    "depth": "read after layer n, from 0",
}
# Ends of an interval around scores of frames, which are drawn with these.
INTERVAL = frozenset({"low", "high"})


def panels_of(scores: Explanation) -> list[Panel]:
    """What an explanation has beside scores of frames and patches, each for axes of its own."""
    found: list[Panel] = []
    if scores.pairs is not None:
        found.append(("Pairs of frames", partial(_draw_pairs, scores.pairs)))
    return found + [(title, partial(draw, rows)) for title, rows, draw in _grouped(scores)]


def shown_series(scores: Explanation) -> dict[str, NDArray[np.float32]]:
    """The series a reader wants: without intervals of bars, and leads, which repeat the values."""
    hidden = INTERVAL if scores.frames is not None else frozenset()
    return {
        name: values
        for name, values in scores.series.items()
        if name not in hidden and not name.endswith("_lead") and len(values)
    }


def is_curves(rows: Mapping[str, NDArray[np.float32]]) -> bool:
    """Whether series are curves; where single values stand among them, each value is a clip's."""
    return all(len(values) >= LEAST_OF_A_CURVE for values in rows.values())


def _grouped(scores: Explanation) -> list[tuple[str, dict[str, NDArray[np.float32]], Any]]:
    """Curves of one length share their axes."""
    rows = shown_series(scores)
    if not is_curves(rows):
        return [(MARKS_TITLE, rows, _draw_marks)]
    by_length: dict[int, dict[str, NDArray[np.float32]]] = {}
    for name, values in rows.items():
        by_length.setdefault(len(values), {})[name] = values
    return [(CURVES_TITLE, some, _draw_curves) for some in by_length.values()]


def _draw_pairs(pairs: NDArray[np.float32], axes: Axes) -> None:
    """[T,T] from blue (redundant) to orange (they need each other), white in between."""
    peak = float(np.abs(pairs).max()) or 1.0
    n = len(pairs)
    picture = axes.imshow(
        pairs,
        cmap=colour_map("blue-orange"),
        vmin=-peak,
        vmax=peak,
        interpolation="none",
        extent=(0.5, n + 0.5, n + 0.5, 0.5),
    )
    bar = axes.figure.colorbar(picture, ax=axes, fraction=0.05, pad=0.03)
    bar.outline.set_linewidth(0.4)
    bar.ax.tick_params(labelsize=5.5, length=2, width=0.4)
    axes.tick_params(labelsize=5.5, length=2, width=0.4)
    axes.set_xlabel("frame", fontsize=6)


def _draw_curves(rows: Mapping[str, NDArray[np.float32]], axes: Axes) -> None:
    for (name, values), colour in zip(rows.items(), COLOURS * len(rows), strict=False):
        words = SERIES_WORDS.get(name, name)
        axes.plot(values, color=colour, linewidth=1, marker=".", markersize=3, label=words)
    axes.axhline(0, color=INK, linewidth=0.3)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize=5.5, frameon=False)
    _plain(axes)


def _draw_marks(rows: Mapping[str, NDArray[np.float32]], axes: Axes) -> None:
    """A row of marks for each series, along one scale of values."""
    for place, values in enumerate(rows.values()):
        axes.plot(
            values, np.full(len(values), place), "|", color=COLOURS[0], markersize=9, alpha=0.7
        )
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    _plain(axes)


def _plain(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_linewidth(0.4)
    axes.tick_params(labelsize=5.5, length=2, width=0.4)
