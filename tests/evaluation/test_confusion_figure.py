"""The confusion figure, for few classes and for many."""

from __future__ import annotations

import numpy as np
import pytest

from stam_core.render.confusion import render_confusion
from stam_core.render.sheet import save_figure


@pytest.mark.parametrize("n", [1, 4, 40, 400])
def test_it_is_drawn_for_any_number_of_classes(tmp_path, n):
    rng = np.random.default_rng(1)
    counts = np.diag(rng.integers(5, 20, n)) + rng.integers(0, 2, (n, n))
    counts[-1] = 0  # a class without clips
    labels = [f"$x^{i}$ <b>\n a rather long name of an action {i}" for i in range(n)]
    figure = render_confusion(counts, labels, title="m: top-1 50 %", subtitle="small print")
    save_figure(figure, tmp_path / "a.png")
    save_figure(figure, tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    matrix = figure.axes[0]
    ticks = [*matrix.get_xticklabels(), *matrix.get_yticklabels()]
    named = sum(tick.get_text().startswith("$x^") for tick in ticks)
    assert named == (2 * n if n <= 40 else 0)
    words = [text.get_text() for text in figure.texts]
    assert ("Most often mixed up" in words) == (n > 40)
    assert not any("\n" in word for word in words)


def test_cells_hold_the_counts():
    figure = render_confusion(np.array([[3, 1], [0, 2]]), ["a", "b"], title="t")
    words = [text.get_text() for text in figure.axes[0].texts]
    assert words == ["3", "1", "2"]
