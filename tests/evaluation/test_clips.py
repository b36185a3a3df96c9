"""From a folder to a report, in one process; and on the command line."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from stam_core import Engine
from stam_core.__main__ import main
from stam_core.errors import ParameterError
from stam_core.evaluate import EvaluationError, Settings, evaluate_clips
from stam_core.evaluate.files import write_files
from stam_core.evaluate.protocol import choose_protocol, decode_clip
from stam_core.models import model_info

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300  # seconds; a busy machine may take long to import torch
# Numbers are compared with other batches: products of bfloat16 would depend on their size.
HERE = Settings(workers=0, threads=1, batch=3, dtype="float32")


@pytest.fixture
def report(tree, tiny):
    return evaluate_clips(tree, model=str(tiny), settings=HERE)


def run_quietly(capfd, *arguments):
    code = main([str(argument) for argument in arguments])
    out, err = capfd.readouterr()
    return code, out, err


def test_the_report_says_what_the_engine_predicts(report, tree, tiny):
    engine = Engine(str(tiny), device="cpu", dtype="float32")
    assert len(report.clips) == 12
    for clip in report.clips[::3]:
        best = engine.predict(engine.open(tree / "val" / clip.path)).top(1)[0]
        assert report.labels[clip.predicted] == best[0]
        assert clip.probability == pytest.approx(best[1], abs=1e-5)
    right = sum(clip.predicted == clip.target for clip in report.clips)
    assert report.top1 == right / 12
    assert {row.label for row in report.per_class} == {"walk", "sit down", "run"}
    assert report.run.gmacs_per_clip > 0
    assert report.run.clips == 12


@pytest.mark.parametrize("batch", [1, 5, 12])
def test_no_batch_loses_a_clip(tree, tiny, report, batch):
    other = evaluate_clips(tree, model=str(tiny), settings=replace(HERE, batch=batch))
    assert [clip.predicted for clip in other.clips] == [clip.predicted for clip in report.clips]
    for one, two in zip(report.clips, other.clips, strict=True):
        assert one.probability == pytest.approx(two.probability, abs=1e-5)


def test_it_goes_on_where_it_stopped(tree, tiny, tmp_path, report):
    def stop_after_six(done, _total, _found):
        if done >= 6:
            raise KeyboardInterrupt

    options = {"model": str(tiny), "settings": HERE, "out": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        evaluate_clips(tree, watch=stop_after_six, **options)
    kept = (tmp_path / "journal.jsonl").read_text()
    told = []
    resumed = evaluate_clips(tree, watch=lambda *state: told.append(state[:2]), **options)
    assert told[0] == (0, 6)
    assert (tmp_path / "journal.jsonl").read_text().startswith(kept)
    assert resumed.clips == report.clips
    again = evaluate_clips(tree, watch=lambda *state: told.append(state[:2]), **options)
    assert told[-1] == (0, 0)
    assert again.clips == report.clips
    assert again.run.seconds == resumed.run.seconds
    with pytest.raises(EvaluationError, match="--fresh"):
        evaluate_clips(tree, limit=3, **options)
    assert len(evaluate_clips(tree, limit=3, fresh=True, **options).clips) == 3


def test_clips_that_cannot_be_used_are_named(shared, tiny, tmp_path, make_clip):
    folder = tmp_path / "walk"
    make_clip(folder / "good.mp4")
    make_clip(tmp_path / "fly" / "x.mp4")
    for name in ("zero_bytes.mp4", "text.mp4", "html_page.mp4", "audio_only.mp4", "moov_lost.mp4"):
        (folder / name).symlink_to(shared / "badclips" / name)
    (folder / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    (folder / "a\n\x1b[31m<b>.mp4").write_bytes(b"")
    report = evaluate_clips(tmp_path, model=str(tiny), settings=HERE)
    assert len(report.used) == 1
    assert report.unknown_classes == {"fly": 1}
    assert sum(group.clips for group in report.unusable) == 7
    assert all(clip.reason for clip in report.clips if clip.rank is None)
    reasons = {group.reason: group.clips for group in report.unusable}
    assert reasons["The file is empty (# bytes)"] == 2
    assert reasons["There is no file at that place"] == 1
    assert report.top1_of_all == report.top1 / 8


def test_files_are_safe_to_open(tree, tiny, tmp_path, make_clip):
    make_clip(tmp_path / "clips" / "<b>kick<_b>" / "=a\n\x1b[31m.mp4")
    make_clip(tmp_path / "clips" / "drop_catch" / "b.mp4")
    report = evaluate_clips(tmp_path / "clips", model=str(tiny), settings=HERE)
    files = write_files(report, tmp_path)
    assert [path.name for path in files] == [
        "results.json",
        "clips.csv",
        "classes.csv",
        "confusion.png",
    ]
    with (tmp_path / "clips.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert (tmp_path / "clips.csv").read_text().count("\n") == 3
    assert rows[0]["path"] == "<b>kick<_b>/=a\\n\\x1b[31m.mp4"
    assert [row["label"] for row in rows] == ["<b>kick</b>", "drop/catch"]
    assert float(rows[0]["probability"]) == report.clips[0].probability
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["top1"] == report.top1
    assert results["clips"] == {
        "listed": 2,
        "used": 2,
        "unusable": 0,
        "of_unknown_classes": 0,
    }
    assert (tmp_path / "confusion.png").read_bytes().startswith(b"\x89PNG")


def test_the_official_protocol_counts_what_its_loader_drops(make_clip, tmp_path):
    protocol = choose_protocol(model_info("stam-16"), None)
    assert (protocol.name, protocol.official_fps) == ("official", 1.6)
    # 16 frames at 1.6 per second: of 10 frames per second every 6.25th, the last is number 93
    long = decode_clip(make_clip(tmp_path / "long.mp4", n_frames=100), protocol)
    short = decode_clip(make_clip(tmp_path / "short.mp4", n_frames=60), protocol)
    assert (long.official_drops, short.official_drops) == (False, True)
    assert long.pixels.shape == short.pixels.shape == (16, 3, 224, 224)
    assert (short.pixels[-1] == short.pixels[-2]).all()  # the last frame repeats


def test_pixels_are_those_of_preprocessing(make_clip, tmp_path, tiny):
    from stam_core.video import open_clip, preprocess

    engine = Engine(str(tiny), device="cpu")
    protocol = choose_protocol(engine.info, "uniform")
    path = make_clip(tmp_path / "a.mp4", seed=8)
    found = decode_clip(path, protocol).pixels
    clip = open_clip(path, num_frames=4)
    x, _ = preprocess(clip.frames, engine.info.preprocessing)
    assert found.shape == (4, 3, 16, 16)
    assert abs((found / 255.0 - 0.5) / 0.5 - x.numpy()).max() < 1e-6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"protocol": "official"}, "no official protocol"),
        ({"protocol": "odd"}, "official, uniform"),
    ],
)
def test_protocols_that_do_not_exist(tree, tiny, options, words):
    with pytest.raises(ParameterError, match=words):
        evaluate_clips(tree, model=str(tiny), settings=HERE, **options)


@pytest.mark.parametrize("options", [{"batch": 0}, {"workers": -1}, {"engine": "spark"}])
def test_settings_are_checked(options):
    with pytest.raises(ParameterError, match=r"batch|workers|engine"):
        Settings(**options)


def test_nothing_usable_is_an_error(tiny, tmp_path):
    (tmp_path / "walk").mkdir()
    (tmp_path / "walk" / "a.mp4").write_bytes(b"")
    with pytest.raises(EvaluationError, match=r"None of the 1 clips can be used.*empty"):
        evaluate_clips(tmp_path, model=str(tiny), settings=HERE)


def test_the_command_prints_and_writes(capfd, tree, tiny, tmp_path):
    line = ("evaluate", "--data", tree, "--model", tiny, "--workers", 0, "--out", tmp_path)
    code, out, _ = run_quietly(capfd, *line, "--json", "--figure", "pdf")
    assert code == 0
    results = json.loads(out)
    assert results["clips"]["used"] == 12
    assert results["protocol"] == "uniform"
    assert [Path(name).name for name in results["files"]][-1] == "confusion.pdf"
    code, out, _ = run_quietly(capfd, *line)
    assert code == 0
    assert "top-1" in out
    assert "GMACs" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "absent"], "no folder or list"),
        (["--data", ".", "--rendered", "3"], "not allowed with"),
        (["--data", ".", "--limit", "0"], "from 1 up"),
        (["--data", ".", "--engine", "spark"], "spark"),
        (["--out", "x"], "goes with --data"),
    ],
)
def test_mistakes_take_one_line(capfd, tiny, arguments, words):
    code, out, err = run_quietly(capfd, "evaluate", "--model", tiny, *arguments)
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert words in err


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_folder_that_cannot_be_written(capfd, tree, tiny, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    code, _, err = run_quietly(
        capfd, "evaluate", "--data", tree, "--model", tiny, "--out", tmp_path / "file" / "x"
    )
    assert code == 2
    assert "Cannot make the folder" in err


def test_kill_9_loses_only_the_clips_in_hand(tree, tiny, tmp_path, report):
    command = [sys.executable, "-m", "stam_core", "evaluate", "--data", str(tree)]
    command += ["--model", str(tiny), "--out", str(tmp_path), "--workers", "0", "--batch", "1"]
    command += ["--dtype", HERE.dtype]
    journal = tmp_path / "journal.jsonl"
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        if journal.is_file() and journal.read_bytes().count(b"\n") > 2:
            break
        time.sleep(0.002)
    process.kill()
    process.wait()
    kept = journal.read_bytes()
    kept = kept[: kept.rfind(b"\n") + 1]
    assert kept.count(b"\n") > 2
    resumed = evaluate_clips(tree, model=str(tiny), settings=HERE, out=tmp_path)
    assert journal.read_bytes().startswith(kept)
    assert [clip.predicted for clip in resumed.clips] == [clip.predicted for clip in report.clips]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_a_worker_that_is_killed_costs_nothing(tree, tiny, report):
    killed = []

    def kill_a_worker(done, _total, _found):
        workers = multiprocessing.active_children()
        if done and workers and not killed:
            killed.append(workers[0].pid)
            os.kill(workers[0].pid, signal.SIGKILL)

    settings = replace(HERE, workers=1)
    other = evaluate_clips(tree, model=str(tiny), settings=settings, watch=kill_a_worker)
    assert killed
    assert other.clips == report.clips
