"""What opening every file of the corpora asks of the system: files written, addresses called.

The files are opened apart once more, under `strace`, which sees what the program and its confined
processes attempt, also what is then refused. Beside it stand the files that hostile clips point to,
and a listener where they call.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.corpora import read_corpora
from stam_core.errors import StamError
from stam_core.video.apart import DecoderPool

CALLED_BY_HOSTILE_FILES = ("127.0.0.1", 18099)
POINTED_AT_BY_HOSTILE_FILES = ("/tmp/lfi_canary.mp4", "/tmp/lfi_canary.ts")
OPENS = ("open", "openat", "openat2", "creat")
CHANGES = (
    "truncate", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink", "unlinkat",
    "rmdir", "link", "linkat", "symlink", "symlinkat", "mknod", "mknodat",
)  # fmt: skip
FOR_WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND")
# Nothing is written by writing here.
NO_FILES = ("/dev/null", "/dev/tty")
_LINE = re.compile(r"^\d+ +(?P<call>\w+)\((?P<rest>.*)$")
_PATH = re.compile(r'"((?:[^"\\]|\\.)*)"')


def watch(badclips: Path, clips: Path) -> dict[str, Any] | None:
    """What was attempted while every file was opened; None: there is no strace here.

    Args:
        badclips: folder of edge and hostile files.
        clips: folder of real clips.
    """
    if shutil.which("strace") is None:
        return None
    with tempfile.TemporaryDirectory() as name, _bait(badclips) as listener:
        folder, log = Path(name) / "temporary", Path(name) / "log"
        folder.mkdir()
        subprocess.run(
            ["strace", "-f", "--seccomp-bpf", "-qq", "-o", str(log),
             "-e", "trace=%network," + ",".join((*OPENS, *CHANGES)),
             sys.executable, "-B", "-m", "benchmarks.badclips_watched",
             str(badclips), str(clips), str(folder)],
            check=True,
        )  # fmt: skip
        lines = log.read_text(errors="replace").splitlines()
        outside, inside = changed(lines, folder)
        return {
            "by": "strace",
            "processes_seen": len({line.split(None, 1)[0] for line in lines}),
            "addresses_called": sorted(set(called(lines))),
            "requests_heard": _requests(listener),
            "changes_within_the_temporary_folder": inside,  # so it is seen that this is seen
            "changed_outside_the_temporary_folder": sorted(set(outside)),
        }


def called(lines: list[str]) -> Iterator[str]:
    """The attempts to reach the network: a socket of any but this machine's own kind.

    Args:
        lines: of strace.
    """
    for line in lines:
        if "AF_INET" in line or "AF_NETLINK" in line or "AF_PACKET" in line:
            yield _without_process(line)


def changed(lines: list[str], folder: Path) -> tuple[list[str], int]:
    """(the attempts to change a file outside the temporary folder, how many there were inside).

    Args:
        lines: of strace.
        folder: the temporary one.
    """
    outside, inside = [], 0
    for line in lines:
        found = _LINE.match(line)
        if found is None or not _changes(found["call"], found["rest"]):
            continue
        paths = _PATH.findall(found["rest"])
        if paths and all(path.startswith(f"{folder}/") for path in paths):
            inside += 1
        elif not paths or any(path not in NO_FILES for path in paths):
            outside.append(_without_process(line))
    return outside, inside


def _changes(call: str, rest: str) -> bool:
    opens = call in OPENS and (call == "creat" or FOR_WRITING.search(rest) is not None)
    return opens or call in CHANGES


def _without_process(line: str) -> str:
    return line.split(None, 1)[1]


@contextmanager
def _bait(badclips: Path) -> Iterator[socket.socket]:
    """What hostile files point to is there, and somebody listens where they call."""
    mine = [path for path in map(Path, POINTED_AT_BY_HOSTILE_FILES) if not path.exists()]
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(CALLED_BY_HOSTILE_FILES)
        listener.listen()
        listener.setblocking(False)
        try:
            for path in mine:
                shutil.copy(badclips / "canary" / path.name, path)
            yield listener
        finally:
            for path in mine:
                path.unlink(missing_ok=True)


def _requests(listener: socket.socket) -> int:
    heard = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return heard
        heard += 1


def open_all(badclips: Path, clips: Path, folder: Path) -> None:
    """Every file once; what becomes of it is measured elsewhere.

    Args:
        badclips: folder of edge and hostile files.
        clips: folder of real clips.
        folder: for temporary files.
    """
    with DecoderPool() as pool:
        for entry in read_corpora(badclips, clips, folder):
            try:
                pool.open_clip(entry.path, num_frames=16)
            except StamError:
                continue


if __name__ == "__main__":
    open_all(*map(Path, sys.argv[1:]))
