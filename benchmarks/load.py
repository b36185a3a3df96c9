"""Fifty visitors at once: each sends a clip of their own, asks for another map, edits, and leaves.

    python -m benchmarks.load [--visitors 50] [--arriving-in 10] [--rounds 2] [--films DIR]
    python -m benchmarks.load --arriving-in 0 --out load_at_once
    python -m benchmarks.load --rounds 20 --out load_1000_clips

Loopback only. Every answer is compared with what Python says of the same clip, so that one given to
the wrong visitor would be found. A visitor who is told that the server is busy tries again as a
person would; time is counted from the first try. A visitor's page holds its connection as a
browser's does, and leaves by closing it. The first round fills the caches; it and the last one are
reported, the last one is held against the limits, and memory is that of the server and its decoders
before and after a round.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.app_latency import served
from benchmarks.machine import write_result
from benchmarks.page_client import Page, Told, open_page, read_page, records_in
from stam_core import Engine
from stam_core.actions.dataset import RenderSpec, render_clips
from stam_core.video.encode import write_mp4

FPS = 25.0
PATIENCE = 12  # tries before a visitor gives up
LIMITS = {"p95_seconds": 15.0, "memory_ratio": 1.1}


@dataclass(frozen=True)
class Film:
    """A visitor's clip and what is to be answered."""

    path: Path
    digest: str
    label: str
    probability: float
    reversed_label: str


@dataclass
class Job:
    """One question and what became of it."""

    kind: str
    seconds: float = 0.0
    refusals: int = 0
    outcome: str = "lost"  # or "answered", "gave up", "mixed up: ..."


class Visitor:
    """Somebody with a clip."""

    def __init__(self, http: httpx.AsyncClient, page: Page, film: Film, name: str) -> None:
        """`name` tells this visitor's session from all others."""
        self.http, self.page, self.film, self.name = http, page, film, name
        self.jobs: list[Job] = []

    async def visit(self, arrives: float) -> None:
        """Open the page `arrives` seconds from now, send, ask for a map, edit, close the page."""
        await asyncio.sleep(arrives)
        async with open_page(self.http, self.page, self.name) as self.client:
            if await self._job("upload", self._upload, self._is_my_prediction):
                await self._job("method", self._method, self._is_my_map)
                await self._job("edit", self._edit, self._is_my_edit)

    async def _job(
        self,
        kind: str,
        ask: Callable[[], Awaitable[Told]],
        right: Callable[[list[dict[str, Any]]], bool],
    ) -> bool:
        job = Job(kind)
        self.jobs.append(job)
        begun = time.perf_counter()
        for attempt in range(PATIENCE):
            told = await ask()
            job.seconds = time.perf_counter() - begun
            if told is None:
                job.refusals += 1
                await asyncio.sleep(random.uniform(0.5, 1.5) * (1 + attempt / 3))
                continue
            records = list(records_in(told))
            job.outcome = "answered" if right(records) else f"mixed up: {str(told)[:300]}"
            return job.outcome == "answered"
        job.outcome = "gave up"
        return False

    async def _upload(self) -> Told:
        file = await self.client.send(self.film.path.read_bytes(), f"{self.name}.mp4")
        return await self.client.ask("upload", "upload", None, upload=file)

    async def _method(self) -> Told:
        data = {
            "choice": "gradient-attention",
            "parameters": {},
            "asked": time.perf_counter() * 1000,
        }
        return await self.client.ask("heat", "adjust", data)

    async def _edit(self) -> Told:
        slots = [[0, frame, True] for frame in reversed(range(16))]
        data = {
            "keys": [self.film.digest],
            "serial": 1,
            "removal": "drop",
            "places": "keep",
            "slots": slots,
        }
        return await self.client.ask("lab-strip", "arrange", data)

    def _is_my_prediction(self, records: list[dict[str, Any]]) -> bool:
        rows = [record["rows"][0] for record in records if record.get("rows")]
        shown = {record["key"] for record in records if "sprite" in record}
        return shown == {self.film.digest} and any(
            row.get("label") == self.film.label
            and abs(row.get("probability", 9) - self.film.probability) < 2e-3
            for row in rows
        )

    def _is_my_map(self, records: list[dict[str, Any]]) -> bool:
        return any(
            record.get("key") == self.film.digest and record.get("heat") for record in records
        )

    def _is_my_edit(self, records: list[dict[str, Any]]) -> bool:
        return any(
            record.get("key") == self.film.digest
            and record.get("now", {}).get("label") == self.film.reversed_label
            for record in records
        )


def make_films(folder: Path, count: int) -> list[Film]:
    """3 seconds each, 640x360, all different, with the answers of Python."""
    engine = Engine()
    # Rendered at half the size and doubled: what counts is what they cost to decode.
    spec = RenderSpec(width=320, height=180, num_frames=int(3 * FPS))
    paths = [folder / f"{number}.mp4" for number in range(count)]
    if not all(path.exists() for path in paths):
        for path, frames in zip(
            paths, render_clips(count, seed=31_337, spec=spec).frames, strict=True
        ):
            write_mp4(path, frames.repeat(2, axis=1).repeat(2, axis=2), FPS)
    films = []
    for path in paths:
        clip = engine.open(path)
        likeliest = engine.predict(clip).top(1)[0]
        backwards = engine.edit(clip, frames=list(reversed(range(16)))).top(1)[0]
        films.append(Film(path, clip.digest, *likeliest, backwards[0]))
    return films


