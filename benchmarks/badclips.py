"""Broken, odd and hostile files, decoded apart: what becomes of each, and what it costs.

    python -m benchmarks.badclips ../shared/badclips ../shared/clips

For every file: the outcome against its manifest, seconds by the clock, and for valid files the
difference from ffmpeg's own decode. For all together: the memory of the confined processes against
their limit, files written outside the temporary folder, and requests to any address (the last two
where there is a `strace` to watch with).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.badclips_watched import watch
from benchmarks.corpora import Entry, read_corpora
from benchmarks.ffmpeg_frames import CLOSE, difference_from_ffmpeg, ffmpeg_is_there
from benchmarks.machine import write_result
from stam_core.errors import StamError
from stam_core.video.apart import DecoderPool

NUM_FRAMES = 16
MOST_SECONDS = 10.0  # for one file
LOOK_SECONDS = 0.02  # between two looks at the processes' memory
MEMORY = {"VmPeak": "address_space_mib", "VmHWM": "resident_mib"}


class MemoryWatch:
    """The most memory that any process of a pool has taken, while the block lasts (Linux)."""

    def __init__(self, pool: DecoderPool) -> None:
        """`pool` is looked at until the end."""
        self.most = dict.fromkeys(MEMORY.values(), 0.0)
        self._pool = pool
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            for pid in self._pool.process_ids():
                self._note(pid)

    def _note(self, pid: int) -> None:
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:  # it has ended, or this is no Linux
            return
        for line in lines:
            name = MEMORY.get(line.partition(":")[0])
            if name is not None:
                self.most[name] = max(self.most[name], int(line.split()[1]) / 1024)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("badclips", type=Path, help="folder of hostile files, with a manifest")
    parser.add_argument("clips", type=Path, help="folder of real clips, with a manifest")
    parser.add_argument("--out", metavar="NAME", default="badclips", help="write results/NAME.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, DecoderPool() as pool:
        defences = pool.defences()
        entries = read_corpora(options.badclips, options.clips, Path(name))
        with MemoryWatch(pool) as memory:
            rows = [measure(entry, pool) for entry in entries]
        limit = pool.limits.worker_mib
    figures = {
        **summary(rows),
        "worker_memory": {**memory.most, "limit_mib": limit},
        "watched": watch(options.badclips, options.clips),
        "defences": defences,
        "limits": {"seconds": MOST_SECONDS, "difference_of_255": CLOSE},
    }
    failed = failures(figures)
    for name, value in figures.items():
        print(f"{name}: {value}")
    print("all as it must be" if not failed else f"NOT as it must be: {', '.join(failed)}")
    print(write_result(options.out, {**figures, "failed": failed, "files": rows}))
    return 1 if failed else 0


def measure(entry: Entry, pool: DecoderPool) -> dict[str, Any]:
    """What becomes of one file.

    Args:
        entry: the file and what is expected of it.
        pool: opens it apart.
    """
    row: dict[str, Any] = {"file": entry.name, "expected": entry.expect}
    begin = time.perf_counter()
    try:
        clip = pool.open_clip(entry.path, num_frames=NUM_FRAMES)
    except StamError as error:
        row |= {"outcome": "clear error", "seconds": time.perf_counter() - begin}
        row["sentence"] = str(error)
    else:
        row |= {"outcome": "works", "seconds": time.perf_counter() - begin}
        row["decoder"] = clip.info.decoder
        if entry.not_comparable is not None:
            row["not_compared"] = entry.not_comparable
        elif ffmpeg_is_there():
            row["difference_of_255"] = round(difference_from_ffmpeg(clip, entry.path), 3)
    row["seconds"] = round(row["seconds"], 3)
    row["as_expected"] = entry.expect in ("either", row["outcome"])
    print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    return row


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What is said of all files together.

    Args:
        rows: of `measure`.
    """
    slowest = max(rows, key=lambda row: row["seconds"])
    compared = [row for row in rows if "difference_of_255" in row]
    farthest = max(compared, key=lambda row: row["difference_of_255"], default=None)
    return {
        "files": len(rows),
        "as_expected": sum(row["as_expected"] for row in rows),
        "outcomes": dict(Counter(f"{row['expected']} -> {row['outcome']}" for row in rows)),
        "slowest": {"file": slowest["file"], "seconds": slowest["seconds"]},
        "compared_with_ffmpeg": len(compared),
        "farthest_from_ffmpeg": farthest
        and {"file": farthest["file"], "difference_of_255": farthest["difference_of_255"]},
        "not_compared": {row["file"]: row["not_compared"] for row in rows if "not_compared" in row},
    }


def failures(figures: dict[str, Any]) -> list[str]:
    """The promises that are not kept; what could not be measured is not among them.

    Args:
        figures: of all files together.
    """
    memory, watched = figures["worker_memory"], figures["watched"] or {}
    farthest = figures["farthest_from_ffmpeg"]
    broken = {
        "outcomes": figures["as_expected"] < figures["files"],
        "seconds": figures["slowest"]["seconds"] > MOST_SECONDS,
        "memory": memory["address_space_mib"] > memory["limit_mib"],
        "frames": farthest is not None and farthest["difference_of_255"] >= CLOSE,
        "network": bool(watched.get("addresses_called") or watched.get("requests_heard")),
        "written": bool(watched.get("changed_outside_the_temporary_folder")),
    }
    return [name for name, holds in broken.items() if holds]


if __name__ == "__main__":
    sys.exit(main())
