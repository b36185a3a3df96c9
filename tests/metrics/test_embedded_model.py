"""The command that repeats the model card, on a handful of clips."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import embedded_model
from benchmarks.model_card import tables
from benchmarks.real_clips import RealClip, answer, read_table, score_real
from stam_core.actions import LABELS
from stam_core.actions.motions import LOCOMOTION
from stam_core.engine import Engine
from stam_core.evaluate import evaluate_rendered
from stam_core.evaluate.cost import gmacs_per_clip
from stam_core.metrics import time_matters
from stam_core.video.encode import write_mp4


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(device="cpu", dtype="float32")


def test_table_is_well_formed() -> None:
    rows = read_table()
    assert len({row.name for row in rows}) == len(rows)
    for row in rows:
        assert row.why
        assert all(label == label.strip().lower() for label in row.labels)
        if row.span_seconds is not None:
            start, end = row.span_seconds
            assert 0 <= start < end


def test_every_file_of_the_table_is_there(shared: Path) -> None:
    missing = {row.file for row in read_table() if not (shared / "clips" / row.file).is_file()}
    assert not missing


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("clips")
    frames = np.random.default_rng(0).integers(0, 255, (20, 64, 64, 3), dtype=np.uint8)
    write_mp4(made / "noise.mp4", frames, 10.0)
    return made


def test_rank_of_the_likeliest_right_label(engine: Engine, folder: Path) -> None:
    ranking = engine.predict(engine.open(folder / "noise.mp4")).top(len(engine.info.labels))
    third = ranking[2][0]
    row = answer(engine, RealClip("noise.mp4", None, (ranking[7][0], third), ""), folder)
    assert row["rank"] == 3
    assert [label for label, _ in row["top5"]] == [label for label, _ in ranking[:5]]


@pytest.mark.parametrize(
    ("clip", "problem"),
    [
        (RealClip("noise.mp4", None, ("yodelling",), ""), "does not know the label"),
        (RealClip("absent.mp4", None, ("walk",), ""), "absent.mp4"),
        (RealClip("noise.mp4", (90.0, 99.0), ("walk",), ""), "noise|span|seconds"),
    ],
)
def test_what_cannot_be_scored_is_reported(
    engine: Engine, folder: Path, clip: RealClip, problem: str
) -> None:
    row = answer(engine, clip, folder)
    assert row["rank"] is None
    assert re.search(problem, row["problem"])


def test_shares_of_rows_and_of_files(engine: Engine, folder: Path, tmp_path: Path) -> None:
    """Two right spans of one file and a wrong whole clip of another: 2/3 of rows, 1/2 of files."""
    (folder / "copy.mp4").write_bytes((folder / "noise.mp4").read_bytes())
    table = tmp_path / "table.csv"
    first, last = (
        engine.predict(engine.open(folder / "noise.mp4")).top(len(engine.info.labels))[k][0]
        for k in (0, -1)
    )
    table.write_text(
        "file,start_seconds,end_seconds,labels,why\n"
        f"noise.mp4,0,1.9,{first},a\nnoise.mp4,0,2,{first},b\ncopy.mp4,,,{last},c\n"
        "copy.mp4,,,yodelling,d\n"
    )
    scored = score_real(engine, folder, table)
    ranks = [row["rank"] for row in scored["rows"]]
    assert ranks[2] == len(engine.info.labels)
    assert scored["all"]["clips"] == 3
    right = [rank == 1 for rank in ranks[:2]]
    assert scored["all"]["top1"] == pytest.approx(sum(right) / 3)
    assert scored["all"]["top1_mean_over_files"] == pytest.approx(np.mean(right) / 2)
    assert scored["whole_clips"]["top1"] == 0.0
    assert scored["spans"]["clips"] == 2
    assert scored["not_scored"] == [["copy.mp4", "the model does not know the label"]]


def _silent(doing: str, part: float) -> None:
    del doing, part


def test_accuracy_is_that_of_evaluate(engine: Engine) -> None:
    if set(LABELS) != set(engine.info.labels):
        pytest.skip("the shipped model was trained before some of the rendered actions existed")
    n = 2 * len(LABELS)
    clips = embedded_model.embed_rendered(engine, n, seed=11, workers=1, progress=_silent)
    mine = embedded_model.accuracy(engine, clips)
    theirs = evaluate_rendered(
        engine.model, engine.info.preprocessing, n, seed=11, labels=engine.info.labels
    )
    for name in ("top1", "top5", "reversed_pairs", "reversed_clips", "clips"):
        assert mine[name] == pytest.approx(theirs[name]), name
    for label, share in theirs["per_class"].items():
        assert mine["per_class"][label]["top1"] == pytest.approx(share)


def test_those_who_roam_are_asked_about_alone(engine: Engine) -> None:
    found = embedded_model.roaming_accuracy(
        engine, 2 * len(LABELS), seed=11, workers=1, progress=_silent
    )
    assert found["clips"] == 2 * len(LOCOMOTION)
    assert set(found["per_class"]) == set(LOCOMOTION)


def test_accuracy_by_hand(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logits set by hand: a right clip, one whose answer is second, and an unknown action."""
    labels = engine.info.labels
    known = [k for k, name in enumerate(LABELS) if name in labels][:2]
    unknown = [k for k, name in enumerate(LABELS) if name not in labels][:1]
    actions = np.array([*known, *unknown])
    columns = [labels.index(LABELS[k]) for k in known]
    logits = np.zeros((2, len(labels)), dtype=np.float32)
    logits[0, columns[0]] = 1.0
    logits[1, columns[0]], logits[1, columns[1]] = 2.0, 1.0

    def by_hand(_engine: Engine, embeddings: torch.Tensor) -> np.ndarray:
        return logits[: len(embeddings)]

    monkeypatch.setattr(embedded_model, "classify", by_hand)
    clips = embedded_model.Embedded(torch.zeros(len(actions), 16, 4), actions)
    found = embedded_model.accuracy(engine, clips)
    assert (found["clips"], found["clips_of_unknown_actions"]) == (2, len(unknown))
    assert (found["top1"], found["top5"]) == (0.5, 1.0)
    assert found["confusions"] == [[LABELS[known[1]], LABELS[known[0]], 1]]
    assert found["per_class"][LABELS[known[0]]] == {"top1": 1.0, "clips": 1}


def test_gmacs_of_a_linear_layer() -> None:
    layer = torch.nn.Linear(1000, 2000)
    _, gmacs = embedded_model.count_gmacs(lambda: layer(torch.zeros(500, 1000)))
    assert gmacs == pytest.approx(1.0)


def test_gmacs_by_stage_add_up(engine: Engine) -> None:
    found = embedded_model.size(engine)
    assert found["gmacs"] == pytest.approx(gmacs_per_clip(engine.info), rel=1e-6)
    assert 0 < found["gmacs_temporal_stage"] < 0.05 * found["gmacs"]


def test_the_whole_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "figures.json"
    monkeypatch.setattr(embedded_model, "time_matters", partial(time_matters, folds=2, steps=3))
    words = "--clips 12 --truth-clips 1 --workers 1 --json"
    embedded_model.main([*words.split(), str(out)])
    figures = json.loads(out.read_text())
    printed = capsys.readouterr().out
    assert "Does time matter?" in printed
    assert figures["accuracy"]["clips"] + figures["accuracy"]["clips_of_unknown_actions"] == 12
    assert {row["name"] for row in figures["truth"]} >= {"key-frame recall", "mass in mask"}
    assert figures["size"]["parameters"] > 1e6
    assert tables(figures) in printed
