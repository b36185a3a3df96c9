"""Every figure of the cards of the embedded models that take a clip whole, by one command.

    python -m benchmarks.whole_models --clips 5000 --truth-clips 100 --seed 7 --workers 2 --real DIR

The same questions as `embedded_model` asks of the STAM, of both models on the same rendered clips:
accuracy, time pairs backwards, the same clips with their frames shuffled, what the rollout finds of
the truth, size and work; with --real also the clips of real people listed in `real_clips.csv`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.embedded_model import accuracy_of, count_gmacs, share, truth_record
from benchmarks.machine import write_result
from benchmarks.model_card import accuracy_table, real_table, truth_table
from benchmarks.real_clips import score_real
from stam_core.actions import rendered_batches
from stam_core.engine import Engine
from stam_core.explain import methods_of
from stam_core.metrics.order import class_indices, partners
from stam_core.metrics.rendered import render_spec, score_rendered
from stam_core.types import Progress
from stam_core.video import preprocess

MODELS = ("timesformer-actions", "joint-actions")
METHODS = ("temporal-attention", "rollout", "gradient-attention")
AT_ONCE = 8  # clips through a model

Answers = dict[str, list[NDArray[np.float32]]]


def answer_rendered(
    engines: list[Engine], n: int, *, seed: int, workers: int, progress: Progress
) -> tuple[NDArray[np.int64], list[Answers]]:
    """Actions of `n` clips, and each model's logits: as they are, backwards, shuffled."""
    labels, spec = engines[0].info.labels, render_spec(engines[0].info)
    found: list[Answers] = [{"as is": [], "backwards": [], "shuffled": []} for _ in engines]
    targets: list[NDArray[np.int64]] = []
    shuffle = np.random.default_rng(seed)
    for clips in rendered_batches(n, seed=seed, spec=spec, workers=workers, batch=AT_ONCE):
        x = torch.stack(
            [preprocess(frames, engines[0].info.preprocessing)[0] for frames in clips.frames]
        )
        targets.append(class_indices(clips.labels, labels))
        paired = torch.from_numpy(np.flatnonzero(partners(labels)[targets[-1]] >= 0))
        orders = torch.from_numpy(
            shuffle.permuted(np.tile(np.arange(x.shape[1]), (len(x), 1)), axis=1)
        )
        shuffled = x[torch.arange(len(x))[:, None], orders]
        for engine, answers in zip(engines, found, strict=True):
            with torch.inference_mode():
                for name, given in (
                    ("as is", x), ("backwards", x[paired].flip(1)), ("shuffled", shuffled),
                ):  # fmt: skip
                    if len(given) == 0:  # a batch without a time pair
                        continue
                    answers[name].append(
                        engine.model(given.to(engine.device)).float().cpu().numpy()
                    )
        progress("rendered clips", sum(map(len, targets)) / n)
    return np.concatenate(targets), found


def figures_of(
    engine: Engine, targets: NDArray[np.int64], answers: Answers, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Everything about one model."""
    labels, info = engine.info.labels, engine.info
    logits, backwards, shuffled = (np.concatenate(rows) for rows in answers.values())
    side = info.preprocessing.side
    x = torch.zeros(1, info.num_frames, 3, side, side, device=engine.device)
    figures: dict[str, Any] = {
        "model": info.name,
        "seed": arguments.seed,
        "size": {
            "file_bytes": info.weights.n_bytes,
            "parameters": sum(p.numel() for p in engine.model.parameters()),
            "gmacs": count_gmacs(lambda: engine.model(x))[1],
        },
        "accuracy": accuracy_of(logits, backwards, targets, labels),
        "shuffled_top1": share(shuffled.argmax(axis=1) == targets),
    }
    if arguments.truth_clips:
        rows = score_rendered(
            engine, [name for name in METHODS if name in methods_of(info)],
            n=arguments.truth_clips, seed=arguments.seed, workers=arguments.workers,
        )  # fmt: skip
        figures["truth"] = [truth_record(row) for row in rows]
    if arguments.real:
        figures["real"] = score_real(engine, arguments.real)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clips", type=int, default=5000, help="for accuracy and order")
    parser.add_argument("--truth-clips", type=int, default=100, help="for the maps; 0: leave out")
    parser.add_argument("--seed", type=int, default=7, help="of the clips; below 2**32: held out")
    parser.add_argument("--workers", type=int, default=2, help="processes that render")
    parser.add_argument("--threads", type=int, default=1, help="of torch, beside the workers")
    parser.add_argument("--real", type=Path, help="folder with the files of real_clips.csv")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    def progress(doing: str, part: float) -> None:
        if sys.stderr.isatty():
            print(f"\r{doing} {part:.0%}   ", end="", file=sys.stderr, flush=True)

    engines = [Engine(name, device="cpu", dtype="float32") for name in MODELS]
    targets, answers = answer_rendered(
        engines, arguments.clips, seed=arguments.seed, workers=arguments.workers, progress=progress
    )
    results = {}
    for engine, told in zip(engines, answers, strict=True):
        figures = figures_of(engine, targets, told, arguments)
        results[engine.info.name] = figures
        parts = [accuracy_table(figures)]
        parts += [truth_table(figures["truth"])] if "truth" in figures else []
        parts += [real_table(figures["real"])] if "real" in figures else []
        print("\n" + "\n\n".join(parts))
        print(f"\nFrames shuffled: top-1 {figures['shuffled_top1']:.1%}")
    print(f"Written to {write_result('whole_models', results)}.")


if __name__ == "__main__":
    main()
