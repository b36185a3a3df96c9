"""Broken, odd and hostile files: they open, or they fail with a sentence; nothing else happens."""

from __future__ import annotations

import csv
import json
import os
import shutil
import socket
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.corpora import read_corpora
from stam_core.__main__ import main
from stam_core.engine import Engine
from stam_core.errors import StamError, VideoError
from stam_core.limits import VideoLimits
from stam_core.types import Prediction
from stam_core.video import open_clip, probe
from stam_core.video.apart import DecoderPool

CPU_SECONDS_PER_FILE = 10.0  # of the processor: a busy machine must not fail the test
NOT_FILES = ("canary/",)  # manifest rows that are not inputs


def manifest(shared):
    with (shared / "badclips" / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if not row["file"].startswith(NOT_FILES)]


def attempt(path, opened=open_clip, clock=time.process_time):
    """(what came of it: "works" or "clear error", the clip or the message, seconds)."""
    begin = clock()
    try:
        result = "works", opened(path, num_frames=16)
    except StamError as error:
        result = "clear error", str(error)
    return *result, clock() - begin


def inputs_of(shared, folder):
    """Path -> what the manifest expects, of every file of both corpora."""
    entries = read_corpora(shared / "badclips", shared / "clips", folder)
    return {entry.path: entry.expect for entry in entries}


def test_every_file_behaves_apart(shared, tmp_path):
    """In confined processes, within 10 seconds each by the clock, and memory stays bounded."""
    crowd = max(1.0, os.getloadavg()[0]) if hasattr(os, "getloadavg") else 1.0
    wrong, seen = [], 0
    limits = VideoLimits(deadline_seconds=60)
    with DecoderPool(limits) as pool:
        pool.defences()
        for path, expected in inputs_of(shared, tmp_path).items():
            outcome, result, seconds = attempt(path, pool.open_clip, time.monotonic)
            seen += 1
            if expected not in ("either", outcome):
                wrong.append((path.name, outcome, result))
            if outcome == "clear error" and ("crash" in result or "malicious" in result):
                wrong.append((path.name, "no clear sentence", result))
            if seconds > CPU_SECONDS_PER_FILE * crowd:
                wrong.append((path.name, "slow", seconds))
            for pid in pool.process_ids():
                status = Path(f"/proc/{pid}/status")
                if status.exists():
                    peak_kib = int(status.read_text().split("VmPeak:")[1].split()[0])
                    assert peak_kib <= limits.worker_mib * 1024, path.name
    assert wrong == []
    assert seen >= 147


def test_every_file_behaves_on_the_command_line(shared, tmp_path, monkeypatch, capsys):
    def guess(engine, clip):  # what the model would say plays no part here
        count = len(engine.info.labels)
        even = np.full(count, 1 / count, np.float32)
        return Prediction(np.zeros(count, np.float32), even, engine.info.labels)

    monkeypatch.setattr(Engine, "predict", guess)
    inputs = inputs_of(shared, tmp_path)
    code = main(["predict", "--json", "--", *(str(path) for path in inputs)])
    printed = capsys.readouterr()
    assert code == 2
    assert printed.err.count("\n") == 1
    lines = [json.loads(line) for line in printed.out.splitlines()]
    assert [line["clip"] for line in lines] == [str(path) for path in inputs]
    for line, (path, expected) in zip(lines, inputs.items(), strict=True):
        outcome = "clear error" if "error" in line else "works"
        assert expected in ("either", outcome), (path.name, line)


