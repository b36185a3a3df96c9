"""What decoding apart costs: opening clips in confined processes, in this one, and by decord alone.

    python -m benchmarks.decoding ../shared/clips --out decoding

Every clip is opened in turn by each way, so that a busy moment of the machine meets all of them.
Beside the time by the clock stands the processor time (Linux; 10 ms fine for the other process),
which hardly depends on what else the machine does.
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.machine import write_result
from stam_core.video import open_clip
from stam_core.video.apart import DecoderPool
from stam_core.video.decode_decord import DecordError

NUM_FRAMES = 16
REPEATS = 5
MOST_RATIO = 1.3  # apart over here, median over clips
MOST_EXTRA_MS = 50.0  # apart over decord alone, median over clips
SUFFIXES = (".mp4", ".mov", ".mkv", ".avi", ".gif", ".webm")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="with clips")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--out", metavar="NAME", help="write results/NAME.json")
    options = parser.parse_args()
    paths = sorted(path for path in options.folder.iterdir() if path.suffix in SUFFIXES)
    begin = time.perf_counter()
    with DecoderPool() as pool:
        defences = pool.defences()
        start_ms = 1000 * (time.perf_counter() - begin)
        rows = [measure(path, pool, options.repeats) for path in paths]
    figures = {
        "start_of_a_process_ms": round(start_ms, 1),
        "defences": defences,
        **summary(rows),
        "repeats": options.repeats,
        "clips": rows,
    }
    print({name: value for name, value in figures.items() if name != "clips"})
    if options.out:
        print(write_result(options.out, figures))


def measure(path: Path, pool: DecoderPool, repeats: int) -> dict[str, Any]:
    """Milliseconds of each way for one clip: the median over rounds; the first does not count."""
    clip = open_clip(path, num_frames=NUM_FRAMES)
    info, indices = clip.info, clip.frame_indices.tolist()
    ways: dict[str, Callable[[], object]] = {
        "here_ms": lambda: open_clip(path, num_frames=NUM_FRAMES),
        "apart_ms": lambda: pool.open_clip(path, num_frames=NUM_FRAMES),
    }
    if find_spec("decord") is not None:
        ways["decord_ms"] = lambda: decode_by_decord(path, indices)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    computed: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(repeats + 1):
        for name, way in ways.items():
            begin, before = time.perf_counter(), processor_ms(pool)
            try:
                way()
            except DecordError:  # it then has no figure for this clip
                continue
            if round_:
                taken[name].append(1000 * (time.perf_counter() - begin))
                computed[name].append(processor_ms(pool) - before)
    medians = {name: round(statistics.median(ms), 1) for name, ms in taken.items() if ms}
    computing = {
        name.replace("_ms", "_cpu_ms"): round(statistics.median(ms), 1)
        for name, ms in computed.items()
        if ms
    }
    row = {
        "clip": path.name,
        "decoder": info.decoder,
        **medians,
        **computing,
        "ratio": round(medians["apart_ms"] / medians["here_ms"], 3),
    }
    print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    return row


def processor_ms(pool: DecoderPool) -> float:
    """Processor time so far of this process and of those that decode for it."""
    total = 1000 * time.process_time()
    for pid in pool.process_ids():
        stat = Path(f"/proc/{pid}/stat")
        if stat.exists():
            fields = stat.read_text().rsplit(")", 1)[1].split()
            total += 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def decode_by_decord(path: Path, indices: list[int]) -> object:
    """As its README shows, at full size and without any check.

    Raises:
        DecordError: it cannot.
    """
    decord: Any = importlib.import_module("decord")
    try:
        reader = decord.VideoReader(str(path), ctx=decord.cpu(0))
        wanted = [min(index, len(reader) - 1) for index in indices]
        return reader.get_batch(wanted).asnumpy()
    # Its C++ and ctypes layers raise errors of several kinds, which differ between builds.
    except Exception as error:
        raise DecordError("it failed on this file") from error


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over clips, and whether they reach what was promised."""
    ratio = statistics.median(row["ratio"] for row in rows)
    extra = [row["apart_ms"] - row["decord_ms"] for row in rows if "decord_ms" in row]
    trusted = [
        row["apart_ms"] - row["decord_ms"]
        for row in rows
        if "decord_ms" in row and row["decoder"] == "decord"
    ]
    computing = [row["apart_cpu_ms"] / max(1.0, row["here_cpu_ms"]) for row in rows]
    more = [row["apart_cpu_ms"] - row["decord_cpu_ms"] for row in rows if "decord_cpu_ms" in row]
    return {
        "cpu_ratio_median": round(statistics.median(computing), 3),
        "cpu_over_decord_alone_ms_median": round(statistics.median(more), 1) if more else None,
        "ratio_median": round(ratio, 3),
        "ratio_worst": max(row["ratio"] for row in rows),
        "over_decord_alone_ms_median": round(statistics.median(extra), 1) if extra else None,
        "over_decord_alone_ms_worst_where_it_is_right": round(max(trusted), 1) if trusted else None,
        "reached": ratio <= MOST_RATIO and (not extra or statistics.median(extra) <= MOST_EXTRA_MS),
    }


if __name__ == "__main__":
    main()
