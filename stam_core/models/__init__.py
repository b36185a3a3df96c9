"""The models by name, and how to get one: its facts, its modules, its weights."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from stam_core.errors import UnknownNameError, WeightsError
from stam_core.models.cache import shown_url
from stam_core.models.checkpoint import read_checkpoint
from stam_core.models.described import describe_model, is_described
from stam_core.models.download import cached_file, fetch, is_url
from stam_core.models.registry import (
    ASSETS,
    rendered_actions,
    stam_kinetics,
    timesformer_kinetics,
)
from stam_core.models.stam import Stam
from stam_core.models.timesformer import TimeSformer
from stam_core.models.weights import LoadReport, fill
from stam_core.types import ModelInfo, Progress

_LOG = logging.getLogger(__name__)

MODELS: dict[str, Callable[[], ModelInfo]] = {
    "stam-actions": partial(rendered_actions, "stam-actions"),
    "timesformer-actions": partial(rendered_actions, "timesformer-actions"),
    "joint-actions": partial(rendered_actions, "joint-actions"),
    "stam-8": partial(stam_kinetics, 8),
    "stam-16": partial(stam_kinetics, 16),
    "stam-32": partial(stam_kinetics, 32),
    "stam-64": partial(stam_kinetics, 64),
    "timesformer-base": partial(timesformer_kinetics, "base"),
    "timesformer-hr": partial(timesformer_kinetics, "hr"),
    "timesformer-l": partial(timesformer_kinetics, "l"),
}

FAMILIES: dict[str, Callable[..., nn.Module]] = {
    "stam": Stam,
    "timesformer": TimeSformer,
}

__all__ = [
    "FAMILIES",
    "MODELS",
    "LoadReport",
    "LoadedModel",
    "build_model",
    "list_models",
    "load_info",
    "load_model",
    "model_info",
    "weights_at_hand",
]


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model in eval mode on the CPU, in float32, with what is known about it."""

    model: nn.Module
    info: ModelInfo  # the file's own where the file describes itself
    report: LoadReport


def model_info(name: str) -> ModelInfo:
    """The facts about a named model.

    Raises:
        UnknownNameError: There is no such model; the message lists those there are.
        WeightsError: The embedded model's file is missing.
    """
    if name not in MODELS:
        raise UnknownNameError("model", name[:200], list(MODELS))
    return MODELS[name]()


def list_models() -> list[ModelInfo]:
    """The facts about every model, the embedded ones first; without one whose file is missing."""
    infos = []
    for name in MODELS:
        try:
            infos.append(model_info(name))
        except WeightsError as error:
            _LOG.warning("%s is not listed. %s", name, error)
    return infos


def build_model(info: ModelInfo) -> nn.Module:
    """The model of `info` with random weights, in eval mode."""
    return FAMILIES[info.family](info.config).eval()


def weights_at_hand(info: ModelInfo) -> Path | None:
    """The local file with the model's weights; None: they have to be fetched first."""
    if info.weights.embedded:
        return ASSETS / info.weights.source
    if is_url(info.weights.source):
        return cached_file(info.weights.source)
    return None


def load_model(
    name: str,
    *,
    weights: str | Path | None = None,
    progress: Progress | None = None,
) -> LoadedModel:
    """A model with its weights, ready to run.

    A safetensors file that describes itself opens as its own model, whatever `name` says. Published
    weights that are not on this machine yet are fetched: see `weights_at_hand` for asking first.

    Args:
        name: A key of MODELS, or the path or https URL of a file that describes itself.
        weights: Path or https URL of a checkpoint; None: the model's own.
        progress: Called with a message and a fraction in [0,1].

    Raises:
        UnknownNameError: There is no such model.
        WeightsError: The checkpoint is missing, unreadable, unsafe or of another model.
        DownloadError: It could not be fetched.
    """
    if name in MODELS:
        return _load(model_info(name), weights, progress or _silent)
    if weights is None and _names_a_file(name):
        return _load(None, name, progress or _silent)
    raise UnknownNameError("model", name[:200], list(MODELS))


def load_info(
    info: ModelInfo, *, weights: str | Path | None = None, progress: Progress | None = None
) -> LoadedModel:
    """As `load_model`, for a model whose facts are at hand.

    Args:
        info: The model, made by the caller.
        weights: Path or https URL of a checkpoint; None: the model's own.
        progress: Called with a message and a fraction in [0,1].

    Raises:
        WeightsError: The checkpoint is missing, unreadable, unsafe or of another model.
        DownloadError: It could not be fetched.
    """
    return _load(info, weights, progress or _silent)


def _load(info: ModelInfo | None, weights: str | Path | None, told: Progress) -> LoadedModel:
    """The model of `info`, or of the file `weights` where that describes itself."""
    path, source = _local_file(info, weights, told)
    told(f"Reading {path.name}", 0.9)
    checkpoint = read_checkpoint(path)
    if is_described(checkpoint.metadata):
        own = describe_model(path, checkpoint.metadata)
        is_itself = info is not None and info.weights.embedded and weights is None
        weights_info = replace(own.weights, source=source, sha256=checkpoint.sha256)
        info = info if is_itself else replace(own, weights=weights_info)
    if info is None:
        raise WeightsError(
            f"The checkpoint {path.name!r} does not say what model it holds. "
            f"Choose a model ({', '.join(MODELS)}) and give the file as its weights."
        )
    # Sizes come from an untrusted file: names and shapes are compared before any memory is taken.
    with torch.device("meta"):
        model = build_model(info)
    report = fill(model, info, checkpoint, source=source)
    told(f"{info.title} is ready", 1.0)
    return LoadedModel(model=model, info=info, report=report)


def _local_file(
    info: ModelInfo | None, weights: str | Path | None, told: Progress
) -> tuple[Path, str]:
    """The checkpoint on this machine, fetched if it has to be, and where it came from."""
    if weights is None:
        assert info is not None  # a file's path would have come in as `weights`
        if info.weights.embedded:
            return ASSETS / info.weights.source, info.weights.source
        wanted: ModelInfo | str = info
        source = info.weights.source
    elif is_url(str(weights)):
        wanted = str(weights)
        source = shown_url(wanted)
    else:
        return Path(weights), Path(weights).name

    def told_bytes(done: int, total: int | None) -> None:
        size = f" of {total / 1e6:,.0f}" if total else ""
        told(f"Fetching {done / 1e6:,.0f}{size} MB", 0.9 * done / total if total else 0.0)

    return fetch(wanted, progress=told_bytes), source


def _names_a_file(name: str) -> bool:
    if is_url(name) or name.endswith((".safetensors", ".pth", ".pt")):
        return True
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # too long for a path, or a zero byte in it
        return False


def _silent(message: str, fraction: float) -> None:
    """No one is listening."""
