"""The tab "Learn" without a browser: texts, what the page may send, what its figures are told."""

from __future__ import annotations

import base64
import json
import math
import re
from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np
import pytest
import torch
from gradio.blocks import BlockContext

from app.analysis import Analyst
from app.backstage import Backstage
from app.components.base import component_file
from app.components.learn import LessonFigure, LessonNav
from app.learn import text as learn_text
from app.learn.desk import LESSONS, LearnDesk, LearnView, about, queued_chapters
from app.learn.heads import _told
from app.learn.lesson import Ask, levels, packed
from app.learn.questions import quiz, read_choice, read_patch, read_share, read_whole
from app.learn.rules import _limits
from app.learn.state import Learn
from app.ui import TABS, build_page
from app.visit import Visit
from stam_core.cost_records import model_sizes
from stam_core.costs import Sizes, cost
from stam_core.errors import ParameterError, UnknownNameError, VideoError
from stam_core.explain.by_hand import HeadByHand
from stam_core.models.registry import rendered_actions, stam_kinetics
from stam_core.schemes import STEPS, neighbours

LARGEST = 300_000  # bytes of a chapter's data


@pytest.fixture(scope="module")
def desk(analyst: Analyst) -> LearnDesk:
    return analyst.learn


@pytest.fixture(scope="module")
def opened(desk: LearnDesk) -> LearnView:
    return desk.open(Visit(), Learn())


def asked(desk: LearnDesk, opened: LearnView, number: int, **data: Any) -> dict[str, Any]:
    assert opened.clip is not None
    assert opened.learn is not None
    event = {"chapter": number, "key": opened.clip["key"], "serial": 7, "first": True, **data}
    *_, view = desk.answer(Visit(), opened.learn, event)
    assert view.lesson is not None
    assert view.lesson[0] == number
    return view.lesson[1]


# --- texts ---


@pytest.mark.parametrize("chapter", learn_text.CHAPTERS, ids=lambda chapter: str(chapter.number))
def test_every_step_of_a_text_has_its_part_of_the_figure(chapter: learn_text.Chapter) -> None:
    items = re.findall(r"^\d+\. ", chapter.text, flags=re.MULTILINE)
    assert len(items) == len(chapter.parts)
    script = component_file(f"learn/lesson_{chapter.number}.js")
    for part in chapter.parts:
        assert f'part("{part}"' in script or f'"{part}"' in script
    assert chapter.text.count("$") % 2 == 0


def test_chapters_and_lessons_are_the_same_ones() -> None:
    assert [chapter.number for chapter in learn_text.CHAPTERS] == sorted(LESSONS)


def test_scripts_hold_no_template_and_no_html() -> None:
    for name in ("nav.js", *LessonFigure.scripts, "lesson.js"):
        script = component_file(f"learn/{name}")
        assert "innerHTML" not in script
        assert "http" not in script.replace("http://www.w3.org/2000/svg", "")


def test_events_are_found_by_their_names() -> None:
    with gr.Blocks():
        figure = LessonFigure(clip={}, words=learn_text.FIGURE_WORDS)
        LessonNav(example="", words=learn_text.NAV_WORDS)
    assert callable(figure.ask)
    assert callable(figure.example)


# --- what the page may send ---


@pytest.mark.parametrize("value", [-1, 16, 2.5, True, "3", None, math.nan, [1]])
def test_a_forged_number_is_refused(value: object) -> None:
    with pytest.raises(ParameterError, match="whole number from 0 to 15"):
        read_whole({"frame": value}, "frame", 0, 15, 3)


@pytest.mark.parametrize("value", [-0.1, 1.0, math.nan, math.inf, "0.5", True, None])
def test_a_forged_share_is_refused(value: object) -> None:
    with pytest.raises(ParameterError, match=r"from 0 to 0\.95"):
        read_share({"residual": value}, "residual", 0.95, 0.5)


@pytest.mark.parametrize("value", [None, [1, 2], [0, 0, 8], [0, 0, 0.5], "000", {"frame": 1}])
def test_a_forged_patch_is_refused(value: object) -> None:
    with pytest.raises(ParameterError):
        read_patch({"a": value}, "a", (16, 8, 8), (0, 0, 0))


