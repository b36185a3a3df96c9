"""The comparison's "Take it away" without a browser: figure, numbers, link, lines."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pytest
from test_app import make_clip, make_explanation
from test_frame_lab import prediction

from app.analysis import Analyst
from app.compare.links import read_pair
from app.compare.state import Pair
from app.compare.take_away import KINDS
from app.visit import Visit
from stam_core.errors import ParameterError
from stam_core.models import model_info
from stam_core.render.colour import normalise
from stam_core.render.comparison import SharedScale
from stam_core.render.comparison_figure import Comparison, Group, render_comparison
from stam_core.render.evidence import Evidence, HeatStyle
from stam_core.types import CropBox

HEADS = {"png": b"\x89PNG", "pdf": b"%PDF-1", "json": b"{"}


def test_a_shared_peak_is_the_score_of_full_colour() -> None:
    scores = np.array([0.0, 1.0, 2.0])
    np.testing.assert_allclose(normalise(scores, signed=False, peak=4.0).values, [0, 0.25, 0.5])
    np.testing.assert_allclose(normalise(scores, signed=False, peak=1.0).values, [0, 1, 1])
    signed = normalise(np.array([-1.0, 1.0]), signed=True, peak=2.0)
    np.testing.assert_allclose(signed.values, [0.25, 0.75])
    for peak in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ParameterError, match="heat_peak must be a number above 0"):
            HeatStyle(heat_peak=peak)


def test_the_figure_has_both_sides_on_one_scale_and_the_table() -> None:
    def side(peak: float) -> Evidence:
        frames = np.array([0.1, 0.2, 0.3, peak], np.float32)
        return Evidence(
            clip_name="a $clip$.mp4",
            clip=make_clip(np.zeros((4, 24, 32, 3), np.uint8)),
            model=model_info("stam-actions"),
            prediction=prediction(0.7, 0.3),
            crop_box=CropBox(0, 0, 1, 1),
            explanation=make_explanation(frames=frames),
        )

    figure = render_comparison(
        Comparison(
            sides=(side(0.4), side(1.0)),
            names=("Left", "Right"),
            scale=SharedScale(True, None, 1.0),
            heads=("", "one", "other"),
            groups=[Group("", "", [["Answer", "walk", "kick"]]), Group("What", "why", [])],
            notes=["They agree."],
        )
    )
    words = [part.get_text() for part in figure.texts]
    assert {"Left", "Right", "They agree.", "walk", "kick", "What", "why"} <= set(words)
    bars = [axes for axes in figure.axes if len(axes.patches) == 4]
    assert bars[0].get_ylim() == bars[1].get_ylim()


@pytest.fixture(scope="module")
def pair(analyst: Analyst) -> Pair:
    visit = analyst.example(Visit(), next(iter(analyst.examples)))
    left = replace(visit, heat="rollout", heat_parameters={"residual": 0.25})
    right = replace(visit, heat="temporal-attention", policy="uniform")
    return Pair((left, right), inspected=visit.source, began="x")


def query_of(analyst: Analyst, pair: Pair) -> dict[str, str]:
    return dict(parse_qsl(analyst.compare_take.offer(pair)["link"].removeprefix("?")))


def test_the_link_shows_both_sides_again(analyst: Analyst, pair: Pair) -> None:
    other = analyst.example(pair.sides[1], list(analyst.examples)[1])
    model = replace(other, heat="gradient-attention", target=3, foil=4, span_seconds=(0.5, 2.0))
    sent = replace(pair, sides=(pair.sides[0], model))
    query = query_of(analyst, sent)
    assert query["tab"] == "compare"
    found, notes = read_pair(analyst, pair.sides[0], query)
    assert notes == []
    assert found == Pair(sent.sides, inspected=pair.inspected, linked=True)


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"b.method": "<script>"}, "not known"),
        ({"a.residual": "nan"}, "residual must be"),
        ({"b.example": "../../etc/passwd"}, "not among these"),
        ({"a.model": "stam-999"}, "not on this computer"),
        ({"b.target": "no such label"}, "does not have"),
    ],
)
def test_a_forged_link_opens_the_default_and_says_so(
    analyst: Analyst, pair: Pair, change: dict[str, str], note: str
) -> None:
    found, notes = read_pair(analyst, pair.sides[0], query_of(analyst, pair) | change)
    assert found == Pair()
    (told,) = notes
    assert note in told
    assert read_pair(analyst, pair.sides[0], {"example": "a", "method": "b"}) == (Pair(), [])


def test_the_sides_of_a_link_are_shown_once(analyst: Analyst, pair: Pair) -> None:
    visit = pair.sides[0]
    views = list(analyst.compare.open(visit, replace(pair, began="", linked=True)))
    shown = views[0].pair
    assert shown is not None
    assert shown.sides == pair.sides
    assert not shown.linked
    assert views[0].take is not None
    assert list(analyst.compare.open(visit, shown)) == []


def test_files_hold_what_the_page_shows(analyst: Analyst, pair: Pair) -> None:
    views = list(analyst.compare._show(pair, redrawn=(False, False)))
    board = views[-1].board
    assert board is not None
    with analyst.compare_take.file(pair, "json") as path:
        found = json.loads(path.read_text())
        assert path.name.endswith(".compare.json")
    assert found["sentences"] == board["notes"]
    for name, side in zip(("left", "right"), pair.sides, strict=True):
        assert found[name]["explanation"]["method"] == side.heat
        assert len(found[name]["prediction"]["probabilities"]) == 23
        worth = found[name]["faithfulness"]
        assert worth["random_orders"] == 100
        for row, scores in zip(
            board["groups"][0]["rows"], worth["removals"].values(), strict=False
        ):
            shown = row[1 if name == "left" else 2]
            assert f"z {scores['z']:+.1f}".replace("-", "−") in shown
    recall = found["left"]["truth"]["key-frame recall"]
    (told,) = [row for row in board["groups"][1]["rows"] if row[0] == "Key-frame recall"]
    assert told[1] == f"{recall['value']:.0%} ({recall['expected']:.0%})"
    assert -1 <= found["agreement"]["frames"]["spearman"] <= 1
    for kind in ("png", "pdf"):
        with analyst.compare_take.file(pair, kind) as path:
            assert path.read_bytes().startswith(HEADS[kind])
        assert not path.exists()


@pytest.mark.parametrize("kind", ["gif", None, ["png"], "../png"])
def test_forged_kinds_are_refused(analyst: Analyst, pair: Pair, kind: object) -> None:
    assert KINDS == ("png", "pdf", "json")
    with (
        pytest.raises(ParameterError, match="no such file"),
        analyst.compare_take.file(pair, kind),
    ):
        pass


def test_the_python_lines_run(
    analyst: Analyst, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[1])
    offer = analyst.compare_take.offer(pair)
    lines = offer["python"].replace("right_clip = ", "right_clip = left_clip or ")
    held: dict[str, Any] = {}
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(lines, "lines", "exec"), held)
    left = analyst.compare.sides(pair)[0].explanation
    np.testing.assert_allclose(held["left"].frames, left.frames, atol=1e-6)
    assert said.getvalue().count("rank correlation") == 1  # of frames: the right side has no map
    assert [line.split("--method ")[1].split()[0] for line in offer["command"].splitlines()] == [
        "rollout", "temporal-attention"
    ]  # fmt: skip


def test_own_clips_have_no_link(analyst: Analyst, pair: Pair, tmp_path: Path) -> None:
    film = tmp_path / "mine.mp4"
    film.write_bytes(analyst.sources.get(pair.inspected).path.read_bytes())
    own = analyst.upload(pair.sides[1], str(film), film.name)
    offer = analyst.compare_take.offer(replace(pair, sides=(pair.sides[0], own)))
    assert offer["link"] is None
    assert "'mine.mp4'" in offer["python"]
    assert str(tmp_path) not in json.dumps(offer)
