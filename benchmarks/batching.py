"""Whether several waiting clips are answered faster together than one after another.

    python -m benchmarks.batching [--model stam-actions ...] [--rounds 5]

Seconds per clip of one forward pass over 1, 2, 4 and 8 clips; the sizes take turns, and a ratio is
the round's own. Weights of models that are not embedded are random: speed does not depend on them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import torch

from benchmarks.machine import write_result
from stam_core.device import pick_device, pick_dtype
from stam_core.models import build_model, load_model, model_info

SIZES = (1, 2, 4, 8)


def ratios(model: torch.nn.Module, side: int, num_frames: int, rounds: int) -> dict[str, float]:
    """Median over rounds of the seconds per clip in batches of each size, over those of one."""
    device = pick_device("auto")
    dtype = pick_dtype("auto", device)
    model = model.to(device)
    found: dict[int, list[float]] = {size: [] for size in SIZES}
    with torch.inference_mode(), torch.autocast(device.type, dtype, dtype != torch.float32):
        for number in range(rounds + 1):
            for size in SIZES:
                x = torch.rand(size, num_frames, 3, side, side, device=device)
                begun = time.perf_counter()
                model(x).float().cpu()
                if number:  # the first round warms up
                    found[size].append((time.perf_counter() - begun) / size)
    alone = found[1]
    return {
        str(size): statistics.median(a / b for a, b in zip(seconds, alone, strict=True))
        for size, seconds in found.items()
    } | {"seconds_alone": statistics.median(alone)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", default=["stam-actions", "stam-16"])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    figures = {}
    for name in arguments.model:
        info = model_info(name)
        model = load_model(name).model if info.weights.embedded else build_model(info)
        side = info.preprocessing.side
        figures[name] = ratios(model, side, info.num_frames, arguments.rounds)
        print(name, json.dumps(figures[name]))
    write_result("batching", {"time_per_clip_over_one_by_one": figures})


if __name__ == "__main__":
    main()
