"""What the way to a replica costs: the same questions to an engine here and behind Ray Serve.

    python -m benchmarks.remote [--model stam-actions] [--rounds 50] [--ray local]

Both are asked in turn in the same run, with as many threads, so that a busy machine slows both; the
difference of the medians is the way there and back. On a local Ray no network is part of it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import write_result
from stam_core.any_engine import AnyEngine
from stam_core.engine import Engine
from stam_core.explain.by_hand import head_by_hand
from stam_core.remote import RemoteEngine
from stam_core.remote.ray_serve import LOCAL, ReplicaPlan, start_serve
from stam_core.types import Clip

EXAMPLES = Path(__file__).resolve().parent.parent / "assets" / "examples"
FEW = 5  # rounds of what takes long
Question = Callable[[AnyEngine, Clip], object]
QUESTIONS: dict[str, Question] = {
    "edit": lambda engine, clip: engine.edit(clip, frames=range(14)),
    "head": lambda engine, clip: engine.ask(head_by_hand, clip, 1, 1),
    "rollout": lambda engine, clip: engine.explain(clip, method="rollout"),
}
LONG: dict[str, Question] = {
    "shapley": lambda engine, clip: engine.explain(clip, method="shapley"),
}


def seconds_of(question: Question, engine: AnyEngine, clip: Clip) -> float:
    started = time.perf_counter()
    question(engine, clip)
    return time.perf_counter() - started


def compared(question: Question, engines: list[AnyEngine], clip: Clip, rounds: int) -> Any:  # noqa: ANN401
    """Medians of an engine here and of one elsewhere, asked in turn."""
    for engine in engines:
        question(engine, clip)
    taken = [[seconds_of(question, engine, clip) for engine in engines] for _ in range(rounds)]
    here, there = (statistics.median(column) for column in zip(*taken, strict=True))
    return {
        "here_ms": round(1e3 * here, 3),
        "there_ms": round(1e3 * there, 3),
        "way_ms": round(1e3 * (there - here), 3),
        "ratio": round(there / here, 3),
    }


def first_questions(engines: list[AnyEngine], clips: list[Clip]) -> Any:  # noqa: ANN401
    """A clip's first question, with which its frames travel and the model runs."""
    taken = [
        [seconds_of(lambda engine, clip: engine.predict(clip), engine, clip) for engine in engines]
        for clip in clips
    ]
    here, there = (statistics.median(column) for column in zip(*taken, strict=True))
    return {
        "clip_mb": round(statistics.median(clip.frames.nbytes for clip in clips) / 1e6, 2),
        "here_ms": round(1e3 * here, 1),
        "there_ms": round(1e3 * there, 1),
        "way_ms": round(1e3 * (there - here), 1),
        "ratio": round(there / here, 3),
    }


def measure(model: str, rounds: int, address: str) -> dict[str, Any]:
    """All figures, with one replica of one thread."""
    torch.set_num_threads(1)
    plan = ReplicaPlan(least=1, most=1, gpus_each=0, cpus_each=0.5, threads=1)
    serve = start_serve(address, plan=plan)
    try:
        here = Engine(model, device="cpu")
        engines: list[AnyEngine] = [here, RemoteEngine(model, caller=serve)]
        clips = [here.open(path) for path in sorted(EXAMPLES.glob("*.mp4"))]
        found: dict[str, Any] = {"first question": first_questions(engines, clips)}
        for name, question in {**QUESTIONS, **LONG}.items():
            times = min(rounds, FEW) if name in LONG else rounds
            found[name] = compared(question, engines, clips[0], times)
    finally:
        serve.stop()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="stam-actions")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--ray", default=LOCAL, help="as of app.py")
    options = parser.parse_args()
    found = measure(options.model, options.rounds, options.ray)
    print(json.dumps(found, indent=2))
    write_result("remote", {"model": options.model, "questions": found})


if __name__ == "__main__":
    main()
