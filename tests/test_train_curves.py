"""The picture of a training's metrics."""

from __future__ import annotations

import pytest

from stam_core.render.curves import render_curves, save_curves


def records(n: int = 60) -> list[dict]:
    space = [
        {"stage": "space", "step": 10 * k, "loss": 8 / k, "patch": k / n, "lr": 0.1, "seconds": k}
        for k in range(1, n + 1)
    ]
    return [*space, {"stage": "time $x^2$", "step": 10, "loss": 2.0, "seconds": 3.0}]


def test_a_row_per_stage_and_a_panel_per_figure(tmp_path):
    figure = render_curves(records())
    shown = {panel.get_title(): panel for panel in figure.axes if panel.axison}
    assert list(shown) == ["space: loss", "space: patch", "space: lr", "time $x^2$: loss"]
    thin, thick = shown["space: loss"].get_lines()
    assert list(thin.get_xdata()) == [10 * k for k in range(1, 61)]
    assert list(thin.get_ydata())[:3] == [8.0, 4.0, pytest.approx(8 / 3)]
    # Smoothed over the last three of sixty.
    assert list(thick.get_ydata())[:3] == pytest.approx([8.0, 6.0, (8 + 4 + 8 / 3) / 3])
    assert len(shown["time $x^2$: loss"].get_lines()) == 1
    save_curves(figure, tmp_path / "curves.part")
    assert (tmp_path / "curves.part").read_bytes().startswith(b"\x89PNG")
