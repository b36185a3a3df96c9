"""All methods on one clip, and the table of many, with maps that are known in advance."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch

from stam_core.errors import ParameterError, UnknownNameError
from stam_core.explain import EXPLAINERS
from stam_core.explain.base import Explainer
from stam_core.metrics.randomise import RandomisedStep
from stam_core.metrics.rendered import CONTROLS
from stam_core.metrics.score import RANDOM, rendered_clip, scorable, score_clip
from stam_core.metrics.score_records import ClipScores, Figure, MethodScores, ScoreSettings
from stam_core.metrics.score_table import findings, score_rows
from stam_core.models import model_info
from stam_core.record import Subject
from stam_core.types import Explanation, Prediction, Preprocessing
from stam_core.video import clip_from_array, crop_box, preprocess
from tests.toys import CONFIG, toy_stam

LABELS = ("a", "b", "c", "d", "e")
REFERENCES = [*CONTROLS, RANDOM]


class Toy:
    """An engine around the toy model, whose methods say what they are told to."""

    def __init__(self, says=None):
        self.info = replace(
            model_info("stam-16"),
            config=CONFIG,
            num_frames=4,
            labels=LABELS,
            preprocessing=Preprocessing(32, 32),
        )
        self.model = toy_stam()
        self.says = says or {}
        self.targets = {}

    def open(self, source):
        return clip_from_array(source, num_frames=4)

    def crop_box(self, clip):
        return crop_box(clip.frames.shape[2], clip.frames.shape[1], self.info.preprocessing)

    @contextmanager
    def subject(self, clip):
        x, _ = preprocess(clip.frames, self.info.preprocessing)
        yield Subject(self.model, x, (4, 4))

    def predict(self, clip):
        with self.subject(clip) as subject:
            logits = subject.trace().logits
        return Prediction(logits.numpy(), logits.softmax(-1).numpy(), LABELS)

    def explain(self, clip, *, method, target):
        self.targets[method] = target
        said = self.says[method]
        if isinstance(said, Exception):
            raise said
        frames, patches = said
        return Explanation(method, target, frames, patches, True, None, {}, 1.0, 0.25)


@pytest.fixture(scope="module")
def rendered():
    return rendered_clip(Toy(), 3, seed=5)


def settings(*methods, **options):
    return ScoreSettings(methods, orders=20, **options)


def test_every_map_is_judged_and_survives_a_journal(rendered):
    clip, truth = rendered
    engine = Toy(
        {
            "rollout": (truth.key_frames.astype(np.float32), truth.limb_shares.astype(np.float32)),
            "spatial-rollout": (None, -truth.limb_shares.astype(np.float32)),
        }
    )
    asked = settings("rollout", "spatial-rollout", fill="mean", randomised=4)
    told = []
    found = score_clip(engine, clip, asked, index=3, name="clip 3", truth=truth, told=told.append)
    assert told == ["rollout", "spatial-rollout"]
    assert engine.targets == {"rollout": None, "spatial-rollout": None}  # they know no class
    assert list(found.methods) == ["rollout", "spatial-rollout", *REFERENCES]
    assert found.answer in LABELS
    best = found.methods["rollout"]
    assert best.truth["key-frame recall"].value == 1.0
    assert best.truth["pointing game"].value == 1.0
    assert set(best.frames) == {"drop", "mean", "hold"}
    assert best.seconds == 0.25
    assert best.patches is not None
    opposite = found.methods["spatial-rollout"]
    assert opposite.frames == {}
    assert opposite.truth["pointing game"].value == 0.0
    assert found.methods[RANDOM].seconds is None
    line = json.dumps(found.as_json(), allow_nan=False)
    assert ClipScores.from_json(json.loads(line)) == found


def test_a_method_that_fails_leaves_its_reason_and_stops_no_other(rendered):
    clip, _ = rendered
    flat = np.ones(4, np.float32)
    engine = Toy(
        {
            "rollout": ParameterError("This model has no such layer."),
            "temporal-rollout": (np.full(4, np.nan, np.float32), None),
            "temporal-attention": (flat, None),
        }
    )
    names = ("rollout", "temporal-rollout", "temporal-attention")
    found = score_clip(engine, clip, settings(*names, controls=False)).methods
    assert list(found) == list(names)
    assert found["rollout"] == MethodScores(error="This model has no such layer.")
    assert "not numbers" in found["temporal-rollout"].error
    assert found["temporal-attention"].frames
    assert found["temporal-attention"].truth == {}


def test_the_first_clips_are_asked_while_the_model_forgets(rendered):
    clip, truth = rendered
    engine = Toy({"spatial-attention": (None, truth.limb_shares.astype(np.float32))})
    asked = settings("spatial-attention", randomised=4, controls=True)
    found = score_clip(engine, clip, asked, index=3).methods
    steps = found["spatial-attention"].randomised
    assert [step.layer for step in steps[:2]] == ["", "head"]
    assert steps[1].patches == 1.0  # a spatial map knows no head
    assert steps[-1].patches < 0.5
    assert found[RANDOM].randomised == ()
    assert score_clip(engine, clip, asked, index=4).methods["spatial-attention"].randomised == ()


def test_a_map_that_survives_the_loss_of_all_weights_is_named():
    def of(index, last):
        steps = (RandomisedStep("", 1.0, None), RandomisedStep("head", last, None))
        return ClipScores(index, "", methods={"m": MethodScores(0.1, randomised=steps)})

    (row,) = score_rows([of(0, 0.9), of(1, 0.7)])
    assert row.randomised[-1] == RandomisedStep("head", pytest.approx(0.8), None)
    assert row.unchanged
    assert "little about this model: m." in findings([row])[-1]
    (row,) = score_rows([of(0, 0.9), of(1, -0.7)])
    assert not row.unchanged
    assert "little about this model: none." in findings([row])[-1]


def test_only_methods_with_a_ranking_are_scored(monkeypatch):
    class Curve(Explainer):
        info = replace(EXPLAINERS["rollout"].info, name="curve", outputs=frozenset({"series"}))

    monkeypatch.setitem(EXPLAINERS, "curve", Curve)
    assert "curve" not in scorable()
    assert scorable(["rollout", "rollout"]) == ("rollout",)
    with pytest.raises(ParameterError, match="curve scores neither frames nor patches"):
        scorable(["curve"])
    with pytest.raises(UnknownNameError, match="no method 'cam'"):
        scorable(["cam"])


def clip_with(index, z, *, flips=False, recall=0.75, error=""):
    if error:
        return ClipScores(index, f"clip {index}", methods={"m": MethodScores(error=error)})
    verdict = "better" if z > 2 else "random"
    gap = {"gap": Figure(z, 0.0, 1.0, z, verdict)}
    other = {"gap": Figure(0.0, 0.0, 1.0, 0.0, "worse")} if flips else gap
    truth = {"key-frame recall": Figure(recall, 0.5, 0.25, (recall - 0.5) / 0.25)}
    scores = MethodScores(0.1 * index, "", {"drop": gap, "mean": gap, "hold": other}, None, truth)
    return ClipScores(index, f"clip {index}", "a", 0.5, {"m": scores})


def test_the_table_by_hand():
    clips = [clip_with(i, z) for i, z in enumerate((1.0, 3.0, 3.0, 5.0))]
    clips += [clip_with(4, 0.0, error="no"), ClipScores(5, "clip 5", error="no video")]
    (row,) = score_rows(clips)
    assert (row.clips, row.failed) == (4, 1)
    assert row.seconds == pytest.approx(0.15)
    assert row.frames["drop"].z.mean == 3.0
    assert row.frames["drop"].better == 0.75
    assert row.frames["drop"].standing == "better"
    assert row.measures["drop"] == {"gap": 3.0}
    assert row.flips == 0.0
    recall = row.truth["key-frame recall"]
    assert recall.value.mean == 0.75
    assert recall.z == pytest.approx((0.75 - 0.5) / (0.25 / 2))  # of a mean of four
    assert recall.standing == "better"
    assert findings([row]) == [
        "Frames, against random orders: better under every removal: m; only under some: none; "
        "under none: none.",
        "Key-frame recall: above chance: m; not: none.",
    ]


def test_what_does_not_beat_random_is_said():
    clips = [clip_with(i, z, flips=True, recall=r) for i, (z, r) in enumerate(((3, 0.6), (3, 0.2)))]
    (row,) = score_rows(clips)
    assert row.flips == 1.0
    assert row.frames["hold"].standing == "random"
    assert row.frames["hold"].worse == 1.0
    first, second = findings([row])
    assert "only under some: m" in first
    assert "not: m" in second


def test_a_handful_of_lucky_clips_is_no_evidence():
    """Four random rankings with z 0.5 to 1.2: no resample of them is below 0, and yet."""
    (row,) = score_rows([clip_with(i, z) for i, z in enumerate((0.5, 1.2, 0.8, 1.0))])
    assert row.frames["drop"].z.interval[0] > 0
    assert row.frames["drop"].standing == "random"
    (row,) = score_rows([clip_with(i, -z) for i, z in enumerate((0.5, 1.2, 0.8, 1.0) * 4)])
    assert row.frames["drop"].standing == "worse"


def test_where_nothing_differs_nothing_is_averaged():
    gap = {"gap": Figure(1.0, 1.0, 0.0, None, "random")}
    scores = MethodScores(0.1, "", {"drop": gap, "mean": gap, "hold": gap})
    (row,) = score_rows([ClipScores(0, "x", "a", 0.5, {"m": scores})])
    assert row.frames["drop"].z is None
    assert row.frames["drop"].standing == "unknown"
    assert row.measures["drop"]["gap"] is None


def test_random_scores_come_out_at_chance():
    """The yardstick itself: over many rankings the mean z of random scores is 0, its spread 1."""
    from stam_core.metrics.faithfulness import frame_bands, judge_frames
    from stam_core.types import Target

    x = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    bands = frame_bands(Subject(toy_stam(), x, (4, 4)), Target(1), orders=200)
    rng = np.random.default_rng(0)
    zs = [
        judge_frames(rng.random(4), {"drop": bands["drop"]}).removals["drop"].z for _ in range(200)
    ]
    assert abs(np.mean(zs)) < 0.25
    assert np.std(zs) == pytest.approx(1.0, abs=0.15)
