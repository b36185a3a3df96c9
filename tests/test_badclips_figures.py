"""The script that measures the hostile corpus sees what it is to see."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.badclips import MemoryWatch, failures, measure, summary
from benchmarks.badclips_watched import called, changed
from benchmarks.corpora import Entry, read_corpora
from benchmarks.ffmpeg_frames import difference_from_ffmpeg, ffmpeg_is_there
from stam_core.types import Clip, VideoInfo
from stam_core.video.apart import DecoderPool
from tests.test_decode import write_counter

FOLDER = Path("/tmp/ours")
QUIET = [
    '7 openat(AT_FDCWD, "/usr/lib/libz.so", O_RDONLY|O_CLOEXEC) = 3',
    '7 openat(AT_FDCWD, "/dev/null", O_RDWR|O_CLOEXEC) = 3',
    "7 socketpair(AF_UNIX, SOCK_STREAM, 0, [3, 4]) = 0",
    "7 +++ exited with 0 +++",
]


def test_reading_and_talking_to_the_parent_are_no_attempts() -> None:
    assert changed(QUIET, FOLDER) == ([], 0)
    assert list(called(QUIET)) == []


@pytest.mark.parametrize(
    "line",
    [
        '8 openat(AT_FDCWD, "/home/me/.cache/x", O_WRONLY|O_CREAT, 0666) = -1 EACCES (denied)',
        '8 openat(AT_FDCWD, "relative", O_RDWR <unfinished ...>',
        '8 mkdir("/var/x", 0777) = 0',
        '8 rename("/tmp/ours/a", "/tmp/theirs/a") = 0',
        '8 unlink("/tmp/oursnot/a") = -1 EPERM (Operation not permitted)',
    ],
)
def test_an_attempt_to_write_elsewhere_is_seen(line: str) -> None:
    assert changed([*QUIET, line], FOLDER) == ([line[2:]], 0)


def test_the_temporary_folder_may_be_written_to() -> None:
    assert changed(['8 openat(3, "/tmp/ours/a b", O_WRONLY) = 4'], FOLDER) == ([], 1)


@pytest.mark.parametrize(
    "line",
    [
        "8 socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = -1 EPERM (Operation not permitted)",
        "8 connect(5, {sa_family=AF_INET6, sin6_port=htons(80)}, 28) = 0",
    ],
)
def test_an_attempt_to_call_somebody_is_seen(line: str) -> None:
    assert list(called([*QUIET, line])) == [line[2:]]


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_the_lines_are_those_of_the_strace_that_is_here(tmp_path: Path) -> None:
    inside, outside, log = tmp_path / "inside", tmp_path / "outside", tmp_path / "log"
    inside.mkdir()
    code = (
        "import socket, sys\n"
        "for path in sys.argv[1:]: open(path, 'w').close()\n"
        "socket.socket(socket.AF_INET).close()"
    )
    subprocess.run(
        ["strace", "-f", "-qq", "-o", str(log), "-e", "trace=%network,openat",
         sys.executable, "-B", "-c", code, str(inside / "a"), str(outside)],
        check=True, timeout=60,
    )  # fmt: skip
    lines = log.read_text().splitlines()
    (written,), count = changed(lines, inside)
    assert (str(outside) in written, count) == (True, 1)
    assert len(list(called(lines))) == 1


def row(**changes: Any) -> dict[str, Any]:
    good = {
        "file": "a.mp4", "expected": "works", "outcome": "works", "seconds": 0.5,
        "as_expected": True, "difference_of_255": 0.2,
    }  # fmt: skip
    return {**good, **changes}


def figures(
    *rows: dict[str, object], mib: float = 500, watched: object = None
) -> dict[str, object]:
    memory = {"address_space_mib": mib, "resident_mib": 80, "limit_mib": 3072}
    return {**summary(list(rows)), "worker_memory": memory, "watched": watched}


def test_each_broken_promise_is_named() -> None:
    assert failures(figures(row())) == []
    assert failures(figures(row(), row(as_expected=False))) == ["outcomes"]
    assert failures(figures(row(seconds=10.1))) == ["seconds"]
    assert failures(figures(row(), row(difference_of_255=2.0))) == ["frames"]
    assert failures(figures(row(), mib=4000)) == ["memory"]
    assert failures(figures(row(), watched={"addresses_called": ["socket(AF_INET)"]})) == [
        "network"
    ]
    outside = {"changed_outside_the_temporary_folder": ["mkdir"]}
    assert failures(figures(row(), watched=outside)) == ["written"]


def test_files_are_measured_and_memory_is_seen(tmp_path: Path) -> None:
    good = write_counter(tmp_path / "good.mp4", 20)
    (tmp_path / "bad.mp4").write_bytes(b"not a video at all" * 20)
    with DecoderPool() as pool, MemoryWatch(pool) as memory:
        works = measure(Entry(good, "good.mp4", "works"), pool)
        fails = measure(Entry(tmp_path / "bad.mp4", "bad.mp4", "works"), pool)
        flipped = measure(Entry(good, "flips_x.mp4", "either"), pool)
    assert (works["outcome"], works["as_expected"]) == ("works", True)
    assert (fails["outcome"], fails["as_expected"]) == ("clear error", False)
    assert "damaged on purpose" in flipped["not_compared"]
    assert "difference_of_255" not in flipped
    if ffmpeg_is_there():
        assert works["difference_of_255"] < 2
    if sys.platform == "linux":
        assert 20 < memory.most["resident_mib"] < memory.most["address_space_mib"]


@pytest.mark.skipif(not ffmpeg_is_there(), reason="needs ffmpeg and ffprobe")
def test_frames_of_another_moment_are_far_from_ffmpegs(tmp_path: Path) -> None:
    path = write_counter(tmp_path / "counter.mp4", 40)
    with DecoderPool() as pool:
        clip = pool.open_clip(path, num_frames=4)
    late = Clip(
        frames=np.roll(clip.frames, 1, axis=0),
        frame_indices=clip.frame_indices,
        seconds=clip.seconds,
        info=clip.info,
        digest=clip.digest,
    )
    assert isinstance(clip.info, VideoInfo)
    assert difference_from_ffmpeg(clip, path) < 2 < difference_from_ffmpeg(late, path)


def test_the_corpora_are_read_whole(shared: Path, tmp_path: Path) -> None:
    entries = read_corpora(shared / "badclips", shared / "clips", tmp_path)
    assert len(entries) >= 147
    assert all(entry.path.is_file() for entry in entries)
    assert {entry.expect for entry in entries} == {"works", "clear error", "either"}
    assert sum(entry.not_comparable is not None for entry in entries) == 10
