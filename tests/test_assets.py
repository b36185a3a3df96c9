"""What is shipped: small enough, complete, and recognised by the model it is shipped with."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from stam_core import Engine
from tests.conftest import ROOT

EXAMPLES = ROOT / "assets" / "examples"
LISTED = json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def engine():
    return Engine("stam-actions", device="cpu", dtype="float32")


@pytest.mark.parametrize("entry", LISTED, ids=lambda entry: entry["file"])
def test_every_example_is_small_and_recognised(engine, entry):
    path = EXAMPLES / entry["file"]
    assert path.stat().st_size < 300_000
    clip = engine.open(path)
    assert 2.0 < clip.info.duration_seconds < 5.0
    assert clip.info.codec == "h264"
    assert engine.predict(clip).top(1)[0][0] == entry["label"]


def test_the_list_is_complete_and_holds_a_time_pair():
    assert 6 <= len(LISTED) <= 8
    assert {entry["file"] for entry in LISTED} == {path.name for path in EXAMPLES.glob("*.mp4")}
    assert {"sit down", "stand up"} <= {entry["label"] for entry in LISTED}


def test_a_time_pair_played_backwards_becomes_the_other_action(engine):
    clip = engine.open(EXAMPLES / "sit-down.mp4")
    backwards = engine.edit(clip, frames=list(range(15, -1, -1)))
    assert backwards.top(1)[0][0] == "stand up"


@pytest.fixture(scope="module", params=["timesformer-actions", "joint-actions"])
def whole(request):
    return Engine(request.param, device="cpu", dtype="float32")


def test_models_that_take_a_clip_whole_are_small_and_of_the_same_actions(whole, engine):
    assert whole.info.scheme == {"timesformer-actions": "divided"}.get(whole.info.name, "joint")
    assert whole.info.labels == engine.info.labels
    assert whole.info.weights.embedded
    assert whole.info.weights.n_bytes < 12_000_000
    assert "joint" in whole.info.title or "divided" in whole.info.title


def test_they_know_most_of_the_examples(whole):
    right = [
        whole.predict(whole.open(EXAMPLES / entry["file"])).top(1)[0][0] == entry["label"]
        for entry in LISTED
    ]
    assert sum(right) >= 6, right


def test_the_divided_one_knows_which_way_a_clip_is_played():
    divided = Engine("timesformer-actions", device="cpu", dtype="float32")
    clip = divided.open(EXAMPLES / "sit-down.mp4")
    assert divided.predict(clip).top(1)[0][0] == "sit down"
    backwards = divided.edit(clip, frames=list(range(15, -1, -1)))
    assert backwards.top(1)[0][0] == "stand up"


def test_their_frames_can_be_edited_too(whole):
    """The edited clip is the clip with its frames in that order, and not the one as opened."""
    clip = whole.open(EXAMPLES / "kick.mp4")
    order = [*range(15, -1, -1)]
    backwards = replace(clip, frames=clip.frames[order], digest="backwards")
    edited, opened = whole.edit(clip, frames=order), whole.predict(backwards)
    np.testing.assert_allclose(edited.logits, opened.logits, atol=1e-4)
    assert np.abs(edited.logits - whole.predict(clip).logits).max() > 0.01