def test_defaults_stand_where_nothing_was_sent() -> None:
    assert read_whole({}, "frame", 0, 15, 3) == 3
    assert read_share({}, "residual", 0.95, 0.5) == 0.5
    assert read_patch({}, "a", (16, 8, 8), (1, 2, 3)) == (1, 2, 3)
    assert read_choice({}, "stage", ["time", "space"]) == "time"


@pytest.mark.parametrize("value", ["", "Time", 0, None, ["time"]])
def test_a_forged_choice_is_refused(value: object) -> None:
    with pytest.raises(UnknownNameError, match="Known: time, space"):
        read_choice({"stage": value}, "stage", ["time", "space"])


def test_a_quiz_shows_a_choice_once_and_knows_its_answer() -> None:
    made = quiz("How many?", ["1", "2", "2", "never"], "never", "So it is.")
    assert made["choices"] == ["1", "2", "never"]
    assert made["answer"] == 2


@pytest.mark.parametrize("number", [None, 0, 99, "1", True, 1.0, [1]])
def test_a_chapter_that_is_not_there_is_refused(
    desk: LearnDesk, opened: LearnView, number: object
) -> None:
    assert opened.learn is not None
    with pytest.raises(ParameterError, match="no such chapter"):
        list(desk.answer(Visit(), opened.learn, {"chapter": number}))


def test_a_question_about_another_clip_is_refused(desk: LearnDesk, opened: LearnView) -> None:
    assert opened.learn is not None
    with pytest.raises(ParameterError, match="another clip"):
        list(desk.answer(Visit(), opened.learn, {"chapter": 1, "key": "other"}))


@pytest.mark.parametrize("data", [{"chapter": 8, "run": "forget"}, {"chapter": 8, "run": "none"}])
def test_what_takes_seconds_is_not_answered_outside_the_queue(
    desk: LearnDesk, opened: LearnView, data: dict[str, Any]
) -> None:
    assert opened.clip is not None
    assert opened.learn is not None
    event = {"key": opened.clip["key"], "first": True, **data}
    with pytest.raises(ParameterError, match="waits in a queue"):
        next(desk.answer(Visit(), opened.learn, event, at_once=True))


def test_models_that_take_long_are_asked_in_the_queue(desk: LearnDesk, opened: LearnView) -> None:
    assert (opened.clip or {})["queued"] == []
    assert queued_chapters(stam_kinetics(16)) == (3, 4, 5, 7, 8)
    visit = Visit(model="timesformer-actions")
    other = desk.open(visit, Learn())
    assert other.clip is not None
    assert other.learn is not None
    assert other.clip["queued"] == [3, 4, 5, 7, 8]
    event = {"chapter": 7, "key": other.clip["key"], "first": True, "order": "reverse"}
    with pytest.raises(ParameterError, match="waits in a queue"):
        next(desk.answer(visit, other.learn, event, at_once=True))
    parts = [view.lesson[1] for view in desk.answer(visit, other.learn, event) if view.lesson]
    assert len(parts) > 1  # between two of them it can be left, or ended
    assert [part.get("partial", False) for part in parts] == [True] * (len(parts) - 1) + [False]
    assert "try" in parts[-1]
    assert "quiz" in parts[-1]


# --- which clip ---


def test_without_a_clip_the_first_example_is_shown(opened: LearnView, analyst: Analyst) -> None:
    assert opened.clip is not None
    assert opened.clip["example"] == next(iter(analyst.examples))
    assert opened.note is None
    assert opened.clip["grid"] == [8, 8]
    assert len(opened.clip["frames"]) == 16


def test_what_the_page_shows_already_is_not_sent_again(desk: LearnDesk, opened: LearnView) -> None:
    assert opened.learn is not None
    assert desk.open(Visit(), opened.learn) == LearnView()


def test_the_visitors_own_example_is_shown(desk: LearnDesk, analyst: Analyst) -> None:
    view = desk.open(analyst.example(Visit(), "walk.mp4"), Learn())
    assert view.clip is not None
    assert view.clip["example"] == "walk.mp4"


def test_a_clip_that_is_gone_is_replaced_and_said(desk: LearnDesk, analyst: Analyst) -> None:
    gone = Visit(source="no such key")
    view = desk.open(gone, Learn())
    assert view.note is not None
    assert "first example" in view.note
    assert view.learn is not None
    assert view.clip is not None
    assert view.clip["example"] == next(iter(analyst.examples))
    # Another clip of the visitor's own is shown again.
    walk = analyst.example(Visit(), "walk.mp4")
    assert (desk.open(walk, view.learn).clip or {})["example"] == "walk.mp4"


