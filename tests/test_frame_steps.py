"""Where each question is a pass of the whole model, methods on frames leave it free in between."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from app.analysis import Analyst
from app.explained import Explained, with_methods
from app.frame_lab.desk import LabDesk, LabView
from app.frame_lab.state import Lab
from app.turns import Turns
from app.visit import Visit
from stam_core import Engine
from stam_core.explain import EXPLAINERS, game
from stam_core.explain.base import Explainer, Scores
from stam_core.record import Subject
from stam_core.train import write_checkpoint
from stam_core.types import Clip, Preprocessing, Scheme, Target
from tests.frame_toys import hand_subject
from tests.toys import toy_of, toy_timesformer

ONE_A_STEP = 1.0  # multiply-accumulates: less than any pass
ALL_AT_ONCE = 1e18
# Method, and the answers it rests on for four frames.
STEPPED: list[tuple[Explainer, int]] = [
    (EXPLAINERS["decision-curve"](), 10),
    (EXPLAINERS["order-reliance"](shuffles=8), 2 + 8 + 4),  # type: ignore[call-arg]
    (EXPLAINERS["leave-one-out"](), 5),
    (EXPLAINERS["interactions"](), 1 + 4 + 6),
]
NAMES = [method.info.name for method, _ in STEPPED]


def parts_of(method: Explainer, subject: Subject) -> list[Scores]:
    return list(method.stream(subject, Target(0)))


@pytest.mark.parametrize(("method", "answers"), STEPPED, ids=NAMES)
@pytest.mark.parametrize("at_once", [1, 3])
def test_each_step_asks_no_more_than_its_share(
    method: Explainer, answers: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = hand_subject(4, lambda seen: seen @ torch.tensor([1.0, 2.0, 4.0, -3.0]))
    monkeypatch.setattr(game, "_STEP_MACS", float(at_once))  # a HandModel's pass counts as 1
    before, done = 0.0, 0.0
    parts = 0
    for scores in method.stream(subject, Target(0)):
        assert subject.meter.passes - before <= at_once
        assert scores.done > done
        before, done = subject.meter.passes, scores.done
        parts += 1
    assert done == 1.0
    assert parts == -(-answers // at_once)


@pytest.mark.parametrize(("method", "answers"), STEPPED, ids=NAMES)
@pytest.mark.parametrize("scheme", ["divided", "joint", "space"])
def test_steps_change_no_result(
    method: Explainer, answers: int, scheme: Scheme, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {}
    for macs in (ONE_A_STEP, ALL_AT_ONCE):
        monkeypatch.setattr(game, "_STEP_MACS", macs)
        subject = toy_of(scheme)
        parts = parts_of(method, subject)
        found[macs] = parts[-1], subject.meter.passes
        assert len(parts) == (answers if macs == ONE_A_STEP else 1)
    (stepped, passes), (whole, passes_at_once) = found.values()
    assert passes == pytest.approx(passes_at_once)
    assert stepped.series.keys() == whole.series.keys()
    for name, row in whole.series.items():
        torch.testing.assert_close(stepped.series[name], row, atol=2e-5, rtol=1e-5)
    assert stepped.details == pytest.approx(dict(whole.details), abs=1e-4)
    for one, other in ((stepped.frames, whole.frames), (stepped.pairs, whole.pairs)):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, atol=5e-5, rtol=1e-5)


def test_frames_whose_turn_has_not_come_have_no_effect_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = hand_subject(4, lambda seen: seen @ torch.tensor([1.0, 2.0, 4.0, -3.0]))
    monkeypatch.setattr(game, "_STEP_MACS", ONE_A_STEP)
    shown = [part.frames for part in parts_of(EXPLAINERS["leave-one-out"](), subject)]
    assert [None if frames is None else frames.tolist() for frames in shown] == [
        [0.0, 0.0, 0.0, 0.0],
        [1.0, 0.0, 0.0, 0.0],
        [1.0, 2.0, 0.0, 0.0],
        [1.0, 2.0, 4.0, 0.0],
        [1.0, 2.0, 4.0, -3.0],
    ]


LONG: list[tuple[str, Explainer]] = [
    ("exact", EXPLAINERS["shapley"](subsets="all")),  # type: ignore[call-arg]
    ("sampled", EXPLAINERS["shapley"](subsets="sampled", pairs=8)),  # type: ignore[call-arg]
    ("sufficient", EXPLAINERS["sufficient-frames"](exhaustive=1)),  # type: ignore[call-arg]
]


@pytest.mark.parametrize(("name", "method"), LONG, ids=[name for name, _ in LONG])
def test_parts_of_many_passes_pause_too(
    name: str, method: Explainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def subject() -> Subject:  # six frames; only four of them together are enough
        weights = torch.tensor([1.0, 1.0, 0.0, 1.0, 1.0, 1.0])
        return hand_subject(6, lambda seen: seen @ weights, threshold=3.5)

    expected = method.scores(subject(), Target(0))
    monkeypatch.setattr(game, "_STEP_MACS", ONE_A_STEP)
    asked = subject()
    before = 0.0
    for scores in method.stream(asked, Target(0)):
        # One a step, and the two of which the whole and the empty clip are.
        assert asked.meter.passes - before <= 1.0 + 2.0
        assert scores.done < 1 or scores.frames is not None
        before = asked.meter.passes
    assert scores.done == 1.0
    assert scores.frames is not None
    assert expected.frames is not None
    torch.testing.assert_close(scores.frames, expected.frames)
    assert scores.details == pytest.approx(dict(expected.details))


# --- the lab, with a TimeSformer ---


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    path: Path = tmp_path_factory.mktemp("toy") / "divided.safetensors"
    seen = Preprocessing(resize_side=32, side=32)
    model = toy_timesformer("divided")
    write_checkpoint(path, model, labels=tuple("abcde"), preprocessing=seen, recipe={})
    return Engine(str(path), device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def clip(engine: Engine) -> Clip:
    return engine.open(
        np.random.default_rng(5).integers(0, 255, (8, 40, 48, 3), dtype=np.uint8),
    )


@pytest.fixture
def effects(
    engine: Engine, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[LabView]]:
    """What the page is told until a method has taken some steps; all of it if that is never."""
    monkeypatch.setattr(game, "_STEP_MACS", ONE_A_STEP)
    monkeypatch.setattr("app.frame_lab.desk.BETWEEN_PARTS_SECONDS", 0.0)
    analyst: Any = SimpleNamespace(opened=lambda _visit: (engine, clip), explained=Explained())

    def ask(method: str = "", steps: int = 0, *, halted: bool = False) -> list[LabView]:
        turns = Turns()
        turn = turns.begin("a visitor")
        stream = Engine.stream

        def counted(engine: Engine, clip: Clip, **question: Any) -> Any:
            for number, part in enumerate(stream(engine, clip, **question), start=1):
                if question["method"] == method:
                    assert number <= steps, "a step that nobody waits for"
                    if number == steps:
                        turns.end("a visitor") if halted else turns.begin("a visitor")
                yield part

        monkeypatch.setattr(Engine, "stream", counted)
        views = list(LabDesk(analyst).effects(Visit(), Lab(), turn.is_wanted))
        monkeypatch.undo()
        return views

    return ask


def states(views: list[LabView]) -> list[str]:
    return [view.effects["state"] for view in views if view.effects is not None]


def test_the_lab_shows_the_quicker_curve_before_the_other_is_there(
    effects: Callable[..., list[LabView]],
) -> None:
    views = effects()
    first, last = (view.curves for view in views if view.curves is not None)
    assert first is not None
    assert last is not None
    assert first["order"] is None
    assert first["decision"] == last["decision"]
    assert len(last["decision"]["series"]["prefix"]) == 5
    assert len(last["order"]["series"]["shuffles"]) == 64
    assert states(views)[-1] == "done"


@pytest.mark.parametrize("halted", [True, False])
@pytest.mark.parametrize(
    ("method", "curves"), [("leave-one-out", 0), ("decision-curve", 0), ("order-reliance", 1)]
)
def test_a_newer_question_ends_the_older_at_its_next_step(
    effects: Callable[..., list[LabView]], method: str, curves: int, *, halted: bool
) -> None:
    views = effects(method, 3, halted=halted)
    assert states(views)[-1] == "stopped"
    assert sum(view.curves is not None for view in views) == curves


def test_others_are_answered_between_two_steps(
    engine: Engine, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(game, "_STEP_MACS", ONE_A_STEP)
    with ThreadPoolExecutor(1) as another:
        for method in NAMES:
            stream = engine.stream(clip, method=method)
            assert next(stream).done < 1
            prediction = another.submit(engine.predict, clip).result(timeout=30)
            assert prediction.logits.shape == (5,)
            assert next(stream).done > 0


def test_the_strip_is_told_before_the_first_bar_is_known(
    engine: Engine, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(game, "_STEP_MACS", ONE_A_STEP)
    monkeypatch.setattr("app.explained.BETWEEN_PARTS_SECONDS", 0.0)
    analyst: Any = SimpleNamespace(explained=Explained())
    visit = replace(with_methods(Visit(), engine.info), bars="shapley", bars_parameters={})
    told = list(Analyst._scores(analyst, engine, clip, visit))
    assert told[0]["bars"] is None  # a place to leave, no more
    assert len(told[-1]["bars"]["values"]) == 4
    assert all(scores["heat"] is not None for scores in told)
