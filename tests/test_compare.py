"""The tab "Compare", "Take it away" and links, without a browser."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import numpy as np
import pytest
import torch
from PIL import Image

from app import controls, text
from app.analysis import Analyst
from app.compare.asks import methods_to_compare
from app.compare.desk import CompareView, SideShown
from app.compare.judge import Judge
from app.compare.payload import worth_payload
from app.compare.state import Pair
from app.explained import with_methods
from app.inspect.take_away import KINDS
from app.serving.jobs import Jobs
from app.takeaway.links import read_methods, write_link
from app.visit import EMBEDDED, Visit
from stam_core import Engine
from stam_core.actions.dataset import RenderSpec, render_clip
from stam_core.actions.stored_truth import read_truth, truth_path, write_truth
from stam_core.errors import (
    OpeningCancelledError,
    ParameterError,
    StamError,
    UnknownNameError,
    VideoError,
)
from stam_core.explain import EXPLAINERS
from stam_core.explain.game import REMOVALS, FrameGame
from stam_core.metrics.faithfulness import Band, random_band
from stam_core.models import model_info
from stam_core.render.comparison import on_scale, same_units, shared_scale
from stam_core.train import write_checkpoint
from stam_core.types import Explanation, Preprocessing, Scheme
from tests.toys import toy_model

Found = TypeVar("Found")

INFO = model_info("stam-16")
FAST = ("temporal-attention", "rollout", "spatial-rollout")


def scores(**fields: Any) -> Explanation:
    values: dict[str, Any] = {
        "method": "a", "target": None, "frames": None, "patches": None, "signed": False,
        "unattributed": None, "parameters": {}, "passes": 1.0, "seconds": 0.0,
    }  # fmt: skip
    return Explanation(**{**values, **fields})


# --- one scale ---


def test_shares_of_any_two_methods_are_drawn_on_one_scale() -> None:
    a = scores(frames=np.array([0.5, 0.3], np.float32))
    b = scores(method="b", frames=np.array([0.1, 0.2], np.float32))
    scale = shared_scale(a, b, same_model=False)
    assert scale.same_units
    assert scale.bars_peak == pytest.approx(0.5)
    assert scale.heat_peak is None


def test_signed_scores_share_a_scale_only_within_one_method_and_model() -> None:
    a = scores(frames=np.array([-3.0, 1.0], np.float32), signed=True, target=1)
    other_class = replace(a, target=2, frames=np.array([0.5, 1.0], np.float32))
    assert shared_scale(a, other_class, same_model=True).bars_peak == 3.0
    assert not same_units(a, other_class, same_model=False)
    assert not same_units(a, replace(a, parameters={"scale": "probability"}), same_model=True)
    assert not same_units(a, replace(a, method="b"), same_model=True)


def test_the_shared_peak_travels_with_the_scores() -> None:
    a = scores(frames=np.array([0.5, 0.3], np.float32))
    scale = shared_scale(a, a, same_model=True)
    drawn = on_scale({"heat": None, "bars": {"values": [0.5, 0.3]}}, scale)
    assert drawn == {"heat": None, "bars": {"values": [0.5, 0.3], "peak": 0.5}}
    dark = scores(frames=np.zeros(2, np.float32))
    assert shared_scale(dark, dark, same_model=True).bars_peak is None


# --- the truth beside an example ---


def test_the_truth_of_a_rendered_clip_comes_back(tmp_path: Path) -> None:
    clip = render_clip(0, seed=3, spec=RenderSpec(width=64, height=48, num_frames=4, clutter=0.0))
    film = tmp_path / "walk.mp4"
    assert read_truth(film) is None
    assert write_truth(film, clip) == truth_path(film) == tmp_path / "walk.truth.npz"
    truth = read_truth(film)
    assert truth is not None
    np.testing.assert_array_equal(truth.key_frames, clip.key_frames[0])
    np.testing.assert_array_equal(truth.deciding, clip.deciding[0])
    assert truth.moving.shape == (4, 24, 32)
    whole = clip.moving_mask()[0].mean()
    assert truth.moving.mean() == pytest.approx(whole, rel=0.3)


def test_a_damaged_truth_is_told(tmp_path: Path) -> None:
    film = tmp_path / "walk.mp4"
    truth_path(film).write_bytes(b"no archive")
    with pytest.raises(VideoError, match=r"walk\.truth\.npz cannot be read"):
        read_truth(film)


# --- classes ---


def test_classes_are_offered_where_a_method_uses_one() -> None:
    for name, method in EXPLAINERS.items():
        panel = controls.method_panel("frames", name, {}, INFO, (3, None))
        offered = {entry["name"]: entry for entry in panel["classes"]}
        assert set(offered) == ({"target", "foil"} if method.info.uses_target else set())
    target, foil = controls.class_controls((3, None), INFO)
    assert target["value"] == "3"
    assert target["choices"][4] == ["3", INFO.labels[3]]
    assert foil["value"] == ""
    assert len(foil["choices"]) == len(INFO.labels) + 1


def test_classes_come_back_checked() -> None:
    sent = {"parameters": {"target": "2", "foil": ""}}
    assert controls.read_classes(sent, INFO, (None, 7)) == (2, None)
    assert controls.read_classes({}, INFO, (1, 7)) == (1, 7)
    with pytest.raises(ParameterError, match="held against itself"):
        controls.read_classes({"parameters": {"target": "2", "foil": "2"}}, INFO, (None, None))


@pytest.mark.parametrize("forged", ["400", "-1", "1e3", "NaN", 3, None, ["1"], "9" * 5000, "²"])
def test_forged_classes_are_refused(forged: object) -> None:
    with pytest.raises(ParameterError, match="does not have"):
        controls.read_classes({"parameters": {"target": forged}}, INFO, (None, None))


# --- links ---


def test_a_link_gives_the_view_again() -> None:
    visit = with_methods(
        Visit(
            heat="spatial-rollout",
            heat_parameters={"residual": 0.25, "head_fusion": "max"},
            bars="temporal-attention",
            bars_parameters={"layer": "2"},
            target=4,
            foil=9,
            span_seconds=(0.5, 2.0),
            policy="official",
        )
    )
    link = write_link(visit, "a b&c.mp4", INFO)
    query = dict(parse_qsl(link.removeprefix("?")))
    assert query["example"] == "a b&c.mp4"
    assert query["bars.layer"] == "2"
    again, notes = read_methods(Visit(), query, INFO)
    assert notes == []
    assert replace(again, policy="official") == visit
    assert again.policy == ("official" if INFO.official_fps is not None else "uniform")


def test_a_method_of_frames_alone_becomes_the_bars() -> None:
    visit, notes = read_methods(Visit(), {"method": "temporal-attention", "head": "max"}, INFO)
    assert notes == []
    assert (visit.bars, visit.bars_parameters) == ("temporal-attention", {"head": "max"})
    assert visit.heat == controls.default_method("patches")


@pytest.mark.parametrize(
    ("query", "note"),
    [
        ({"method": "<script>"}, "not known"),
        ({"bars": "spatial-rollout"}, "not known"),
        ({"method": "rollout", "residual": "nan"}, "residual must be"),
        ({"method": "rollout", "start_layer": "99999"}, "start_layer must be"),
        ({"target": "no such label"}, "class that the model does not have"),
        ({"target": "abseiling", "foil": "abseiling"}, "held against itself"),
    ],
)
def test_a_forged_link_falls_back_with_a_note(query: dict[str, str], note: str) -> None:
    visit, notes = read_methods(Visit(), query, INFO)
    assert visit == with_methods(Visit())
    (told,) = notes
    assert note in told


@pytest.mark.parametrize("span", ["1-0", "nan-2", "0-inf", "a-b", "1", "0-1-2", "-5-3"])
def test_a_forged_span_is_passed_over(span: str) -> None:
    visit, notes = read_methods(Visit(), {"span": span, "utm_source": "x" * 9999}, INFO)
    assert visit.span_seconds is None
    assert notes == []


# --- with the embedded model ---


@pytest.fixture(scope="module")
def visit(analyst: Analyst) -> Visit:
    return with_methods(analyst.example(Visit(), next(iter(analyst.examples))))


def test_an_address_names_example_method_and_class(analyst: Analyst) -> None:
    names = list(analyst.examples)
    label = analyst.engines.info(EMBEDDED).labels[2]
    query = {"example": names[1], "method": "rollout", "residual": "0.25", "target": label}
    found, notes = analyst.take.read(query)
    assert notes == []
    assert analyst.example_name(found) == names[1]
    assert (found.heat, found.heat_parameters) == ("rollout", {"residual": 0.25})
    assert found.target == 2
    assert analyst.take.offer(with_methods(found))["link"].startswith(f"?example={names[1]}")


def test_an_address_that_asks_for_the_impossible_shows_the_first_example(analyst: Analyst) -> None:
    found, notes = analyst.take.read({"example": "../../etc/passwd", "model": "stam-999"})
    assert analyst.example_name(found) == next(iter(analyst.examples))
    assert found.model == EMBEDDED
    assert [text.LINK_NO_EXAMPLE in note for note in notes] == [True, False]
    assert text.LINK_NO_MODEL in notes[1]


def test_an_own_clip_has_no_link(analyst: Analyst, visit: Visit, tmp_path: Path) -> None:
    film = tmp_path / "it's mine.mp4"
    film.write_bytes(analyst.sources.get(visit.source).path.read_bytes())
    offer = analyst.take.offer(with_methods(analyst.upload(visit, str(film), film.name)))
    assert offer["link"] is None
    assert '"it\'s mine.mp4"' in offer["python"]
    assert str(tmp_path) not in json.dumps(offer)


HEADS = {
    "png": b"\x89PNG", "pdf": b"%PDF-1", "mp4": b"\x00\x00\x00", "gif": b"GIF89a",
    "html": b"<!doctype html>", "json": b"{",
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_the_view_becomes_a_file(analyst: Analyst, visit: Visit, kind: str) -> None:
    with analyst.take.file(visit, kind) as path:
        assert path.suffix == f".{kind}"
        assert path.read_bytes().startswith(HEADS[kind])
        if kind == "gif":
            with Image.open(path) as gif:
                assert gif.n_frames >= 2
        if kind == "json":
            held = json.loads(path.read_text())
            assert held["explanation"]["method"] == visit.heat
            assert held["bars"]["method"] == visit.bars
            assert held["question"]["method"] == visit.heat
            assert held["question"]["span_seconds"] is None
            assert held["model"]["num_frames"] == 16
    assert not path.exists()


@pytest.mark.parametrize("kind", ["exe", None, ["png"], "../png", ""])
def test_forged_kinds_are_refused(analyst: Analyst, visit: Visit, kind: object) -> None:
    with pytest.raises(ParameterError, match="no such file"), analyst.take.file(visit, kind):
        pass


def compared(analyst: Analyst, visit: Visit) -> Pair:
    """A pair of two fast methods on one clip."""
    left = replace(visit, heat=FAST[0], heat_parameters={})
    right = replace(visit, heat=FAST[1], heat_parameters={})
    return Pair((left, right), inspected=visit.source, began="x")


def send(panel: dict[str, Any], **changed: str) -> dict[str, Any]:
    """What the page sends after a change in that panel."""
    controls_shown = [*panel["classes"], *panel["parameters"]]
    values = {entry["name"]: entry["value"] for entry in controls_shown}
    choice = changed.pop("choice", panel["choice"])
    return {"choice": choice, "parameters": values | changed}


def last_board(views: list[CompareView]) -> dict[str, Any]:
    board = views[-1].board
    assert board is not None
    return board


def test_the_tab_opens_with_the_clip_in_view_and_two_methods(
    analyst: Analyst, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.compare.desk.FIRST", FAST[:2])
    views = list(analyst.compare.open(visit, Pair()))
    first = views[0]
    assert first.pair is not None
    assert [side.heat for side in first.pair.sides] == list(FAST[:2])
    assert [panel["title"] for panel in first.panels if panel] == list(text.COMPARE_SIDES)
    assert first.scores is not None
    peaks = [side["bars"]["peak"] for side in first.scores]
    highest = max(max(side["bars"]["values"]) for side in first.scores)
    assert peaks == pytest.approx([highest, highest])
    board = last_board(views)
    assert not board["working"]
    assert text.COMPARE_SAME_SCALE in board["notes"]
    assert any("rank correlation" in note for note in board["notes"])
    faithful, truth = board["groups"]
    assert len(faithful["rows"]) >= 3
    assert all("random" in cell for row in faithful["rows"][:3] for cell in row[1:])
    assert truth["title"] == text.COMPARE_TRUTH
    assert list(analyst.compare.open(visit, first.pair)) == []


def test_one_side_changes_and_the_other_stays(analyst: Analyst, visit: Visit) -> None:
    pair = compared(analyst, visit)
    panel = analyst.compare._panel(pair, pair.sides[1], "Right")
    other = list(analyst.examples)[1]
    chosen, view, *_ = analyst.compare.adjust(pair, 1, send(panel, clip=other))
    assert view.pair is not None
    assert chosen.pair == view.pair  # the choice itself comes at once
    assert chosen.board is None
    assert view.pair.sides[0] == pair.sides[0]
    assert analyst.example_name(view.pair.sides[1]) == other
    assert view.panels[0] is None
    assert view.panels[1] is not None
    assert view.board is not None
    assert text.COMPARE_NO_PLACES in view.board["notes"]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({}, UnknownNameError),
        ({"choice": "decision-curve"}, UnknownNameError),
        ({"choice": "rollout", "parameters": {"clip": "../x"}}, ParameterError),
        ({"choice": "rollout", "parameters": {"clip": 7}}, ParameterError),
        ({"choice": "rollout", "parameters": {"model": "stam-999"}}, UnknownNameError),
        ({"choice": "rollout", "parameters": {"model": ["x"]}}, UnknownNameError),
        ({"choice": "rollout", "parameters": {"residual": float("nan")}}, ParameterError),
        ({"choice": "rollout", "parameters": [1, 2]}, None),
    ],
)
def test_forged_comparisons_are_refused(
    analyst: Analyst, visit: Visit, data: dict[str, Any], error: type[StamError] | None
) -> None:
    pair = compared(analyst, visit)
    views = analyst.compare.adjust(pair, 0, data)
    if error is None:
        assert next(views).pair is not None
        return
    with pytest.raises(error):
        next(views)


def test_truth_is_told_of_examples_that_have_it(
    analyst: Analyst, visit: Visit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    example = analyst.examples[analyst.example_name(visit) or ""]
    _, clip = analyst.opened(visit)
    spec = RenderSpec(width=96, height=72, num_frames=int(clip.frame_indices.max()) + 1)
    film = tmp_path / example.path.name
    write_truth(film, render_clip(0, seed=5, spec=spec, action="walk"))
    read = read_truth
    monkeypatch.setattr("app.compare.desk.read_truth", lambda _: read(film))
    pair = compared(analyst, visit)
    view = list(analyst.compare.adjust(pair, 0, {"choice": FAST[0]}))
    _, truth = last_board(view)["groups"]
    names = [row[0] for row in truth["rows"]]
    assert "Key-frame recall" in names
    assert "Mass in mask" in names
    left = dict(zip(names, (row[1] for row in truth["rows"]), strict=True))
    assert left["Mass in mask"] == "–"  # temporal attention has no map
    assert "%" in left["Key-frame recall"]


def test_only_methods_that_score_places_are_compared() -> None:
    for name in methods_to_compare():
        assert EXPLAINERS[name].info.outputs & {"frames", "patches"}


def test_a_stam_and_a_timesformer_stand_side_by_side(
    analyst: Analyst, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.compare.judge._WHOLE_MACS", 1.0)  # random orders: see below
    pair = compared(analyst, visit)
    panel = analyst.compare._panel(pair, pair.sides[1], "Right")
    chosen = send(panel, choice="rollout", model="timesformer-actions")
    *_, view = analyst.compare.adjust(pair, 1, chosen)
    board = last_board([view])
    titles = [title for _, title in analyst.compare._models(pair)]
    assert "TimeSformer (divided), rendered actions (embedded)" in titles
    assert not board["working"]
    rows = board["groups"][0]["rows"]
    assert "random" in rows[0][1]
    assert "whole passes" in rows[0][2]


# --- what a ranking is worth, where each question is a whole pass ---


def test_a_long_method_may_be_ended_between_its_steps(
    analyst: Analyst, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before there is anything to show; asked again it is answered."""
    monkeypatch.setattr("app.compare.desk.FIRST", FAST[:2])
    monkeypatch.setattr("app.explained.BETWEEN_PARTS_SECONDS", 0.0)
    *_, opened = (view.pair for view in analyst.compare.open(visit, Pair()) if view.pair)
    ask = {"choice": "integrated-gradients", "parameters": {"steps": 24}}
    with Jobs(600).begin("compare.adjust") as job, job.at_work():
        views = analyst.compare.adjust(opened, 0, ask)
        assert next(views).pair is not None
        looks = iter([False, False, False, True])
        job.only_while(lambda: not next(looks))
        with pytest.raises(OpeningCancelledError):
            next(views)
    assert next(looks, None) is None
    *_, last = analyst.compare.adjust(opened, 0, ask)
    assert last.board is not None
    assert not last.board["working"]


