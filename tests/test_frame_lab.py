"""The frame lab without a browser: edits of the core, what the page may send, what it is told."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import numpy as np
import pytest
import torch
from test_app import make_clip, make_explanation
from toys import toy_subject

from app import text
from app.analysis import Analyst
from app.components.frame_lab import AnswerBars, DecisionCurves, EffectBars, LabStrip
from app.frame_lab import payload as lab_payload
from app.frame_lab.agreement import measured_by
from app.frame_lab.asks import ROWS
from app.frame_lab.desk import LabDesk, LabView
from app.frame_lab.questions import MOST_SLOTS, read_class, read_edit, read_operator, read_serial
from app.frame_lab.state import Lab
from app.turns import VISITORS_KEPT, Turns
from app.ui import build_page
from app.visit import Visit
from stam_core.edits import Edit, Slot, check_edit, put_together
from stam_core.errors import ParameterError, StamError, UnknownNameError, VideoError
from stam_core.explain import EXPLAINERS
from stam_core.explain.game import FrameGame
from stam_core.types import Prediction, Target
from stam_core.video.encode import write_mp4

TWO = [torch.tensor([[1.0], [2.0], [3.0], [6.0]]), torch.tensor([[10.0], [20.0], [30.0], [40.0]])]


def edit_of(*slots: tuple[int, int, bool], **settings: Any) -> Edit:
    return Edit(
        tuple(Slot(frame=frame, clip=clip, kept=kept) for clip, frame, kept in slots), **settings
    )


# --- edits of the core ---


@pytest.mark.parametrize(
    ("edit", "values", "places"),
    [
        (edit_of((0, 3, True), (0, 0, True)), [6, 1], [0, 1]),
        (edit_of((0, 0, True), (0, 1, False), (0, 2, True)), [1, 3], [0, 2]),
        (edit_of((0, 0, True), (0, 1, False), (0, 2, True), places="close"), [1, 3], [0, 1]),
        (edit_of((0, 0, True), (0, 1, False), removal="mean"), [1, 3], [0, 1]),
        (edit_of((0, 0, False), (0, 1, True), (0, 2, False), removal="hold"), [2] * 3, [0, 1, 2]),
        (edit_of((0, 0, True), (0, 1, False), (0, 2, True), removal="hold"), [1, 1, 3], [0, 1, 2]),
        (edit_of((1, 2, True), (0, 1, True)), [30, 2], [0, 1]),
        (edit_of((0, 2, True), (0, 2, True)), [3, 3], [0, 1]),
        (edit_of((0, 0, False), (0, 1, False)), [], []),
        (edit_of((0, 0, False), (0, 1, False), removal="hold"), [], []),
        (edit_of(), [], []),
    ],
)
def test_frames_are_put_together_as_the_edit_says(
    edit: Edit, values: list[float], places: list[int]
) -> None:
    embeddings, at = put_together(TWO, edit)
    assert embeddings.shape == (len(values), 1)
    assert embeddings[:, 0].tolist() == values
    assert at.tolist() == places


@pytest.mark.parametrize("removal", ["drop", "mean", "hold"])
@pytest.mark.parametrize("places", ["keep", "close"])
def test_removing_frames_here_is_the_game_of_the_explanations(removal: Any, places: Any) -> None:
    subject = toy_subject()
    kept = [True, False, False, True]
    edit = Edit(tuple(Slot(i, kept=stays) for i, stays in enumerate(kept)), removal, places)
    embeddings, at = put_together([subject.trace().frame_embeddings], edit)
    answer = subject.classify(embeddings[None], at[None])[0, 2]
    game = FrameGame(subject, Target(2), removal=removal, places=places)
    torch.testing.assert_close(answer, game.values(torch.tensor([kept]))[0])


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (edit_of((0, 4, True)), "no frame 4"),
        (edit_of((0, -1, True)), "no frame -1"),
        (edit_of((1, 0, True)), "no clip 1"),
        (edit_of(*[(0, 0, True)] * 5), "do not fit the model's 4 slots"),
        (edit_of((0, cast("Any", math.nan), True)), "whole numbers"),
        (edit_of((0, cast("Any", True), True)), "whole numbers"),
        (edit_of(removal=cast("Any", "burn")), "no removal 'burn'"),
        (edit_of(places=cast("Any", "swap")), "no places setting 'swap'"),
    ],
)
def test_an_edit_that_cannot_be_is_refused(edit: Edit, message: str) -> None:
    clip = make_clip(np.zeros((4, 2, 2, 3), np.uint8))
    with pytest.raises(StamError, match=message):
        check_edit(edit, [clip], 4)


def test_an_edit_needs_a_clip() -> None:
    with pytest.raises(ParameterError, match="needs a clip"):
        check_edit(Edit(()), [], 4)


# --- what the page may send ---

CLIP = make_clip(np.zeros((4, 2, 2, 3), np.uint8))
GOOD = {
    "keys": [CLIP.digest], "slots": [[0, 1, True], [0, 0, False]],
    "removal": "drop", "places": "keep", "serial": 3,
}  # fmt: skip


def test_an_edit_of_the_page_is_read() -> None:
    edit = read_edit(GOOD, [CLIP], 4)
    assert edit == Edit((Slot(1), Slot(0, kept=False)), "drop", "keep")
    assert read_serial(GOOD) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"slots": None}, "cannot be read"),
        ({"slots": "0123"}, "cannot be read"),
        ({"slots": [[0, 1]]}, "cannot be read"),
        ({"slots": [{"frame": 1}]}, "cannot be read"),
        ({"slots": [[0, 1, 1]]}, "cannot be read"),
        ({"slots": [[0, "1", True]]}, "whole numbers"),
        ({"slots": [[0, None, True]]}, "whole numbers"),
        ({"slots": [[0, math.nan, True]]}, "whole numbers"),
        ({"slots": [[0, 10**9, True]]}, "no frame 1000000000"),
        ({"slots": [[7, 0, True]]}, "no clip 7"),
        ({"slots": [[0, 0, True]] * 10_000}, "10000 frames do not fit"),
        ({"slots": [[0, 0, True]] * MOST_SLOTS}, "do not fit the model's 4"),
        ({"keys": ["another visitor's clip"]}, "another clip"),
        ({"keys": [CLIP.digest, "a second one"]}, "another clip"),
        ({"keys": []}, "another clip"),
        ({"keys": None}, "cannot be read"),
        ({"removal": ["drop"]}, "no removal"),
        ({"removal": "x" * 500}, "no removal 'x{80}'"),
        ({"places": None}, "no places setting"),
    ],
)
def test_forged_edits_are_refused_in_words(change: dict[str, Any], message: str) -> None:
    with pytest.raises(StamError, match=message):
        read_edit(GOOD | change, [CLIP], 4)


@pytest.mark.parametrize("value", [1.5, True, "3", [1], math.nan])
def test_a_class_is_a_whole_number_or_nothing(value: object) -> None:
    assert read_class(None) is None
    assert read_class(3) == 3
    with pytest.raises(ParameterError, match="whole number"):
        read_class(value)


def test_an_unknown_operator_is_refused() -> None:
    assert read_operator(GOOD) == ("drop", "keep")
    with pytest.raises(UnknownNameError, match="Known: drop, mean, hold"):
        read_operator({"places": "keep"})


def test_a_newer_question_ends_the_older_one_of_the_same_visitor_only() -> None:
    turns = Turns()
    first, other = turns.begin("a"), turns.begin("b")
    assert first.is_wanted()
    second = turns.begin("a")
    assert not first.is_wanted()
    assert first.is_replaced()
    assert second.is_wanted()
    assert other.is_wanted()
    turns.end("a")
    assert not second.is_wanted()
    assert not second.is_replaced(), "nothing else was asked: what there is may still be shown"
    for number in range(VISITORS_KEPT):
        turns.begin(f"visitor {number}")
    assert not other.is_wanted(), "the number of visitors remembered is bounded"


def test_a_question_that_begins_late_does_not_end_a_newer_one() -> None:
    turns = Turns()
    newer, older = turns.begin("a", asked=20.0), turns.begin("a", asked=10.0)
    assert newer.is_wanted()
    assert not older.is_wanted()
    assert turns.begin("b", asked=5.0).is_wanted()
    for unusable in (None, "soon", float("nan")):
        assert turns.begin("a", asked=unusable).is_wanted()


def test_an_answer_is_given_until_something_else_is_asked() -> None:
    turns = Turns()
    steps = turns.begin("a").follow(iter(range(5)))
    assert [next(steps), next(steps)] == [0, 1]
    turns.begin("b")
    assert next(steps) == 2
    turns.begin("a")
    assert list(steps) == []


# --- what the page is told ---


def prediction(*probabilities: float) -> Prediction:
    array = np.array(probabilities, np.float32)
    return Prediction(np.log(array), array, tuple("abcdefg"[: len(array)]))


def test_the_answer_shows_each_class_before_and_after_in_a_steady_order() -> None:
    sent = lab_payload.answer_payload(
        CLIP,
        prediction(0.5, 0.3, 0.1, 0.05, 0.03, 0.02),
        prediction(0.1, 0.2, 0.05, 0.05, 0.01, 0.59),
        edit=edit_of((0, 0, True)),
        serial=8,
        target=4,
    )
    assert [row["label"] for row in sent["rows"]] == ["a", "b", "c", "d", "e", "f"]
    assert sent["rows"][5] == {
        "index": 5, "label": "f", "before": pytest.approx(0.02), "after": pytest.approx(0.59),
        "target": False,
    }  # fmt: skip
    assert sent["rows"][4]["target"]
    assert sent["changed"]
    assert (sent["now"]["label"], sent["was"]["label"]) == ("f", "a")
    assert (sent["serial"], sent["edited"], sent["note"]) == (8, True, "")


def test_no_frame_at_all_is_an_answer_with_a_note() -> None:
    same = prediction(0.6, 0.4)
    sent = lab_payload.answer_payload(
        CLIP, same, same, edit=edit_of((0, 0, False)), serial=1, target=0
    )
    assert sent["note"] == text.LAB_NO_FRAME


def effects(found: dict[str, Any], names: list[str], **settings: Any) -> dict[str, Any]:
    clip = make_clip(np.zeros((4, 2, 2, 3), np.uint8))
    return lab_payload.effects_payload(
        clip, found, names, labels=("walk", None), state="running", **settings
    )


def test_effect_rows_wait_then_agree_or_not() -> None:
    names = ["temporal-attention", "leave-one-out"]
    attention = make_explanation(
        method="temporal-attention", frames=np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    )
    sent = effects({"temporal-attention": attention}, names)
    assert [row["values"] is None for row in sent["rows"]] == [False, True]
    assert sent["sentences"] == []
    effect = make_explanation(
        method="leave-one-out", signed=True, frames=np.array([4, 3, 2, 1], np.float32)
    )
    sent = effects({"temporal-attention": attention, "leave-one-out": effect}, names)
    assert "disagree" in sent["sentences"][0] or "neither" in sent["sentences"][0]
    assert "Temporal attention -1.00" in sent["sentences"][1]


def test_a_partial_shapley_value_is_no_measure_yet_and_a_whole_one_is_the_best() -> None:
    frames = np.array([1, 2, 3, 4], np.float32)
    part = make_explanation(method="shapley", signed=True, frames=frames, done=0.4)
    quick = make_explanation(method="leave-one-out", signed=True, frames=frames)
    assert measured_by({"shapley": part}) is None
    early = effects(
        {"temporal-attention": quick, "leave-one-out": quick, "shapley": part},
        ["temporal-attention", "leave-one-out", "shapley"],
    )
    assert early["sentences"][1] == (
        "Rank correlation with Leave one out: Temporal attention +1.00."
    )
    assert measured_by({"shapley": part, "leave-one-out": quick}) == "leave-one-out"
    whole = replace(part, done=1.0, details={"v_all": 7.0, "v_none": -3.0})
    found = {"shapley": whole, "leave-one-out": quick}
    assert measured_by(found) == "shapley"
    sent = effects(found, ["leave-one-out", "shapley"])
    assert sent["rows"][1]["note"] == "sum of the bars 10.00; all frames 7.00 − none −3.00"


def test_the_sufficient_frames_are_named_from_one() -> None:
    members = make_explanation(
        frames=np.array([0, 1, 0, 1], np.float32), details={"sets_of_this_size": 3.0}
    )
    sent = effects({}, [], sufficient=members)["sufficient"]
    assert sent["frames"] == [1, 3]
    assert sent["sentence"] == (
        "Frames 2 and 4 alone keep the predicted class on top. (2 other such choices would do.)"
    )
    clip = make_clip(np.zeros((4, 2, 2, 3), np.uint8))
    against = lab_payload.effects_payload(
        clip, {}, [], labels=("walk", "kick"), state="done", sufficient=members
    )["sufficient"]
    assert against["sentence"].startswith("Frames 2 and 4 alone keep “walk” above “kick”. (2")
    none = make_explanation(frames=np.zeros(4, np.float32))
    assert effects({}, [], sufficient=none)["sufficient"] is None


def test_curves_come_with_one_plain_sentence_each() -> None:
    decision = make_explanation(
        series={
            "prefix": np.array([0.1, 0.2, 0.9], np.float32),
            "suffix": np.array([0.1, 0.8, 0.9], np.float32),
            "prefix_lead": np.zeros(3, np.float32),
            "depth": np.array([0.3, 0.9], np.float32),
        },
        details={"prefix_decided": 2.0, "depth_decided": 1.0},
    )
    order = make_explanation(
        series={
            "original": np.array([0.9], np.float32),
            "reversed": np.array([0.2], np.float32),
            "shuffles": np.array([0.1, 0.2, 0.3, 0.4, 0.5], np.float32),
            "frozen": np.array([0.1, 0.1], np.float32),
        },
        details={"shuffles_on_top": 0.4},
    )
    clip = make_clip(np.zeros((2, 2, 2, 3), np.uint8))
    sent = lab_payload.curves_payload(clip, decision, order, foil=False)
    assert set(sent["decision"]["series"]) == {"prefix", "suffix", "depth"}
    assert sent["decision"]["sentence"] == (
        "It leads from the first 2 of 2 frames on. Read out layer by layer, it leads from layer 1 "
        "of 2 on."
    )
    assert sent["order"]["sentence"] == (
        "As opened 90 %, reversed 20 %, shuffled 30 % (half of the 5 shuffles between 20 % and "
        "40 %). It leads in 2 of 5 shuffles."
    )
    assert lab_payload.curves_payload(clip, None, order, foil=True)["low"] == -1.0


def test_the_parts_templates_hold_no_code() -> None:
    for component in (LabStrip, AnswerBars, EffectBars, DecisionCurves):
        part: Any = component(words={}, render=False)
        for template in (part.html_template, part.css_template):
            assert "${" not in template
            assert "{{" not in template


# --- the desk, with the embedded model ---


@pytest.fixture
def visit(analyst: Analyst) -> Visit:
    return analyst.example(Visit(), next(iter(analyst.examples)))


@pytest.fixture
def desk(analyst: Analyst) -> LabDesk:
    return analyst.lab


def sent_edit(desk: LabDesk, visit: Visit, lab: Lab, **change: Any) -> LabView:
    keys = [desk._analyst.opened(visit)[1].digest]
    slots = [[0, frame, True] for frame in range(16)]
    return desk.answer(visit, lab, GOOD | {"keys": keys, "slots": slots} | change)


def test_opening_shows_the_clip_once(desk: LabDesk, visit: Visit) -> None:
    first = desk.open(visit, Lab())
    assert first.clip is not None
    assert len(first.clip["frames"]) == 16
    assert first.answer is not None
    assert all(row["before"] == row["after"] for row in first.answer["rows"])
    assert first.lab is not None
    assert desk.open(visit, first.lab) == LabView()
    assert first.aim is not None
    assert first.aim["classes"][first.aim["predicted"]] == first.answer["now"]["label"]


def test_an_unedited_strip_gives_the_prediction_itself(desk: LabDesk, visit: Visit) -> None:
    answer = sent_edit(desk, visit, Lab()).answer
    assert answer is not None
    for row in answer["rows"]:
        assert row["after"] == pytest.approx(row["before"], abs=1e-5)


def test_a_reordered_strip_is_the_engines_own_edit(
    analyst: Analyst, desk: LabDesk, visit: Visit
) -> None:
    frames = [15, 3, 3, 8, *range(12)]
    answer = sent_edit(desk, visit, Lab(), slots=[[0, frame, True] for frame in frames]).answer
    engine, clip = analyst.opened(visit)
    expected = engine.edit(clip, frames=frames)
    assert answer is not None
    for row in answer["rows"]:
        assert row["after"] == pytest.approx(expected.probabilities[row["index"]], abs=1e-5)


def test_frames_of_a_second_clip_of_another_size_take_part(
    analyst: Analyst, desk: LabDesk, visit: Visit, tmp_path: Path
) -> None:
    film = tmp_path / "upright.mp4"
    pictures = np.random.default_rng(1).integers(0, 255, (20, 120, 80, 3), dtype=np.uint8)
    write_mp4(film, pictures, 10.0)
    source = analyst.sources.add(film, film.name)
    view = desk.splice(visit, Lab(), source)
    assert view.lab is not None
    assert view.second is not None
    keys = [analyst.opened(visit)[1].digest, view.second["key"]]
    slots = [[1, frame, True] for frame in range(16)]
    answer = sent_edit(desk, visit, view.lab, keys=keys, slots=slots).answer
    engine, second = analyst.opened(replace(visit, source=source))
    assert second.frames.shape[1:3] != analyst.opened(visit)[1].frames.shape[1:3]
    assert view.second["tile"] != desk.open(visit, Lab()).clip["tile"]
    assert answer is not None
    expected = engine.predict(second)
    assert answer["now"]["probability"] == pytest.approx(expected.probabilities.max(), abs=1e-4)
    with pytest.raises(ParameterError, match="another clip"):
        sent_edit(desk, visit, Lab(), keys=keys, slots=slots)
    none = desk.splice_example(visit, view.lab, "")
    assert none.lab == replace(view.lab, second=None)
    assert none.second == {}


def test_bad_second_clips_are_refused(
    analyst: Analyst, desk: LabDesk, visit: Visit, tmp_path: Path
) -> None:
    with pytest.raises(UnknownNameError, match="no example 'nothing'"):
        desk.splice_example(visit, Lab(), "nothing")
    text_file = tmp_path / "a.mp4"
    text_file.write_text("not a video")
    with pytest.raises(VideoError, match="Choose an mp4"):
        desk.splice(visit, Lab(), analyst.sources.add(text_file, "a.mp4"))
    with pytest.raises(VideoError, match="no longer kept"):
        desk.splice(visit, Lab(), "a key that was made up")


def test_a_class_that_does_not_exist_is_refused(desk: LabDesk, visit: Visit) -> None:
    with pytest.raises(ParameterError, match="Classes run from 0"):
        desk.aim(visit, Lab(), {"target": 10**6, "foil": None})
    with pytest.raises(ParameterError, match="against itself"):
        desk.aim(visit, Lab(), {"target": 1, "foil": 1})
    view = desk.aim(visit, Lab(), {"target": 1, "foil": 2})
    assert view.lab == Lab(target=1, foil=2)


@pytest.mark.skipif("shapley" not in EXPLAINERS, reason="the registry has no Shapley values yet")
def test_quick_rows_come_first_and_whoever_goes_stops_the_sum(desk: LabDesk, visit: Visit) -> None:
    asked: list[int] = []

    def alive() -> bool:
        asked.append(1)
        return len(asked) < 8

    views = list(desk.effects(visit, Lab(), alive))
    first = views[0].effects
    assert first is not None
    known = [name for name in ROWS if name in EXPLAINERS]
    assert [row["name"] for row in first["rows"]] == known
    assert [row["values"] is not None for row in first["rows"]] == [True] * (len(known) - 1) + [
        False
    ]
    assert any(view.curves for view in views)
    last = views[-1].effects
    assert last is not None
    assert last["state"] == "stopped"
    assert 0 < last["rows"][-1]["done"] < 1


def test_the_lab_follows_another_clip_and_forgets_the_class(
    analyst: Analyst, desk: LabDesk, visit: Visit
) -> None:
    lab = desk.open(visit, Lab()).lab
    assert lab is not None
    chosen = replace(lab, target=3, foil=4, removal="mean")
    other = desk.open(analyst.example(visit, list(analyst.examples)[2]), chosen)
    assert other.lab is not None
    assert (other.lab.target, other.lab.foil, other.lab.removal) == (None, None, "mean")
    assert other.second == {}


def test_the_page_has_the_tab_and_its_edits_wait_for_nobody() -> None:
    backstage: Any = SimpleNamespace(analyst=None)
    page = build_page(backstage)
    labels = [block.label for block in page.blocks.values() if isinstance(block, gr.Tab)]
    assert text.FRAME_LAB in labels
    waits = {
        str(event.name): event.concurrency_id if event.queue else None
        for event in page.fns.values()
    }
    assert waits["arrange"] is None
    assert waits["explain"] == "effects"
