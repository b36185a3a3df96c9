"""Peak memory of every method on a model of ViT-B's size, each in a process of its own.

    python -m benchmarks.memory [--model stam-16] [--methods occlusion grad-cam]

Beside each stands the peak of a plain prediction. Weights and clip are random: memory does not
depend on them. Methods that go many steps of the same size go the fewest that they allow.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from typing import Any

from benchmarks.machine import write_result
from benchmarks.speed import Bench, own_peak_bytes
from stam_core.explain import EXPLAINERS, configure, parameter_specs, run
from stam_core.record import Subject
from stam_core.types import Target

PLAIN = "plain prediction"
LIMIT_GIB = 3.0
# Parameters that say how often the same step is gone.
REPEATS = ("steps", "pairs")


def run_one(name: str, method: str) -> None:
    """Run one method, print its peak in bytes and its seconds."""
    bench = Bench(name, "cpu", "float32")
    bench.model.requires_grad_(False)  # as the engine has it
    started = time.perf_counter()
    if method == PLAIN:
        bench.predict()
    else:
        specs = parameter_specs(method, bench.info)
        fewest = {spec.name: spec.minimum for spec in specs if spec.name in REPEATS}
        subject = Subject(bench.model, bench.x, bench.info.patch_grid, bench.dtype)
        run(configure(EXPLAINERS[method], bench.info, fewest), subject, Target(0))
    print(own_peak_bytes(), time.perf_counter() - started)


def measured(name: str, method: str) -> dict[str, float]:
    """Peak in GiB and seconds of one method in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.memory", "--model", name, "--only", method]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    peak, seconds = done.stdout.split()
    return {"peak_gib": int(peak) / 2**30, "seconds": float(seconds)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="stam-16")
    parser.add_argument("--methods", nargs="+", default=list(EXPLAINERS), choices=list(EXPLAINERS))
    parser.add_argument("--only", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        run_one(arguments.model, arguments.only)
        return 0
    found: dict[str, dict[str, float]] = {}
    for method in (PLAIN, *arguments.methods):
        found[method] = measured(arguments.model, method)
        print(f"  {method:24s} {found[method]['peak_gib']:6.2f} GiB", flush=True)
    highest = max(row["peak_gib"] for row in found.values())
    figures: dict[str, Any] = {
        "model": arguments.model,
        "methods": found,
        "limit_gib": LIMIT_GIB,
        "kept": highest < LIMIT_GIB,
    }
    print(f"written to {write_result('memory', figures)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
