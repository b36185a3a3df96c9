"""Evaluation on files against the model alone on clips already decoded, and decoding alone.

    python -m benchmarks.evaluation CLIP... [--model stam-16] [--clips 12] [--rounds 3]

The three take turns, so that what else the machine does falls on all alike; the ratio is each
round's own. Where it is below 0.9, decoding alone says whether decoding is the limit. Weights of
models that are not embedded are random: speed does not depend on them. Starting the processes that
decode is counted separately: it happens once however many clips there are.

On a machine that others keep busy, clocks say little. The processor time that a clip costs the
model and the decoder, each with one thread, holds there too; where all cores are busy the ratio can
be at most the model's part of the sum. --rounds 0 measures this alone.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from benchmarks.machine import write_result
from stam_core.device import pick_device, pick_dtype
from stam_core.evaluate import ClipResult, Settings, evaluate_clips
from stam_core.evaluate.answers import Answerer, Given, default_batch
from stam_core.evaluate.lists import Entry
from stam_core.evaluate.loader import decoded_clips, use_one_thread
from stam_core.evaluate.protocol import choose_protocol, decode_clip
from stam_core.evaluate.settings import cores, default_workers
from stam_core.models import build_model, load_model, model_info
from stam_core.models.described import metadata_of

WANTED = 0.9


class Clock:
    """Clips per second from the first batch on, and the seconds before it."""

    def __init__(self) -> None:
        self.started = self.first = self.last = time.perf_counter()
        self.at_first = self.clips = 0

    def add(self, clips: int) -> None:
        """So many clips more are done."""
        self.last = time.perf_counter()
        self.clips += clips
        if self.at_first == 0:
            self.first, self.at_first = self.last, self.clips

    @property
    def rate(self) -> float:
        """Clips per second."""
        return (self.clips - self.at_first) / (self.last - self.first)

    def watch(self, _done: int, _total: int, found: Sequence[ClipResult]) -> None:
        """As evaluate_clips tells it."""
        if found:
            self.add(len(found))


def model_file(name: str, folder: Path) -> str:
    """A name or file that can be evaluated without fetching anything."""
    info = model_info(name)
    if info.weights.embedded:
        return name
    path = folder / f"{name}-random.safetensors"
    save_file(build_model(info).state_dict(), path, metadata=metadata_of(info))
    return str(path)


def class_folder(clips: list[Path], n: int, label: str, folder: Path) -> Path:
    """A folder of one class with `n` links to the clips in turn."""
    home = folder / "val" / label
    home.mkdir(parents=True)
    for number, clip in zip(range(n), itertools.cycle(clips), strict=False):
        (home / f"{number:05d}{clip.suffix}").symlink_to(clip.absolute())
    return folder / "val"


class Bench:
    """One model, one folder of clips."""

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        """Build the folder and decode what the model alone is measured on."""
        self.file = model_file(arguments.model, folder)
        self.loaded = load_model(self.file)
        info = self.loaded.info
        self.device = pick_device(arguments.device)
        self.dtype = pick_dtype(arguments.dtype, self.device)
        self.batch = arguments.batch or default_batch(info, self.device)
        # the first batch of each turn is not timed
        self.n = self.batch * (1 + -(-arguments.clips // self.batch))
        self.workers = default_workers(1) if arguments.workers is None else arguments.workers
        self.data = class_folder(arguments.paths, self.n, info.labels[0], folder)
        self.decode = partial(decode_clip, protocol=choose_protocol(info, "uniform"))
        files = sorted(self.data.glob("*/*"))
        self.entries = [Entry(n, path, path.name, 0) for n, path in enumerate(files)]
        found = [self.decode(entry.path) for entry in self.entries[: self.batch]]
        self.pixels = [clip.pixels for clip in found if clip.pixels is not None]
        assert len(self.pixels) == self.batch, "every clip must be usable"

    def answerer(self) -> Answerer:
        """The model, ready."""
        return Answerer(
            self.loaded.model,
            self.loaded.info,
            device=self.device,
            dtype=self.dtype,
            batch=self.batch,
        )

    def model_alone(self) -> Clock:
        """Clips that are in memory, batch by batch."""
        torch.set_num_threads(cores())
        answerer = self.answerer()
        clips = itertools.islice(itertools.cycle(self.pixels), self.n)
        given = (Given(None, 0, pixels) for pixels in clips)
        clock = Clock()
        for found in answerer.answers(given):
            clock.add(len(found))
        return clock

    def processor_seconds(self) -> dict[str, float]:
        """Processor time per clip of the model and of decoding, each with one thread."""
        use_one_thread()
        answerer = self.answerer()
        answerer.logits(self.pixels)
        started = time.process_time()
        answerer.logits(self.pixels)
        model = (time.process_time() - started) / self.batch
        started = time.process_time()
        for entry in self.entries:
            self.decode(entry.path)
        return {"model": model, "decoding": (time.process_time() - started) / self.n}

    def decoding_alone(self) -> Clock:
        """The same worker processes, and nobody who looks at the clips."""
        clock = Clock()
        for _ in decoded_clips(
            self.entries, self.decode, workers=self.workers, ahead=2 * self.batch
        ):
            clock.add(1)
        return clock

    def evaluation(self) -> Clock:
        """The command as it is."""
        clock = Clock()
        settings = Settings(
            device=str(self.device),
            dtype=str(self.dtype).removeprefix("torch."),
            batch=self.batch,
            workers=self.workers,
        )
        evaluate_clips(
            self.data, model=self.file, protocol="uniform", settings=settings, watch=clock.watch
        )
        return clock


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="+", type=Path, metavar="CLIP")
    parser.add_argument("--model", default="stam-16")
    parser.add_argument("--clips", type=int, default=12, help="per turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--workers", type=int)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments, Path(folder))
        turns: dict[str, list[Clock]] = {
            "model_alone": [],
            "evaluation": [],
            "decoding_alone": [],
        }
        for _ in range(arguments.rounds):
            for name, clocks in turns.items():
                clocks.append(getattr(bench, name)())
                print(f"{name:15s} {clocks[-1].rate:.3f} videos per second", flush=True)
        seconds = bench.processor_seconds()
    figures = {
        "model": arguments.model,
        "device": str(bench.device),
        "dtype": str(bench.dtype),
        "batch": bench.batch,
        "workers": bench.workers,
        "clips_per_turn": bench.n,
        "processor_seconds_per_clip": seconds,
        "model_part_of_processor_time": seconds["model"] / sum(seconds.values()),
        "wanted": WANTED,
        **(by_the_clock(turns) if arguments.rounds else {}),
    }
    print(
        f"{arguments.model}: a clip costs the model {seconds['model']:.3f} s of a core, decoding "
        f"{seconds['decoding']:.3f} s: the model's part is "
        f"{figures['model_part_of_processor_time']:.1%}"
    )
    write_result(f"evaluation-{arguments.model}", figures)
    return 0


def by_the_clock(turns: dict[str, list[Clock]]) -> dict[str, Any]:
    """Medians of what the turns say."""
    rates = {name: [clock.rate for clock in clocks] for name, clocks in turns.items()}
    pairs = zip(rates["evaluation"], rates["model_alone"], strict=True)
    ratio = statistics.median(fed / alone for fed, alone in pairs)
    print(f"evaluation reaches {ratio:.1%} of the model alone")
    return {
        "videos_per_second": rates,
        "ratio": ratio,
        "decoding_alone_videos_per_second": statistics.median(rates["decoding_alone"]),
        "seconds_to_first_batch": statistics.median(
            clock.first - clock.started for clock in turns["evaluation"]
        ),
    }


if __name__ == "__main__":
    sys.exit(main())
