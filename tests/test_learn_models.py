"""The tab "Learn" with models other than the built-in STAM, and with a clip of one frame."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from app.analysis import Analyst
from app.learn import text as learn_text
from app.learn.desk import LESSONS, LearnDesk, LearnView
from app.learn.lesson import Ask
from app.learn.state import Learn
from app.visit import Visit
from stam_core import Engine
from stam_core.errors import ParameterError
from stam_core.models import LoadedModel
from stam_core.models.registry import rendered_actions
from stam_core.models.timesformer import TimeSformer
from stam_core.models.weights import LoadReport

LARGEST = 300_000  # bytes of a chapter's data


@pytest.fixture(scope="module")
def desk(analyst: Analyst) -> LearnDesk:
    return analyst.learn


# --- with the embedded TimeSformers ---


@dataclass(frozen=True)
class Other:
    """A visitor with another model."""

    model: str
    visit: Visit
    view: LearnView

    def asks(self, desk: LearnDesk, number: int, **data: Any) -> dict[str, Any]:
        assert self.view.clip is not None
        assert self.view.learn is not None
        event = {"chapter": number, "key": self.view.clip["key"], "first": True, **data}
        *_, view = desk.answer(self.visit, self.view.learn, event)
        assert view.lesson is not None
        return view.lesson[1]


@pytest.fixture(scope="module", params=["timesformer-actions", "joint-actions"])
def other(request: pytest.FixtureRequest, analyst: Analyst, desk: LearnDesk) -> Other:
    visit = replace(analyst.example(Visit(), "walk.mp4"), model=request.param)
    return Other(request.param, visit, desk.open(visit, Learn()))


@pytest.mark.parametrize("number", sorted(LESSONS))
def test_every_chapter_has_a_figure_or_says_why_not(
    desk: LearnDesk, other: Other, number: int
) -> None:
    data = other.asks(desk, number)
    assert len(json.dumps(data, allow_nan=False)) < LARGEST
    if number == 3:  # its map is between frames
        assert data["missing"] == learn_text.NO_FRAME_HEADS
        return
    assert "missing" not in data
    question = data["quiz"]
    assert 0 <= question["answer"] < len(question["choices"])
    assert len(set(question["choices"])) == len(question["choices"]) >= 2


def test_shapes_of_a_model_with_one_class_token(desk: LearnDesk, other: Other) -> None:
    data = other.asks(desk, 1)
    assert data["quiz"]["choices"][data["quiz"]["answer"]] == f"{16 * 64 + 1:,}"
    names = [name for name, _ in data["shapes"]]
    assert learn_text.SHAPES["all"] in names
    assert learn_text.SHAPES["embeddings"] not in names


def test_the_scheme_in_use_is_marked(desk: LearnDesk, other: Other) -> None:
    expected = {"timesformer-actions": "divided", "joint-actions": "joint"}[other.model]
    assert other.asks(desk, 2)["own"] == expected


def test_a_patch_has_its_share_of_the_models_own_rollout(
    desk: LearnDesk, other: Other, analyst: Analyst
) -> None:
    data = other.asks(desk, 4)
    engine, clip = analyst.opened(other.visit)
    found = engine.explain(clip, method="rollout")
    assert found.patches is not None
    assert np.allclose(data["shares"]["clip"], found.patches.reshape(16, 64), atol=1e-6)
    assert data["shares"]["cls"] == pytest.approx(found.unattributed, abs=1e-5)
    assert "no product" in data["no_product"]
    assert data["quiz"]["choices"][data["quiz"]["answer"]] == "1,024"


def test_rollout_by_layers_ends_at_the_models_own_rollout(
    desk: LearnDesk, other: Other, analyst: Analyst
) -> None:
    data = other.asks(desk, 5)
    engine, clip = analyst.opened(other.visit)
    found = engine.explain(clip, method="rollout")
    assert found.frames is not None
    assert found.patches is not None
    assert len(data["rows"]) == 4
    assert data["size"] == 17
    assert np.allclose(data["rows"][-1][1:], found.frames, atol=1e-5)
    patches = other.asks(desk, 5, stage="space", frame=3, first=False)
    assert patches["size"] == 17  # the matrices stay between frames
    assert np.allclose(patches["rows"][-1][1:], found.patches[3].ravel(), atol=1e-5)
    held = other.asks(desk, 5, residual=0.95, discard=0.5, fusion="max", first=False)
    assert held["spread"][-1]["kept"] > data["spread"][-1]["kept"]


def test_order_is_answered_by_whole_passes(desk: LearnDesk, other: Other, analyst: Analyst) -> None:
    engine, clip = analyst.opened(other.visit)
    tried = other.asks(desk, 7, order="reverse", first=False)["try"]
    expected = engine.edit(clip, frames=list(range(15, -1, -1)))
    assert tried["label"] == expected.top(1)[0][0]
    assert tried["now"] == pytest.approx(expected.top(1)[0][1], abs=1e-5)


def test_pictures_lie_with_any_model_that_attends_to_frames(
    desk: LearnDesk, other: Other, analyst: Analyst
) -> None:
    data = other.asks(desk, 8)
    engine, clip = analyst.opened(other.visit)
    found = engine.explain(clip, method="temporal-attention").frames
    assert found is not None
    assert np.allclose(data["attention"], found, atol=1e-4)
    assert data["no_black"] == learn_text.NO_BLACK
    with pytest.raises(ParameterError, match="built-in STAM"):
        other.asks(desk, 8, run="black", first=False)


def test_a_forgetting_model_of_whole_clips_is_told_step_by_step(
    desk: LearnDesk, other: Other
) -> None:
    assert other.view.clip is not None
    assert other.view.learn is not None
    event = {"chapter": 8, "key": other.view.clip["key"], "run": "forget"}
    views = desk.answer(other.visit, other.view.learn, event)
    lesson = next(views).lesson
    views.close()  # type: ignore[attr-defined]
    assert lesson is not None
    start = lesson[1]["forget"]["steps"][0]
    assert set(start["likeness"].values()) == {1.0}
    assert len(start["scores"]["rollout"]) == 64  # of the middle frame
    assert set(start["scores"]) <= set(learn_text.FIGURE_WORDS["eight"]["methods"])


# --- other clips and models ---


@pytest.mark.parametrize("number", sorted(LESSONS))
def test_a_clip_of_one_frame_has_figures_or_is_told(analyst: Analyst, number: int) -> None:
    engine, _ = analyst.opened(analyst.example(Visit(), "jumping-jacks.mp4"))
    picture = np.random.default_rng(0).integers(0, 255, (1, 120, 160, 3), np.uint8)
    data = last_part(number, Ask(engine, engine.open(picture), {}, first=True))
    if number == 7:
        assert "one picture" in data["missing"]
    else:
        assert data["quiz"]["choices"]


@pytest.fixture(scope="module")
def space_only() -> Engine:
    """A model whose frames never meet, with random weights."""
    like = rendered_actions("joint-actions")
    config = replace(like.config, scheme="space", stem_width=0, depth=2)
    torch.manual_seed(0)
    info = replace(like, name="space-only", config=config)
    return Engine(
        LoadedModel(
            TimeSformer(config), info, LoadReport("test", Path("none"), "0", 0, "safetensors")
        )
    )


@pytest.mark.parametrize("number", sorted(LESSONS))
def test_a_model_whose_frames_never_meet_is_told(
    space_only: Engine, analyst: Analyst, number: int
) -> None:
    clip = space_only.open(analyst.examples["walk.mp4"].path)
    data = last_part(number, Ask(space_only, clip, {}, first=True))
    missing = {3: learn_text.NO_FRAME_HEADS, 5: learn_text.NO_ROLLOUT, 8: learn_text.NO_LIES}
    assert data.get("missing") == missing.get(number)
    if number == 4:
        assert "never meet" in data["no_product"]
    if number == 7:
        assert data["quiz"]["choices"][data["quiz"]["answer"]] == "yes, it stays"
        *_, told = LESSONS[7](Ask(space_only, clip, {"reveal": True}, first=False))
        assert set(told["effects"]["rows"]) == {"leave-one-out"}


def last_part(number: int, ask: Ask) -> dict[str, Any]:
    found = LESSONS[number](ask)
    if isinstance(found, dict):
        return found
    *_, last = found
    return last
