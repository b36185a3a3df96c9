"""Pairs, curves and distributions: drawn in the figure, told on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from stam_core import Engine
from stam_core.__main__ import main
from stam_core.render.panels import is_curves, panels_of, shown_series

EXAMPLES = Path(__file__).parent.parent / "assets" / "examples"


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine("stam-actions", device="cpu")


def drawn(engine: Engine, method: str, **parameters: object):
    clip = engine.open(EXAMPLES / "sit-down.mp4")
    scores = engine.explain(clip, method=method, **parameters)
    panels = panels_of(scores)
    axes = Figure().subplots(1, max(1, len(panels)), squeeze=False)[0]
    for (_, draw), place in zip(panels, axes, strict=False):
        draw(place)
    return scores, panels, list(axes)


def test_pairs_are_a_picture_on_a_scale_with_zero_in_the_middle(engine):
    scores, panels, axes = drawn(engine, "interactions")
    assert len(panels) == 1
    picture = axes[0].images[0]
    np.testing.assert_array_equal(picture.get_array(), scores.pairs)
    low, high = picture.get_clim()
    assert -low == high == pytest.approx(np.abs(scores.pairs).max())


def test_curves_of_frames_and_of_layers_have_axes_of_their_own(engine):
    scores, panels, axes = drawn(engine, "decision-curve")
    assert len(panels) == 2
    frames, layers = axes
    np.testing.assert_array_equal(frames.lines[0].get_ydata(), scores.series["prefix"])
    np.testing.assert_array_equal(frames.lines[1].get_ydata(), scores.series["suffix"])
    np.testing.assert_array_equal(layers.lines[0].get_ydata(), scores.series["depth"])
    assert not any(name.endswith("_lead") for name in shown_series(scores))


def test_orders_are_marks_and_not_a_curve(engine):
    scores, panels, axes = drawn(engine, "order-reliance")
    assert len(panels) == 1
    assert not is_curves(shown_series(scores))
    by_name = dict(zip(shown_series(scores), axes[0].lines, strict=True))
    np.testing.assert_array_equal(by_name["shuffles"].get_xdata(), scores.series["shuffles"])
    assert set(by_name["frozen"].get_ydata()) == {list(by_name).index("frozen")}


def test_intervals_of_bars_are_no_curves(engine):
    scores, panels, _ = drawn(engine, "shapley", subsets="sampled", pairs=8)
    assert set(scores.series) == {"low", "high"}
    assert panels == []


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("interactions", ["together beyond each alone", "redundant", "evaluations: 137"]),
        ("decision-curve", ["prefix", "suffix", "depth decided", "█"]),
        ("order-reliance", ["original", "(64 clips)", "shuffles mean"]),
    ],
)
def test_the_command_line_tells_them(capsys, method, words):
    assert main(["explain", str(EXAMPLES / "sit-down.mp4"), "--method", method]) == 0
    told = capsys.readouterr().out
    for word in words:
        assert word in told
