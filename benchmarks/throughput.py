"""Videos per second: the model alone, and fed by decoding.

    python -m benchmarks.throughput CLIP... [--model stam-16] [--device auto] [--dtype auto]

The paper states 20.0 videos per second for STAM-16 on a V100 in mixed precision. Weights are
random: speed does not depend on them.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from benchmarks.machine import write_result
from benchmarks.speed import Bench
from stam_core.video import open_clip, preprocess

PAPER_V100 = 20.0  # videos per second


def forward(bench: Bench, clips: torch.Tensor) -> None:
    """Clips [B,T,3,S,S] through the model, waited for."""
    enabled = bench.dtype != torch.float32
    with torch.no_grad(), torch.autocast(bench.device.type, dtype=bench.dtype, enabled=enabled):
        bench.model(clips.to(bench.device, non_blocking=True)).cpu()


def model_alone(bench: Bench, batch: int, seconds: float) -> float:
    """Videos per second on clips that are already there."""
    clips = bench.x.expand(batch, *bench.x.shape).contiguous()
    forward(bench, clips)
    started, videos = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        forward(bench, clips)
        videos += batch
    return videos / (time.perf_counter() - started)


def decoded(bench: Bench, paths: list[Path], workers: int) -> Iterator[torch.Tensor]:
    """Preprocessed clips [T,3,S,S], decoded ahead in threads, over and over."""
    info = bench.info

    def load(path: Path) -> torch.Tensor:
        side = info.preprocessing.resize_side
        clip = open_clip(path, num_frames=info.num_frames, short_side=side)
        return preprocess(clip.frames, info.preprocessing)[0]

    with ThreadPoolExecutor(workers) as pool:
        ahead = [pool.submit(load, path) for path in itertools.islice(itertools.cycle(paths), 32)]
        for path in itertools.cycle(paths):
            yield ahead.pop(0).result()
            ahead.append(pool.submit(load, path))


def fed_by_decoding(
    bench: Bench, paths: list[Path], batch: int, seconds: float, workers: int
) -> float:
    """Videos per second from files."""
    source = decoded(bench, paths, workers)
    forward(bench, torch.stack(list(itertools.islice(source, batch))))
    started, videos = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        forward(bench, torch.stack(list(itertools.islice(source, batch))))
        videos += batch
    rate = videos / (time.perf_counter() - started)
    source.close()
    return rate


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--model", default="stam-16")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    bench = Bench(arguments.model, arguments.device, arguments.dtype)
    alone = model_alone(bench, arguments.batch, arguments.seconds)
    fed = fed_by_decoding(
        bench, arguments.clips, arguments.batch, arguments.seconds, arguments.workers
    )
    print(f"model alone {alone:.2f} videos/s, fed by decoding {fed:.2f} ({fed / alone:.0%})")
    figures = {
        "model": arguments.model,
        "device": str(bench.device),
        "dtype": str(bench.dtype),
        "batch": arguments.batch,
        "videos_per_second": {"model_alone": alone, "fed_by_decoding": fed},
        "paper_v100_videos_per_second": PAPER_V100,
    }
    write_result("throughput", figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
