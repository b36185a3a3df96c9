"""The commands about models: which there are, making one, and how good it is."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from stam_core.cli.output import OutputError, progress_line, say, say_json, say_predictions
from stam_core.errors import WeightsError
from stam_core.models import MODELS, list_models, load_model, model_info, weights_at_hand
from stam_core.render.numbers import json_ready
from stam_core.render.words import one_line
from stam_core.types import ModelInfo


def run_models(options: argparse.Namespace) -> int:
    """A table of the models."""
    rows = [_model_facts(info) for info in list_models()]
    if options.json:
        say_json(rows)
        return 0
    say(f"{'name':<14}{'frames':>7}{'classes':>9}{'size':>9}  {'licence':<12}on this machine")
    for row in rows:
        size = "?" if row["bytes"] is None else f"{row['bytes'] / 1e6:,.0f} MB"
        here = "no" if row["file"] is None else "embedded" if row["embedded"] else "yes"
        say(
            f"{row['name']:<14}{row['frames']:>7}{row['classes']:>9}{size:>9}  "
            f"{row['licence']:<12}{here}"
        )
        say(f"    {row['summary']}")
    return 0


def run_train(options: argparse.Namespace) -> int:
    """Train the embedded model anew."""
    from stam_core.train import TrainOptions, train

    given = {
        entry.name: getattr(options, entry.name)
        for entry in fields(TrainOptions)
        if hasattr(options, entry.name)
    }
    training = TrainOptions(**given)
    with progress_line() as progress, _writing(training.out):
        checkpoint = train(training, progress if progress.shown else None)
    if options.json:
        say_json({"checkpoint": str(checkpoint)})
    else:
        say(f"The checkpoint is {one_line(checkpoint)}")
    return 0


def run_evaluate(options: argparse.Namespace) -> int:
    """Accuracy on freshly rendered clips."""
    from stam_core.evaluate import evaluate_rendered

    ask_before_download(options)
    with progress_line() as progress:
        loaded = load_model(options.model, weights=options.weights, progress=progress)
        figures = evaluate_rendered(
            loaded.model,
            loaded.info.preprocessing,
            options.rendered,
            seed=options.seed,
            labels=loaded.info.labels,
            num_frames=loaded.info.num_frames,
            workers=options.workers,
            progress=progress,
        )
    figures = {**figures, "model": loaded.info.name, "weights_sha256": loaded.report.sha256}
    if options.json:
        say_json(json_ready(figures))
        return 0
    for name, value in figures.items():
        if isinstance(value, dict):
            say(f"{name}:")
            say_predictions(list(value.items()))
        else:
            say(f"{name:<16} {_figure(value)}")
    return 0


def ask_before_download(options: argparse.Namespace) -> None:
    """Nothing is fetched before the user knows how much, from where, under which licence."""
    if options.weights is not None or options.download or options.model not in MODELS:
        return
    info = model_info(options.model)
    if weights_at_hand(info) is None:
        size = f"{info.weights.n_bytes / 1e6:,.0f} MB" if info.weights.n_bytes else "size unknown"
        raise WeightsError(
            f"The weights of {info.name} are not on this machine: {size} from "
            f"{info.weights.source}, licence {info.weights.licence}. "
            "Add --download to fetch them, or name a file with --weights."
        )


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turns a place that cannot be written into something to mend."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"Cannot write {str(path)!r}: {error.strerror or error}.") from error


def _model_facts(info: ModelInfo) -> dict[str, Any]:  # Any: JSON
    file = weights_at_hand(info)
    return {
        "name": info.name,
        "title": info.title,
        "summary": info.summary,
        "frames": info.num_frames,
        "classes": len(info.labels),
        "bytes": info.weights.n_bytes,
        "licence": info.weights.licence,
        "source": info.weights.source,
        "embedded": info.weights.embedded,
        "file": None if file is None else str(file),
        "paper": info.paper,
        "published": info.published,
    }


def _figure(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else one_line(value)
