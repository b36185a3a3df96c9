"""The command about models: which there are."""

from __future__ import annotations

import argparse
from typing import Any

from stam_core.cli.output import say, say_json
from stam_core.errors import WeightsError
from stam_core.models import MODELS, list_models, model_info, weights_at_hand
from stam_core.types import ModelInfo


def run_models(options: argparse.Namespace) -> int:
    """A table of the models."""
    rows = [_model_facts(info) for info in list_models()]
    if options.json:
        say_json(rows)
        return 0
    wide = max(len(row["licence"]) for row in rows) + 2 if rows else 0
    say(
        f"{'name':<18}{'scheme':<12}{'frames':>6}{'classes':>9}{'size':>9}  "
        f"{'licence':<{wide}}on this machine"
    )
    for row in rows:
        size = "?" if row["bytes"] is None else f"{row['bytes'] / 1e6:,.0f} MB"
        here = "no" if row["file"] is None else "embedded" if row["embedded"] else "yes"
        say(
            f"{row['name']:<18}{row['scheme']:<12}{row['frames']:>6}{row['classes']:>9}{size:>9}  "
            f"{row['licence']:<{wide}}{here}"
        )
        say(f"    {row['summary']}")
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


def _model_facts(info: ModelInfo) -> dict[str, Any]:  # Any: JSON
    file = weights_at_hand(info)
    return {
        "name": info.name,
        "title": info.title,
        "summary": info.summary,
        "scheme": info.scheme,
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