def test_the_example_can_be_asked_for(desk: LearnDesk, analyst: Analyst) -> None:
    walk = analyst.example(Visit(), "walk.mp4")
    view = desk.fall_back(walk, Learn())
    assert (view.clip or {})["example"] == next(iter(analyst.examples))


def test_without_examples_and_clip_it_is_said(tmp_path: Any) -> None:
    with pytest.raises(VideoError, match="Open a clip"):
        Analyst(tmp_path).learn.open(Visit(), Learn())


# --- figures ---


@pytest.mark.parametrize("number", sorted(LESSONS))
def test_every_chapter_has_a_question_and_little_data(
    desk: LearnDesk, opened: LearnView, number: int
) -> None:
    data = asked(desk, opened, number)
    assert data["key"] == (opened.clip or {})["key"]
    assert data["serial"] == 7
    question = data["quiz"]
    assert 0 <= question["answer"] < len(question["choices"])
    assert len(set(question["choices"])) == len(question["choices"]) >= 2
    told = json.dumps(data, allow_nan=False)
    assert len(told) < LARGEST
    again = asked(desk, opened, number, first=False)
    assert "quiz" not in again


def test_frames_become_the_models_own_numbers(desk: LearnDesk, opened: LearnView) -> None:
    data = asked(desk, opened, 1, frame=3)
    assert data["frame"] == 3
    assert len(base64.b64decode(data["tokens"]["data"])) == 64 * 128 == 64 * data["width"]
    assert data["quiz"]["choices"][data["quiz"]["answer"]] == f"{16 * 65:,}"
    other = asked(desk, opened, 1, frame=9)
    assert other["seen"] != data["seen"]


def test_masks_travel_as_bits(desk: LearnDesk, opened: LearnView) -> None:
    data = asked(desk, opened, 2, a=[3, 1, 2], b=[4, 1, 2])
    for scheme in STEPS:
        seen = neighbours(scheme, (3, 1, 2), (16, 8, 8))
        for step, told in zip(seen, data["schemes"][scheme]["steps"], strict=True):
            bits = np.unpackbits(np.frombuffer(base64.b64decode(told["mask"]), np.uint8))
            assert np.array_equal(bits[:1024].astype(bool), step.mask.ravel())
    assert data["schemes"]["joint"]["keys"] == 16 * 64 + 1
    assert data["schemes"]["divided"] | {"steps": 0} == {
        "title": "Divided space-time", "steps": 0, "keys": 16 + 65, "meet": 1, "direct": True,
        "never": False,
    }  # fmt: skip
    assert data["schemes"]["factorised"]["meet"] is None
    assert data["own"] == "factorised"


def test_costs_are_those_of_the_formulas(desk: LearnDesk, opened: LearnView) -> None:
    data = asked(desk, opened, 6)
    rows = {row["scheme"]: row for row in data["rows"]}
    macs = {name: round((rows[name]["linear"] + rows[name]["attention"]) / 1e9) for name in rows}
    assert (macs["joint"], macs["divided"], macs["factorised"]) == (448, 390, 280)
    sizes = {"frames": 64, "side": 224, "patch": 16, "width": 768, "depth": 12}
    long = asked(desk, opened, 6, **sizes)
    row = next(row for row in long["rows"] if row["scheme"] == "joint")
    classes = 23
    assert row["pairs"] == cost("joint", Sizes(frames=64, classes=classes)).pairs
    assert data["curves"]["joint"][data["curve_frames"].index(64)] == [
        row["pairs"], row["linear"] + row["attention"]
    ]  # fmt: skip
    assert data["own"] == {"frames": 16, "side": 128, "patch": 16, "width": 128, "depth": 4}


def test_the_answer_about_work_is_counted_for_the_model_in_use(
    desk: LearnDesk, opened: LearnView
) -> None:
    why = asked(desk, opened, 6)["quiz"]["why"]
    own = model_sizes(rendered_actions("stam-actions"))
    joint, stam = cost("joint", own), cost("factorised", own)
    assert joint.attention > joint.linear  # so "mostly linear layers" would be false
    assert f"{joint.layers / 1e9:.2f} GMAC against {stam.layers / 1e9:.2f} GMAC" in why
    assert f"Attention is {100 * joint.attention / joint.layers:.0f} %" in why
    assert f"{100 * stam.attention / stam.layers:.0f} % of STAM's" in why