def at_last(steps: Generator[None, None, Found]) -> Found:
    """What work in steps comes to."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def toy_side(folder: Path, scheme: Scheme) -> SideShown:
    """Leave-one-out of random frames by a toy of a scheme."""
    file = folder / f"{scheme}.safetensors"
    model = toy_model(scheme)
    write_checkpoint(
        file, model, labels=tuple("abcde"), preprocessing=Preprocessing(resize_side=32, side=32),
        recipe={},
    )  # fmt: skip
    engine = Engine(str(file), device="cpu", dtype="float32")
    frames = np.random.default_rng(5).integers(0, 255, (8, 40, 48, 3), dtype=np.uint8)
    clip = engine.open(frames)
    explanation = engine.explain(clip, method="leave-one-out")
    return SideShown(Visit(), engine, clip, explanation, engine.target(clip, None, None))


@pytest.mark.parametrize("scheme", ["divided", "joint"])
def test_orders_of_whole_passes_are_measured_in_steps(
    scheme: Scheme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = toy_side(tmp_path, scheme)
    asked: list[int] = []

    def counted(game: FrameGame, *, orders: int, seed: int) -> Band:
        asked.append(orders)
        return random_band(game, orders=orders, seed=seed)

    monkeypatch.setattr("app.compare.judge.random_band", counted)
    judge = Judge()
    judged = at_last(judge.judge(side))
    assert judged.found is not None
    assert set(judged.found.removals) == set(REMOVALS)
    assert judged.orders == sum(asked) / len(REMOVALS) > 10
    assert max(asked) == 2
    with side.engine.subject(side.clip) as subject:
        game = FrameGame(subject, side.target, "drop")
        kept = at_last(judge._random(side, "drop", judged.orders, 2))[0]
        assert len(kept) == judged.orders
        ends = game.values(torch.tensor([[False] * 4, [True] * 4])).tolist()
    half = len(kept) // 2
    np.testing.assert_allclose(kept[:, 0], ends[0], atol=1e-4)
    np.testing.assert_allclose(kept[:, -1], ends[1], atol=1e-4)
    assert len(np.unique(kept[:half, 1].round(4))) > 1  # the steps draw different orders
    measures = judged.found.removals["drop"].measures
    assert measures["gap"].expected == pytest.approx(0.0, abs=1e-4)  # each order has its reverse
    before = len(asked)
    at_last(judge.judge(side))
    assert len(asked) == before  # the second time they are known


def test_a_model_too_large_for_random_orders_says_what_they_would_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.compare.judge._WHOLE_MACS", 1.0)
    whole, staged = (toy_side(tmp_path, scheme) for scheme in ("divided", "factorised"))
    judged = [at_last(Judge().judge(side)) for side in (whole, staged)]
    assert (judged[0].found, judged[0].passes) == (None, 3 * 10 * 4)
    assert judged[1].orders == 100
    group = worth_payload((whole, staged), judged, (None, None))["groups"][0]
    assert group["rows"][0][1] == text.COMPARE_TOO_DEAR.format(passes=120)
    assert "random" in group["rows"][0][2]
    assert "100 random orders" in group["help"]
    both = [replace(judged[1], orders=20), judged[1]]
    told = worth_payload((staged, staged), both, (None, None))["groups"][0]["help"]
    assert "20 (left) and 100 (right) random orders" in told
