"""Every figure of the embedded model's card, by one command.

    python -m benchmarks.embedded_model --model stam-actions --clips 5000 --truth-clips 500 \
        --seed 7 --workers 2 --real DIR --json OUT

Accuracy, also on those who pass a camera that stands, time pairs backwards, what order is worth,
what its maps find of the truth, size and work; with --real also its answers for the clips of real
people listed in `real_clips.csv`. The clips of --seed are rendered anew; the shipped model has seen
no seed below 2**32. The same seed and machine give the same figures, with any number of workers.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import describe_machine, write_result
from benchmarks.model_card import tables
from benchmarks.real_clips import score_real
from stam_core.actions import LABELS, rendered_batches
from stam_core.actions.motions import LOCOMOTION
from stam_core.engine import Engine
from stam_core.metrics.order import class_indices, partners, time_matters
from stam_core.metrics.rendered import TruthRow, render_spec, score_rendered
from stam_core.models.stam import Stam
from stam_core.types import Progress
from stam_core.video import preprocess

# The maps that need one recorded pass; `python -m stam_core score` judges all methods.
METHODS = (
    "temporal-attention",
    "temporal-rollout",
    "spatial-attention",
    "spatial-rollout",
    "rollout",
)
AT_ONCE = 32  # clips through the model: 101 MB of input at 128 px


@dataclass(frozen=True, eq=False)
class Embedded:
    """Rendered clips as the temporal stage sees them."""

    embeddings: torch.Tensor  # [n,T,D] float32 on the CPU
    actions: NDArray[np.int64]  # [n] index into the renderer's labels


def embed_rendered(
    engine: Engine, n: int, *, seed: int, workers: int, progress: Progress, roaming: float = 0.0
) -> Embedded:
    """The frame embeddings of `n` clips; rendering runs ahead in other processes."""
    model = cast("Stam", engine.model)
    parts, actions = [], []
    spec = replace(render_spec(engine.info), roaming=roaming)
    for clips in rendered_batches(n, seed=seed, spec=spec, workers=workers, batch=AT_ONCE):
        x = torch.stack(
            [preprocess(frames, engine.info.preprocessing)[0] for frames in clips.frames]
        )
        with torch.inference_mode():
            parts.append(model.embed_frames(x.to(engine.device)).float().cpu())
        actions.append(clips.labels)
        progress("embedding clips", sum(map(len, parts)) / n)
    return Embedded(torch.cat(parts), np.concatenate(actions))


def accuracy(engine: Engine, clips: Embedded) -> dict[str, Any]:
    """Top-1, top-5, per label, and time pairs played backwards; shares in [0,1].

    The same figures as `stam_core.evaluate.evaluate_rendered`, from embeddings that serve the
    other questions too: a reversed clip has the same frame embeddings in reverse.
    """
    labels = engine.info.labels
    targets = class_indices(clips.actions, labels)
    known = np.flatnonzero(targets >= 0)
    targets, embeddings = targets[known], clips.embeddings[torch.from_numpy(known)]
    logits = classify(engine, embeddings)
    other = partners(labels)[targets]
    paired = torch.from_numpy(np.flatnonzero(other >= 0))
    figures = accuracy_of(logits, classify(engine, embeddings[paired].flip(1)), targets, labels)
    return {"clips_of_unknown_actions": len(clips.actions) - len(targets), **figures}


def roaming_accuracy(engine: Engine, n: int, **rendered: Any) -> dict[str, Any]:  # noqa: ANN401
    """As `accuracy`, of those among `n` clips who walk, run, skip or side-step past a camera."""
    clips = embed_rendered(engine, n, roaming=1.0, **rendered)
    going = np.isin(clips.actions, [LABELS.index(name) for name in LOCOMOTION])
    return accuracy(
        engine, Embedded(clips.embeddings[torch.from_numpy(going)], clips.actions[going])
    )


def accuracy_of(
    logits: NDArray[np.float32],
    backwards: NDArray[np.float32],
    targets: NDArray[np.int64],
    labels: tuple[str, ...],
) -> dict[str, Any]:
    """What logits [n,K] are worth, and those of the time pairs' clips played backwards [m,K]."""
    ranks = (logits > logits[np.arange(len(targets)), targets][:, None]).sum(axis=1)
    other = partners(labels)[targets]
    right_backwards = backwards.argmax(axis=1) == other[other >= 0]
    return {
        "clips": len(targets),
        "top1": share(ranks == 0),
        "top5": share(ranks < 5),
        "reversed_pairs": share(right_backwards),
        "reversed_clips": len(right_backwards),
        "per_class": {
            labels[k]: {
                "top1": share((ranks == 0)[targets == k]),
                "clips": int((targets == k).sum()),
            }
            for k in np.unique(targets)
        },
        "confusions": confusions(logits.argmax(axis=1), targets, labels),
    }


def classify(engine: Engine, embeddings: torch.Tensor) -> NDArray[np.float32]:
    """[n,T,D] -> logits [n,K]."""
    model = cast("Stam", engine.model)
    with torch.inference_mode():
        parts = [model.classify(e.to(engine.device)).float().cpu() for e in embeddings.split(256)]
    return torch.cat(parts).numpy() if parts else np.zeros((0, len(engine.info.labels)), np.float32)