def test_stam_is_counted_with_the_temporal_stage_in_use(desk: LearnDesk, opened: LearnView) -> None:
    own = asked(desk, opened, 6)["own"]
    at_own = asked(desk, opened, 6, **own)
    assert at_own["time"] == (
        "STAM is counted with 3 temporal layers and a feed-forward of 256, those of the model in "
        "use."
    )
    row = next(row for row in at_own["rows"] if row["scheme"] == "factorised")
    expected = cost("factorised", model_sizes(rendered_actions("stam-actions")))
    assert (row["linear"], row["parameters"]) == (expected.linear, expected.parameters)
    assert asked(desk, opened, 6)["time"].endswith(
        "6 temporal layers and a feed-forward of 2,048, as published."
    )


def test_what_depends_on_the_model_is_said(desk: LearnDesk, opened: LearnView) -> None:
    assert "convolutions" in asked(desk, opened, 1)["about"]
    assert "own" in asked(desk, opened, 1)["about"]
    assert "about" not in asked(desk, opened, 1, first=False)
    assert "convolutions" not in about(1, stam_kinetics(16))
    assert "one CLS" in about(1, rendered_actions("timesformer-actions"))
    assert "one CLS" in about(1, rendered_actions("joint-actions"))
    assert "temporal stage" in about(7, stam_kinetics(16))
    assert "whole pass" in about(7, rendered_actions("joint-actions"))
    for number in LESSONS:
        for info in map(rendered_actions, ("timesformer-actions", "joint-actions")):
            told = about(number, info)
            assert "one by one" not in told
            assert "frame has a CLS of its own" not in told


def test_never_is_said_of_frames_that_no_layer_joins(desk: LearnDesk, opened: LearnView) -> None:
    schemes = asked(desk, opened, 2, a=[0, 0, 0], b=[15, 7, 7])["schemes"]
    assert {name for name in schemes if schemes[name]["never"]} == {"space", "factorised"}
    assert schemes["mixing"]["meet"] is None  # too few layers, which is not never
    same = asked(desk, opened, 2, a=[3, 0, 0], b=[3, 7, 7])["schemes"]
    assert not any(scheme["never"] for scheme in same.values())


def test_every_patch_offered_gives_costs(desk: LearnDesk, opened: LearnView) -> None:
    data = asked(desk, opened, 6)
    assert data["patches"] == [8, 16, 32]
    pairs = [
        next(row["pairs"] for row in asked(desk, opened, 6, patch=patch)["rows"])
        for patch in data["patches"]
    ]
    assert pairs == sorted(pairs, reverse=True)
    assert len(set(pairs)) == 3


def test_a_model_between_two_steps_of_a_slider_can_be_set() -> None:
    limits = _limits(Sizes(frames=5, width=200))
    assert limits["frames"] == (2, 128, 1)
    assert limits["width"] == (192, 1280, 1)
    assert limits["depth"] == (1, 32, 1)
    assert _limits(Sizes(width=128))["width"] == (128, 1280, 64)


@pytest.mark.parametrize(
    "sizes", [{"frames": 1000}, {"depth": 0}, {"width": "768"}, {"side": 100, "patch": 16}]
)
def test_sizes_that_cannot_be_are_refused(
    desk: LearnDesk, opened: LearnView, sizes: dict[str, Any]
) -> None:
    with pytest.raises(ParameterError):
        asked(desk, opened, 6, first=False, **sizes)


def test_numbers_travel_as_levels() -> None:
    told = levels([[0.0, 1.0], [0.5, 0.25]])
    assert (told["low"], told["high"]) == (0.0, 1.0)
    assert list(base64.b64decode(told["data"])) == [0, 255, 128, 64]
    assert list(base64.b64decode(levels([2.0, 2.0])["data"])) == [0, 0]
    assert base64.b64decode(packed([True] * 8 + [False, True])) == bytes([255, 0b01000000])


# --- the page ---


