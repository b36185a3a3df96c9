"""Figures, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stam_core.evaluate.answers import score
from stam_core.evaluate.scores import (
    ClipResult,
    EvaluationReport,
    RunFacts,
    kind_of_reason,
)

LABELS = ("walk", "sit down", "fly")
RUN = RunFacts("dataloader", "cpu", "float32", 2, 1, 1, 1, 6, 3.0, 1.0, 10)


def report(*clips, unknown=None):
    return EvaluationReport(
        model="m",
        weights_sha256=None,
        published={},
        data="d",
        protocol="official",
        labels=LABELS,
        clips=clips,
        unknown_classes=unknown or {},
        notes=(),
        run=RUN,
    )


def clip(index, target, predicted, rank, reason="", drops=None):
    probability = None if predicted is None else 0.5
    return ClipResult(index, f"{index}.mp4", target, predicted, probability, rank, reason, drops)


SIX = report(
    clip(0, 0, 0, 1, drops=False),
    clip(1, 0, 1, 2, drops=True),
    clip(2, 0, 1, 6, drops=True),
    clip(3, 1, 1, 1, drops=False),
    clip(4, 1, None, None, '"4.mp4" is empty (0 bytes). Choose another.'),
    clip(5, 1, None, None, '"5.mp4" is empty (7 bytes). Choose another.'),
)


def test_unusable_clips_count_as_wrong_only_of_all():
    assert (SIX.top1, SIX.top5) == (2 / 4, 3 / 4)
    assert (SIX.top1_of_all, SIX.top5_of_all) == (2 / 6, 3 / 6)


def test_what_the_official_loader_loses():
    official = SIX.official_loader
    assert (official.dropped, official.share) == (2, 0.5)
    assert official.top1_of_kept == 1.0
    assert report(clip(0, 0, 0, 1)).official_loader is None


def test_the_table_of_classes():
    walk, sit = SIX.per_class
    assert (walk.label, walk.clips, walk.used, walk.top1, walk.top5) == ("walk", 3, 3, 1 / 3, 2 / 3)
    assert (walk.taken_for, walk.taken_for_clips) == ("sit down", 2)
    assert (sit.clips, sit.used, sit.top1, sit.taken_for) == (3, 1, 1.0, None)


def test_reasons_are_grouped_without_names_and_numbers():
    (group,) = SIX.unusable
    assert group.reason == "The file is empty (# bytes)"
    assert (group.clips, group.examples) == (2, ("4.mp4", "5.mp4"))
    assert kind_of_reason("", "x") == "No reason was given"


def test_confusion_holds_the_classes_that_occur():
    classes, counts = SIX.confusion()
    assert classes == [0, 1]
    np.testing.assert_array_equal(counts, [[1, 2], [0, 1]])


def test_speed_is_clips_by_the_clock():
    assert RUN.videos_per_second == 2.0


@pytest.mark.parametrize(
    ("logits", "target", "predicted", "rank"),
    [
        ([1.0, 3.0, 2.0], 1, 1, 1),
        ([1.0, 3.0, 2.0], 0, 1, 3),
        ([2.0, 2.0, 2.0], 0, 0, 1),
        ([2.0, 2.0, 2.0], 2, 0, 3),
    ],
)
def test_rank_agrees_with_the_answer_also_when_logits_are_equal(logits, target, predicted, rank):
    answer = score(torch.tensor(logits), target)
    assert (answer.predicted, answer.rank) == (predicted, rank)
    assert answer.probability == pytest.approx(float(torch.tensor(logits).softmax(0)[predicted]))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_is_no_answer(bad):
    assert score(torch.tensor([bad, 0.0]), 0) is None