def confusions(
    answers: NDArray[np.int64], targets: NDArray[np.int64], labels: tuple[str, ...]
) -> list[list[Any]]:
    """The ten commonest mistakes: shown, answered, how often."""
    wrong = answers != targets
    pairs, counts = np.unique(
        np.stack([targets[wrong], answers[wrong]], axis=1), axis=0, return_counts=True
    )
    order = np.argsort(-counts, kind="stable")[:10]
    return [[labels[pairs[i, 0]], labels[pairs[i, 1]], int(counts[i])] for i in order]


def share(right: NDArray[np.bool_]) -> float | None:
    return float(right.mean()) if len(right) else None


def ablation(engine: Engine, clips: Embedded, seed: int) -> list[dict[str, Any]]:
    """What order is worth; see `stam_core.metrics.order`."""
    targets = class_indices(clips.actions, engine.info.labels)
    known = targets >= 0
    rows = time_matters(
        cast("Stam", engine.model),
        clips.embeddings[torch.from_numpy(known)],
        targets[known],
        engine.info.labels,
        seed=seed,
        device=engine.device,
    )
    return [asdict(row) for row in rows]


def size(engine: Engine) -> dict[str, Any]:
    """Bytes of the file, parameters, and multiply-accumulates of one clip by stage, in billions."""
    model, info = cast("Stam", engine.model), engine.info
    side = info.preprocessing.side
    x = torch.zeros(1, info.num_frames, 3, side, side, device=engine.device)
    embeddings, space = count_gmacs(lambda: model.embed_frames(x))
    _, time_stage = count_gmacs(lambda: model.classify(embeddings))
    return {
        "file_bytes": info.weights.n_bytes,
        "parameters": sum(p.numel() for p in model.parameters()),
        "gmacs": space + time_stage,
        "gmacs_temporal_stage": time_stage,
    }


def count_gmacs(call: Callable[[], torch.Tensor]) -> tuple[torch.Tensor, float]:
    """The result, and the matrix products' multiply-accumulates in billions."""
    # the plain attention kernel is counted everywhere, not every fused one is
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        result = call()
    return result, counter.get_total_flops() / 2e9


def truth_record(row: TruthRow) -> dict[str, Any]:
    return {"method": row.method, **asdict(row.summary), "other_clip": row.other_clip}


def measure(arguments: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """All figures, with the seconds each part took."""
    seconds: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever it measures
        started = time.perf_counter()
        result = work()
        seconds[name] = round(time.perf_counter() - started, 1)
        return result

    engine = Engine(arguments.model, device=arguments.device, dtype="float32", cache_bytes=64 << 20)
    rendered = {"seed": arguments.seed, "workers": arguments.workers, "progress": progress}
    clips = timed(
        "rendering and embedding", lambda: embed_rendered(engine, arguments.clips, **rendered)
    )
    figures: dict[str, Any] = {
        "model": engine.info.name,
        "seed": arguments.seed,
        "labels": list(engine.info.labels),
        "labels_not_rendered": sorted(set(engine.info.labels) - set(LABELS)),
        "size": timed("size", lambda: size(engine)),
        "accuracy": timed("accuracy", lambda: accuracy(engine, clips)),
        "order": timed("order", lambda: ablation(engine, clips, arguments.seed)),
    }
    if arguments.roaming_clips:
        figures["roaming"] = timed(
            "roaming", lambda: roaming_accuracy(engine, arguments.roaming_clips, **rendered)
        )
    if arguments.truth_clips:
        rows = timed(
            "truth", lambda: score_rendered(engine, METHODS, n=arguments.truth_clips, **rendered)
        )
        figures["truth"] = [truth_record(row) for row in rows]
    if arguments.real:
        figures["real"] = timed("real clips", lambda: score_real(engine, arguments.real))
    return figures | {"seconds": seconds}


def parse(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="stam-actions", help="a name, or a checkpoint file")
    parser.add_argument("--clips", type=int, default=5000, help="for accuracy and order")
    parser.add_argument("--truth-clips", type=int, default=500, help="for the maps; 0: leave out")
    parser.add_argument(
        "--roaming-clips",
        type=int,
        default=2300,
        help="rendered for those who pass a camera that stands, who are 4 in 23; 0: leave out",
    )
    parser.add_argument("--seed", type=int, default=7, help="of the clips; below 2**32: held out")
    parser.add_argument("--workers", type=int, default=2, help="processes that render")
    parser.add_argument("--threads", type=int, default=1, help="of torch, beside the workers")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--real", type=Path, help="folder with the files of real_clips.csv")
    parser.add_argument("--json", type=Path, help="where to; benchmarks/results/ if not given")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    """Measure, print the card's tables, write the JSON."""
    arguments = parse(words)
    torch.set_num_threads(arguments.threads)
    shown = ""

    def progress(doing: str, part: float) -> None:
        nonlocal shown
        line = f"{doing} {part:.0%}"
        if line != shown and sys.stderr.isatty():
            print(f"\r{line:40s}", end="", file=sys.stderr, flush=True)
        shown = line

    machine = describe_machine()
    figures = measure(arguments, progress)
    print("\n" + tables(figures))
    if arguments.json is None:
        print(f"Written to {write_result('embedded_model', figures)}.")
    else:
        text = json.dumps({"machine": machine, **figures}, indent=2) + "\n"
        arguments.json.write_text(text)


if __name__ == "__main__":
    main()