async def crowd(address: str, films: list[Film], arriving_in: float, prefix: str) -> list[Job]:
    """All visitors of one round."""
    limits = httpx.Limits(max_connections=4 * len(films))
    page = read_page(address)
    async with httpx.AsyncClient(base_url=address, timeout=120, limits=limits) as http:
        visitors = [
            Visitor(http, page, film, f"{prefix}{number}") for number, film in enumerate(films)
        ]
        spread = arriving_in / len(films)
        await asyncio.gather(*(v.visit(i * spread) for i, v in enumerate(visitors)))
    return [job for visitor in visitors for job in visitor.jobs]


def memory_mib(address: str) -> float:
    """Resident memory of the process that serves `address` and of its children."""
    port = address.rpartition(":")[2]
    listed = subprocess.run(
        ["ps", "-eo", "pid,ppid,rss,args"], capture_output=True, text=True, check=True
    ).stdout.splitlines()[1:]
    rows = [line.split(None, 3) for line in listed]
    wanted = {row[0] for row in rows if f"--port {port}" in row[3]}
    while more := {row[0] for row in rows if row[1] in wanted} - wanted:
        wanted |= more
    return sum(int(row[2]) for row in rows if row[0] in wanted) / 1024


def wait_until_ready(address: str) -> None:
    """Return once the first model is there."""
    end = time.monotonic() + 240
    while time.monotonic() < end:
        if httpx.get(f"{address}/health").status_code == 200:
            return
        time.sleep(0.1)
    raise TimeoutError("the app did not become ready")


def figures_of(jobs: list[Job]) -> dict[str, Any]:
    """What is reported of a round."""
    answered = [job for job in jobs if job.outcome == "answered"]
    seconds = sorted(job.seconds for job in answered)
    by_kind = {
        kind: statistics.median(job.seconds for job in answered if job.kind == kind)
        for kind in dict.fromkeys(job.kind for job in answered)
    }
    return {
        "jobs": len(jobs),
        "answered": len(answered),
        "gave_up": sum(job.outcome == "gave up" for job in jobs),
        "lost": sum(job.outcome == "lost" for job in jobs),
        "mixed_up": [job.outcome for job in jobs if job.outcome.startswith("mixed up")][:3],
        "refusals": sum(job.refusals for job in jobs),
        "median_seconds": statistics.median(seconds),
        "p95_seconds": seconds[int(0.95 * (len(seconds) - 1))],
        "median_seconds_by_kind": by_kind,
    }


def round_of(address: str, films: list[Film], arriving_in: float, number: int) -> dict[str, Any]:
    """The figures of one round."""
    before = memory_mib(address)
    begun = time.perf_counter()
    jobs = asyncio.run(crowd(address, films, arriving_in, f"round{number}-"))
    took = time.perf_counter() - begun
    after = memory_mib(address)
    return {
        **figures_of(jobs),
        "all_seconds": took,
        "memory_before_mib": before,
        "memory_after_mib": after,
        "memory_ratio": after / before,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--arriving-in", type=float, default=10.0, help="seconds (10)")
    parser.add_argument("--rounds", type=int, default=2, help="the last one counts (2)")
    parser.add_argument("--films", type=Path, help="keep the films here, for another run")
    parser.add_argument("--out", metavar="NAME", default="load", help="write results/NAME.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kept_films = arguments.films or folder / "films"
        kept_films.mkdir(parents=True, exist_ok=True)
        films = make_films(kept_films, arguments.visitors)
        with served(folder) as (address, _):
            wait_until_ready(address)
            rounds = [
                round_of(address, films, arguments.arriving_in, number)
                for number in range(arguments.rounds)
            ]
    first, last = rounds[0], rounds[-1]
    figures = {
        "visitors": arguments.visitors,
        "arriving_in_seconds": arguments.arriving_in,
        "number_of_rounds": arguments.rounds,
        **last,
        "first_round": first,
        "memory_ratio_over_all_rounds": last["memory_after_mib"] / first["memory_before_mib"],
        "memory_after_each_round_mib": [one["memory_after_mib"] for one in rounds],
        "p95_seconds_of_each_round": [one["p95_seconds"] for one in rounds],
        "clips_sent": arguments.visitors * arguments.rounds,
        "refusals_of_all_rounds": sum(one["refusals"] for one in rounds),
        "limits": LIMITS,
        "cores": os.cpu_count(),
    }
    print(json.dumps(figures, indent=2))
    write_result(arguments.out, figures)
    whole = last["answered"] == last["jobs"] == 3 * arguments.visitors
    kept = last["p95_seconds"] < LIMITS["p95_seconds"]
    return 0 if whole and kept and last["memory_ratio"] < LIMITS["memory_ratio"] else 1


if __name__ == "__main__":
    sys.exit(main())
