"""What looking inside costs: a recorded prediction with two explanations against a plain one.

    python -m benchmarks.speed [--model stam-16] [--rounds 5] [--device auto] [--dtype auto]

Times are medians over rounds in which the variants take turns, so that what else the machine does
falls on all of them alike; memory is each variant's peak in a process of its own. Weights are
random: speed does not depend on them.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.machine import write_result
from stam_core.device import pick_device, pick_dtype
from stam_core.explain import EXPLAINERS, configure, run
from stam_core.models import build_model, model_info
from stam_core.models.stam import Stam
from stam_core.record import Subject, embed_frames
from stam_core.types import ModelInfo

LIMITS = {"time": 1.15, "memory": 1.3}


class Bench:
    """One model with random weights and one random clip."""

    def __init__(self, name: str, device: str, dtype: str) -> None:
        """Build both on the device."""
        self.info: ModelInfo = model_info(name)
        self.device = pick_device(device)
        self.dtype = pick_dtype(dtype, self.device)
        model = build_model(self.info).to(self.device)
        assert isinstance(model, Stam)
        self.model = model
        side = self.info.preprocessing.side
        self.x = torch.rand(self.info.num_frames, 3, side, side, device=self.device)

    def predict(self) -> None:
        """A plain forward pass, fused attention."""
        with torch.no_grad():
            embeddings = embed_frames(self.model, self.x, dtype=self.dtype)
            self.model.classify(embeddings[None]).cpu()

    def predict_softmax(self) -> None:
        """The same with attention as softmax(q k) v, as the official code computes it."""
        attention = self.model.space_attention + self.model.time_attention
        for module in attention:
            module.fused_attn = False
        try:
            self.predict()
        finally:
            for module in attention:
                module.fused_attn = True

    def explain(self) -> None:
        """Prediction, temporal attention and spatial rollout from one recorded pass."""
        subject = Subject(self.model, self.x, self.info.patch_grid, self.dtype)
        for method in ("temporal-attention", "spatial-rollout"):
            run(configure(EXPLAINERS[method], self.info, {}), subject, None)
        assert len(subject.traces) == 1  # one pass answered all of it

    def variants(self) -> dict[str, Callable[[], None]]:
        """Variants by name; the first is the baseline."""
        return {
            "predict": self.predict,
            "predict + explain": self.explain,
            "predict, plain softmax": self.predict_softmax,
        }


def median_seconds(bench: Bench, rounds: int) -> dict[str, list[float]]:
    """Seconds of each round by variant; variants take turns, after one round to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in bench.variants()}
    for round_number in range(rounds + 1):
        for name, variant in bench.variants().items():
            started = time.perf_counter()
            variant()
            if round_number:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def peak_bytes(arguments: argparse.Namespace, variant: str) -> int:
    """Peak memory of one variant in a process of its own (that of the GPU, on one)."""
    command = [sys.executable, "-m", "benchmarks.speed", "--only", variant]
    for name in ("model", "device", "dtype"):
        command += [f"--{name}", getattr(arguments, name)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout)


def own_peak_bytes() -> int:
    """Peak resident memory of this process.

    From Linux's own record where there is one: getrusage also counts the parent, up to the exec.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run_one(bench: Bench, variant: str) -> None:
    """Run a variant twice and print the peak memory in bytes."""
    for _ in range(2):
        bench.variants()[variant]()
    if bench.device.type == "cuda":
        print(torch.cuda.max_memory_allocated())
    else:
        print(own_peak_bytes())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="stam-16")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    bench = Bench(arguments.model, arguments.device, arguments.dtype)
    if arguments.only:
        run_one(bench, arguments.only)
        return 0
    seconds = median_seconds(bench, arguments.rounds)
    memory = {name: peak_bytes(arguments, name) for name in seconds}
    base = "predict"
    ratios = {
        name: {
            # each round's own ratio, so that a slow minute falls on both sides
            "time": statistics.median(
                one / plain for one, plain in zip(times, seconds[base], strict=True)
            ),
            "memory": memory[name] / memory[base],
        }
        for name, times in seconds.items()
    }
    print(f"{arguments.model}, {bench.device}, {str(bench.dtype).removeprefix('torch.')}")
    for name, ratio in ratios.items():
        print(
            f"  {name:24s} {statistics.median(seconds[name]):7.3f} s  {ratio['time']:5.2f}x"
            f"  {memory[name] / 2**20:7.0f} MiB  {ratio['memory']:5.2f}x"
        )
    figures = {
        "model": arguments.model,
        "frames": bench.info.num_frames,
        "device": str(bench.device),
        "dtype": str(bench.dtype),
        "seconds": seconds,
        "peak_bytes": memory,
        "ratios": ratios,
        "limits": LIMITS,
    }
    write_result("speed", figures)
    print(json.dumps(ratios["predict + explain"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