def test_every_entry_of_the_manifest_behaves(shared, tmp_path, capfd):
    with tarfile.open(shared / "badclips" / "odd_names.tar") as archive:
        archive.extractall(tmp_path, filter="data")
    wrong = []
    seen = 0
    for row in manifest(shared):
        path = shared / "badclips" / row["file"]
        path = path if path.exists() else tmp_path / row["file"]
        outcome, result, seconds = attempt(path)
        seen += path.exists()
        if row["expect"] not in ("either", outcome):
            wrong.append((row["file"], outcome, result))
        if outcome == "works":
            assert result.frames.shape[0] == 16
        elif not (result.endswith(".") and "\n" not in result and 30 < len(result) < 250):
            wrong.append((row["file"], "not a readable sentence", result))
        if seconds > CPU_SECONDS_PER_FILE:
            wrong.append((row["file"], "slow", seconds))
    assert wrong == []
    assert seen >= 118
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("zero_bytes.mp4", r"is empty \(0 bytes\)"),
        ("text.mp4", "not a video but a text file"),
        ("html_page.mp4", "not a video but a web page"),
        ("image.svg.mp4", r"not a video but a drawing \(SVG\)"),
        ("picture_png.mp4", r"not a video but a picture \(PNG\)"),
        ("zip_archive.mp4", "not a video but a ZIP archive"),
        ("random_bytes.mp4", "of a kind unknown here"),
        ("audio_only.mp4", "has no video track"),
        ("audio_only.mp3", "has no video track"),
        ("audio_with_cover.mp3", "has no video track"),
        ("moov_lost.mp4", "damaged or incomplete"),
        ("header_only_faststart.mp4", "not one picture of it can be decoded"),
        ("gif_bomb.gif", "65535 x 65535 pixels; at most 8192"),
        ("concat_rel_as_mp4.mp4", "not a video but a playlist"),
        ("playlist_path_as_mp4.mp4", "not a video but a playlist"),
        ("session.sdp", "a description of a stream"),
        ("external_dref.mov", "does not hold its pictures itself but points to another file"),
    ],
)
def test_the_message_says_what_is_wrong(shared, name, message):
    for opened in (probe, lambda path: open_clip(path, num_frames=16)):
        with pytest.raises(VideoError, match=message):
            opened(shared / "badclips" / name)


def test_damage_is_reported_not_hidden(shared):
    clip = open_clip(shared / "badclips" / "cut_at_50pct_faststart.mp4", num_frames=16)
    assert clip.info.decoder == "pyav"
    assert clip.info.n_frames < 60  # of 100 in the whole file
    assert any("damaged or missing" in note for note in clip.notes)


def test_rotated_files_are_upright(shared):
    for name in ("rotated_90.mp4", "rotated_270.mp4"):
        assert open_clip(shared / "badclips" / name, num_frames=4).frames.shape == (4, 320, 180, 3)


def test_names_that_read_like_addresses_stay_files(shared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("http:clip.mp4", "concat:a|b.mp4", "-i.mp4"):
        shutil.copy(shared / "badclips" / "frames_17.mp4", name)
        assert open_clip(name, num_frames=4).info.n_frames == 17


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_name_that_is_not_text_opens(shared, tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff\xfe.mp4"))
    shutil.copy(shared / "badclips" / "frames_17.mp4", path)
    assert open_clip(path, num_frames=4).info.n_frames == 17


def test_no_file_reaches_another_file_or_the_network(shared):
    """Canary files are put where the hostile files point, and a listener waits for requests."""
    folder = shared / "badclips"
    canaries = [Path("/tmp/lfi_canary.mp4"), Path("/tmp/lfi_canary.ts")]
    mine = [path for path in canaries if not path.exists()]
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        for path in mine:
            shutil.copy(folder / "canary" / path.name, path)
        try:
            listener.bind(("127.0.0.1", 18099))
        except OSError:
            pytest.skip("port 18099, where the hostile files point, is in use")
        listener.listen()
        listener.setblocking(False)
        for row in manifest(shared):
            if row["kind"].startswith("playlist"):
                assert attempt(folder / row["file"])[0] == "clear error", row["file"]
        outcome, clip, _ = attempt(folder / "external_dref.mov")
        if outcome == "works":
            magenta = np.abs(clip.frames.astype(int) - [255, 0, 255]).mean()
            assert magenta > 40
        with pytest.raises(BlockingIOError):
            listener.accept()
    finally:
        listener.close()
        for path in mine:
            path.unlink()


def test_what_is_not_a_file_is_said(tmp_path):
    for path, message in [
        (tmp_path, "is a folder"),
        (tmp_path / "absent.mp4", 'no file "absent.mp4"'),
        (Path("a\0b.mp4"), 'no file "ab.mp4"|cannot be read'),
        (tmp_path / ("x" * 300), "cannot be read"),
    ]:
        with pytest.raises(VideoError, match=message):
            open_clip(path, num_frames=4)


def test_an_unreadable_file_is_said(tmp_path):
    path = tmp_path / "locked.mp4"
    path.write_bytes(b"\x00\x00\x00\x18ftypisom")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(VideoError, match=r"cannot be read \(Permission denied\)"):
        open_clip(path, num_frames=4)


def test_an_unknown_codec_is_said(shared, tmp_path):
    data = (shared / "badclips" / "frames_17.mp4").read_bytes()
    path = tmp_path / "future.mp4"
    path.write_bytes(data.replace(b"avc1", b"zzq7").replace(b"avcC", b"zzqC"))
    with pytest.raises(VideoError, match="codec this program does not know"):
        open_clip(path, num_frames=4)