def test_no_handler_writes_to_a_part_that_holds_others() -> None:
    """At every event gradio copies the properties of all parts within such an output."""
    page = build_page(Backstage())
    holders = {
        block.elem_id or type(block).__name__
        for event in page.fns.values()
        for block in event.outputs
        if isinstance(block, BlockContext) and len(block.children) > 3
    }
    assert holders == set()


def test_the_tab_is_in_the_page() -> None:
    page = build_page(Backstage())
    tabs = [block.id for block in page.blocks.values() if isinstance(block, gr.Tab)]
    assert tuple(tabs) == TABS


def test_state_holds_names_alone() -> None:
    assert replace(Learn(), shown="x") == Learn(shown="x")
    assert all(isinstance(value, str) for value in vars(Learn()).values())


# --- the chapters about the model's own numbers ---


def test_a_heads_numbers_lead_from_products_to_the_weighted_sum(
    desk: LearnDesk, opened: LearnView
) -> None:
    data = asked(desk, opened, 3, layer=2, head=5)
    assert (data["layers"], data["heads"]) == (3, 8)
    queries, keys = np.array(data["queries"]), np.array(data["keys"])
    assert queries.shape == (17, 16)
    products = queries @ keys.T
    assert np.allclose(products, data["products"], atol=0.02)
    weights = np.array(data["weights"])
    assert np.allclose(weights.sum(axis=1), 1, atol=1e-4)
    assert np.allclose(weights @ np.array(data["values"]), data["mixed"], atol=0.01)
    last = asked(desk, opened, 3, layer=3, head=8, first=False)
    frame = 1 + int(np.argmax(last["weights"][0][1:]))
    assert data["quiz"]["choices"][data["quiz"]["answer"]] == str(frame)


def test_a_head_of_sixty_four_frames_is_little_data() -> None:
    """STAM-64's heads, of 96 channels each."""
    generator = torch.Generator().manual_seed(0)
    rows = [3 * torch.randn(65, 96, generator=generator) for _ in range(4)]
    maps = [90 * torch.randn(65, 65, generator=generator) for _ in range(2)]
    found = HeadByHand(6, 8, *rows[:3], maps[0], 0.102062, maps[1], maps[1].softmax(-1), rows[3])
    assert len(json.dumps(_told(found) | {"quiz": "x" * 500})) < LARGEST


@pytest.mark.parametrize("wrong", [{"layer": 4}, {"head": 0}, {"head": "1"}])
def test_a_head_that_is_not_there_is_told(
    desk: LearnDesk, opened: LearnView, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ParameterError, match="whole number from 1"):
        asked(desk, opened, 3, first=False, **wrong)


def test_rollout_follows_its_settings(desk: LearnDesk, opened: LearnView) -> None:
    usual = asked(desk, opened, 5)
    assert len(usual["rows"]) == 3
    assert all(abs(sum(row) - 1) < 1e-3 for row in usual["rows"])
    assert usual["spread"][-1]["product"] > usual["spread"][-1]["alone"]
    answer = usual["quiz"]["choices"][usual["quiz"]["answer"]]
    assert answer == str(round(usual["spread"][-1]["product"]))
    still = asked(desk, opened, 5, residual=0.95)
    assert still["spread"][-1]["kept"] > usual["spread"][-1]["kept"]
    space = asked(desk, opened, 5, stage="space", frame=2, fusion="max")
    assert space["size"] == 65
    assert len(space["rows"]) == 4
    assert all(step is not None for step in space["mixed"])


@pytest.mark.parametrize(
    "wrong", [{"stage": "all"}, {"residual": 1.0}, {"fusion": "sum"}, {"frame": 16}, {"layer": 0}]
)
def test_rollout_settings_that_cannot_be_are_refused(
    desk: LearnDesk, opened: LearnView, wrong: dict[str, Any]
) -> None:
    with pytest.raises((ParameterError, UnknownNameError)):
        asked(desk, opened, 5, first=False, **wrong)


def test_the_two_roads_hold_what_the_rules_say(desk: LearnDesk, opened: LearnView) -> None:
    data = asked(desk, opened, 4, patch=[2, 3, 4])
    counts = {name: [entry["count"] for entry in road] for name, road in data["roads"].items()}
    assert counts == {"divided": [1, 16, 1024], "factorised": [1, 64]}
    space, time = np.array(data["shares"]["space"]), np.array(data["shares"]["time"])
    frame = int(time[1:].argmax())
    share = space[frame, 1:].max() * time[1 + frame]
    answer = data["quiz"]["choices"][data["quiz"]["answer"]]
    assert float(answer.removesuffix(" %")) == pytest.approx(100 * share, abs=0.02)


