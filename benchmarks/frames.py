"""What questions cost: an edit against a full forward pass, exact Shapley values, every method.

    python -m benchmarks.frames [--model stam-actions] [--rounds 3] [--threads 2]

The ratio of edit to forward is counted in operations, at the sizes of ViT-B too; times are medians
on the embedded model and one of its example clips.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import write_result
from stam_core.engine import Engine
from stam_core.explain import EXPLAINERS
from stam_core.models import build_model, model_info
from stam_core.types import Clip, Explanation

EXAMPLES = Path(__file__).resolve().parent.parent / "assets" / "examples"
# Those that may take longer than the others.
LONG = ("shapley", "integrated-gradients")
LIMITS = {
    "edit_is_cheaper_by": 100.0,
    "shapley_seconds": 5.0,
    "shapley_first_partial_seconds": 0.5,
    "other_method_seconds": 3.0,
}


def count_edit(name: str) -> dict[str, float]:
    """Multiply-accumulates of a full forward pass and of one edit, by torch's own count."""
    info = model_info(name)
    side, n = info.preprocessing.side, info.num_frames
    with torch.device("meta"):  # no data: shapes decide
        model = build_model(info)
        x = torch.empty(1, n, 3, side, side)
        embeddings = torch.empty(1, n, info.config.width)
        positions = torch.arange(n)
    counted = []
    for call in (lambda: model(x), lambda: model.classify(embeddings, positions)):
        counter = FlopCounterMode(display=False)
        with counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
            call()
        counted.append(counter.get_total_flops() / 2 / 1e9)
    whole, edit = counted
    return {"forward_gmacs": whole, "edit_gmacs": edit, "edit_is_cheaper_by": whole / edit}


def timed_stream(engine: Engine, clip: Clip, method: str) -> tuple[float, float, Explanation]:
    """Seconds to the first result and to the last, which is given too."""
    started = time.perf_counter()
    results = engine.stream(clip, method=method)
    last = next(results)
    first = time.perf_counter() - started
    for partial in results:
        last = partial
    return first, time.perf_counter() - started, last


def timed_edits(engine: Engine, clip: Clip, *, count: int = 50) -> float:
    """Median seconds from an edit to its prediction."""
    generator = torch.Generator().manual_seed(0)
    seconds = []
    for _ in range(count):
        order = torch.randperm(clip.num_frames, generator=generator)[: clip.num_frames - 2]
        started = time.perf_counter()
        engine.edit(clip, frames=order.tolist())
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def measure(model: str, rounds: int) -> dict[str, Any]:
    """All times on one example clip."""
    engine = Engine(model)
    clip = engine.open(min(EXAMPLES.glob("*.mp4")))
    engine.predict(clip)  # recorded once; every question after it reuses that
    methods: dict[str, Any] = {}
    for method in EXPLAINERS:
        runs = [timed_stream(engine, clip, method) for _ in range(rounds)]
        methods[method] = {
            "first_result_seconds": statistics.median(first for first, _, _ in runs),
            "seconds": statistics.median(whole for _, whole, _ in runs),
            "details": dict(runs[-1][2].details),
        }
    return {
        "frames": clip.num_frames,
        "edit_seconds": timed_edits(engine, clip),
        "methods": methods,
    }


def verdicts(counted: dict[str, dict[str, float]], times: dict[str, Any]) -> dict[str, bool]:
    """Whether each limit is kept."""
    shapley = times["methods"]["shapley"]
    others = [found["seconds"] for name, found in times["methods"].items() if name not in LONG]
    at_vit_b = counted["stam-16"]["edit_is_cheaper_by"]
    return {
        "edit_is_cheaper_by": at_vit_b >= LIMITS["edit_is_cheaper_by"],
        "shapley_seconds": shapley["seconds"] < LIMITS["shapley_seconds"],
        "shapley_first_partial_seconds": (
            shapley["first_result_seconds"] < LIMITS["shapley_first_partial_seconds"]
        ),
        "other_method_seconds": max(others) < LIMITS["other_method_seconds"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--model", default="stam-actions")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    counted = {name: count_edit(name) for name in dict.fromkeys(("stam-16", args.model))}
    times = measure(args.model, args.rounds)
    figures = {
        "model": args.model,
        "rounds": args.rounds,
        "counted": counted,
        "limits": LIMITS,
        "kept": verdicts(counted, times),
        **times,
    }
    path = write_result("frames", figures)
    print(json.dumps(figures, indent=2))
    print(f"written to {path}")


if __name__ == "__main__":
    main()
