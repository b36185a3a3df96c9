"""`python -m stam_core score`: the table, the journal it goes on from, and its complaints."""

from __future__ import annotations

import json

import pytest

from stam_core.__main__ import main
from stam_core.cli import score
from tests.test_cli import LABELS, write_video
from tests.toys import write_tiny

METHODS = ["temporal-attention", "spatial-attention"]
ASK = ["--methods", *METHODS, "--orders", "10"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> str:
    """A STAM of 4 frames and 4 x 4 patches that describes itself."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    return str(write_tiny(path, LABELS, side=32, depth=1))


@pytest.fixture
def clips(tmp_path):
    """A folder of two clips, one of them a level down, and one that is none."""
    folder = tmp_path / "clips"
    (folder / "deeper").mkdir(parents=True)
    write_video(folder / "a $x_ [31m.mp4")
    write_video(folder / "deeper" / "b.mp4")
    (folder / "broken.mp4").write_bytes(b"no video")
    (folder / "notes.txt").write_text("no clip")
    return folder


def asked(tiny, *words):
    return ["score", "--model", tiny, *map(str, words), *ASK]


def test_rendered_clips_have_faithfulness_truth_and_seconds(tiny, capsys):
    words = ("--rendered", 2, "--patches", "mean", "--randomise", 1, "--json")
    assert main(asked(tiny, *words)) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["clips"] == "2 rendered clips"
    assert found["used"] == 2
    rows = {row["method"]: row for row in found["methods"]}
    assert list(rows)[:2] == METHODS
    assert "control: random scores" in rows
    frames = rows["temporal-attention"]
    assert set(frames["frames"]) == {"drop", "mean", "hold"}
    assert set(frames["measures"]["drop"]) == {
        "gap",
        "deletion",
        "insertion",
        "comprehensiveness",
        "sufficiency",
    }
    assert "key-frame recall" in frames["truth"]
    assert frames["patches"] is None
    assert frames["seconds"] >= 0
    patches = rows["spatial-attention"]
    assert patches["frames"] == {}
    assert patches["patches"]["z"]["clips"] == 2
    assert [step["layer"] for step in patches["randomised"]][:2] == ["", "head"]
    assert found["findings"]


def test_a_folder_is_looked_through_and_what_is_no_video_is_named(tiny, clips, capsys):
    assert main(asked(tiny, clips, "--randomise", 1)) == 0
    printed = capsys.readouterr().out
    assert "shuffled" in printed
    assert "temporal-attention" in printed
    assert "unusable: broken.mp4" in printed
    assert "notes.txt" not in printed
    assert "key frames" not in printed  # nothing is known of these clips
    assert "Frames, against random orders" in printed


def test_a_stopped_run_goes_on_and_ends_the_same(tiny, tmp_path, monkeypatch, capsys):
    from stam_core.metrics import score as metrics

    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert main(asked(tiny, "--rendered", 3, "--out", whole)) == 0
    real = metrics.score_clip
    calls = []

    def interrupted(*arguments, index, **options):
        calls.append(index)
        if index == 2 and len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments, index=index, **options)

    monkeypatch.setattr(metrics, "score_clip", interrupted)
    command = asked(tiny, "--rendered", 3, "--out", stopped)
    capsys.readouterr()
    assert main(command) == 130
    assert "go on" in capsys.readouterr().err
    journal = stopped / "scores.jsonl"
    journal.write_bytes(journal.read_bytes()[:-9])  # killed while it wrote the second clip
    assert main(command) == 0
    assert calls == [0, 1, 2, 1, 2]
    first, second = (
        json.loads((folder / "scores.json").read_text()) for folder in (whole, stopped)
    )
    for numbers in (first, second):
        for row in numbers["methods"]:
            row.pop("seconds")
    assert first == second
    assert main(command) == 0  # nothing left to do
    assert len(calls) == 5


def test_another_question_in_the_same_folder_is_refused_until_fresh(tiny, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(asked(tiny, "--rendered", 1, "--out", out)) == 0
    capsys.readouterr()
    assert main(asked(tiny, "--rendered", 1, "--seed", 8, "--out", out)) == 2
    assert "holds an evaluation of another seed" in capsys.readouterr().err
    assert main(asked(tiny, "--rendered", 1, "--seed", 8, "--out", out, "--fresh")) == 0
    with (out / "scores.jsonl").open("a") as file:
        file.write('{"index": 5}\n')
    capsys.readouterr()
    assert main(asked(tiny, "--rendered", 1, "--seed", 8, "--out", out)) == 2
    assert "damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--methods", "guess"], "There is no method 'guess'. Known: "),
        (["nowhere"], "There is no folder 'nowhere'"),
        (["nowhere", "--rendered", "3"], "not both"),
        (["--limit", "3"], "--limit is for a folder"),
        (["--fresh"], "--fresh forgets what --out holds"),
        (["--orders", "1"], "at least 2 random orders"),
        (["--rendered", "0"], "not a whole number from 1 up"),
        (["--patches", "guess"], "invalid choice: 'guess'"),
    ],
)
def test_complaints_are_one_line(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["score", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_folder_without_a_usable_clip(tiny, tmp_path, capsys):
    assert main(asked(tiny, tmp_path)) == 2
    assert "holds no video files" in capsys.readouterr().err
    (tmp_path / "x.mp4").write_bytes(b"")
    assert main(asked(tiny, tmp_path)) == 2
    assert "None of the 1 clips could be used; first x.mp4" in capsys.readouterr().err


def test_limit_spreads_over_the_folder(clips):
    listed = score._clips_in(clips, None)
    assert [name for name, _ in listed][1:] == ["broken.mp4", "deeper/b.mp4"]
    assert score._clips_in(clips, 2) == [listed[0], listed[1]]
    assert score._clips_in(clips / "deeper" / "b.mp4", None)[0][0] == "b.mp4"


def test_commas_between_methods_are_read_too():
    assert score._names(["a,b", "c"]) == ["a", "b", "c"]
    assert score._names(None) is None