def test_other_orders_are_answered_exactly(
    desk: LearnDesk, opened: LearnView, analyst: Analyst
) -> None:
    visit = analyst.example(Visit(), "jumping-jacks.mp4")
    engine, clip = analyst.opened(visit)
    tried = asked(desk, opened, 7, order="reverse", first=False)["try"]
    expected = engine.edit(clip, frames=list(range(15, -1, -1)))
    assert tried["label"] == expected.top(1)[0][0]
    assert tried["now"] == pytest.approx(expected.top(1)[0][1], abs=1e-6)
    shuffled = asked(desk, opened, 7, order="shuffle", seed=5)["try"]
    assert sorted(shuffled["frames"]) == list(range(16))
    assert shuffled["frames"] != list(range(16))
    frozen = asked(desk, opened, 7, order="freeze", frame=4)["try"]
    assert frozen["frames"] == [4] * 16


def test_what_is_revealed_are_the_methods_own_scores(
    desk: LearnDesk, opened: LearnView, analyst: Analyst
) -> None:
    effects = asked(desk, opened, 7, reveal=True, first=False)["effects"]
    engine, clip = analyst.opened(analyst.example(Visit(), "jumping-jacks.mp4"))
    for name in ("temporal-attention", "leave-one-out"):
        frames = engine.explain(clip, method=name).frames
        assert frames is not None
        assert np.allclose(effects["rows"][name], frames, atol=1e-4)
        assert effects["key"][name] == int(frames.argmax())
    assert "Shapley" in effects["sentence"]


def test_what_a_model_cannot_tell_is_said_in_the_figure(
    desk: LearnDesk, opened: LearnView, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(ask: Ask) -> dict[str, Any]:
        raise ParameterError("This model has none. Choose a STAM.")

    monkeypatch.setitem(LESSONS, 1, refuse)
    assert asked(desk, opened, 1)["missing"] == "This model has none. Choose a STAM."
    with pytest.raises(ParameterError, match="Choose a STAM"):
        asked(desk, opened, 1, first=False)


def test_attention_and_effect_of_the_frame_looked_at_most(
    desk: LearnDesk, opened: LearnView
) -> None:
    data = asked(desk, opened, 8)
    most = int(np.argmax(data["attention"]))
    rank = 1 + sum(effect > data["effect"][most] for effect in data["effect"])
    assert f"place {rank}." in data["sentence"]
    answer = data["quiz"]["choices"][data["quiz"]["answer"]]
    bounds = [int(number) for number in re.findall(r"\d+", answer)]
    assert bounds[0] <= rank <= bounds[-1]


def test_black_gets_no_credit_against_black(desk: LearnDesk, opened: LearnView) -> None:
    data = asked(desk, opened, 8, run="black", square=[8, 7, 7], first=False)["black"]
    assert data["square"] == [8, 6, 6]  # the whole square lies in the picture
    assert data["credits"]["black"]["inside"] == 0.0
    assert data["credits"]["mean"]["inside"] != 0.0
    assert data["changed"] != 0.0


def test_the_forgetting_model_is_told_step_by_step(desk: LearnDesk, opened: LearnView) -> None:
    assert opened.clip is not None
    assert opened.learn is not None
    event = {"chapter": 8, "key": opened.clip["key"], "run": "forget"}
    views = desk.answer(Visit(), opened.learn, event)
    first, second = (next(views).lesson for _ in range(2))
    views.close()  # type: ignore[attr-defined]
    assert first is not None
    assert second is not None
    start, then = first[1]["forget"], second[1]["forget"]
    assert (len(start["steps"]), len(then["steps"])) == (1, 2)
    assert set(start["steps"][0]["likeness"].values()) == {1.0}
    assert then["steps"][1]["layer"] == "head"
    # The head is no part of attention, and contrast is no part of the model.
    assert then["steps"][1]["likeness"]["temporal-attention"] == 1.0
    assert then["steps"][1]["likeness"]["contrast"] == 1.0
    assert then["steps"][1]["likeness"]["leave-one-out"] < 1.0
    assert second[1]["partial"] is True
