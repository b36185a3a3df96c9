"""Small models with known weights, and what goes in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from stam_core.models.stam import Stam, StamConfig
from stam_core.models.timesformer import TimeSformer, TimeSformerConfig
from stam_core.record import Subject
from stam_core.train import write_checkpoint
from stam_core.types import ModelInfo, Preprocessing, Scheme, WeightsInfo

CONFIG = StamConfig(
    side=32,
    patch_size=8,
    width=32,
    depth=3,
    heads=4,
    num_frames=4,
    time_depth=2,
    time_feedforward=64,
    num_classes=5,
)

# As little as a STAM can be: for what surrounds a model rather than what is in it.
TINY = StamConfig(
    side=16,
    patch_size=8,
    width=16,
    depth=2,
    heads=2,
    num_frames=4,
    time_depth=2,
    time_heads=2,
    time_feedforward=16,
    num_classes=2,
)


def write_tiny(
    path: Path,
    labels: Sequence[str],
    *,
    preprocessing: Preprocessing | None = None,
    spread: float = 0.0,
    seed: int = 0,
    **sizes: Any,
) -> Path:
    """A checkpoint that describes itself: `TINY` with other `sizes`, random weights.

    The model sees the whole square unless `preprocessing` says otherwise; `spread` is the standard
    deviation of what is added to its first weights, so that its answers differ more.
    """
    config = replace(TINY, num_classes=len(labels), **sizes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Stam(config).requires_grad_(False)
        for parameter in model.parameters():
            parameter.add_(spread * torch.randn(parameter.shape))
    seen = preprocessing or Preprocessing(config.side, config.side)
    write_checkpoint(path, model, labels=tuple(labels), preprocessing=seen, recipe={})
    return path


def toy_stam(config: StamConfig = CONFIG) -> Stam:
    """A STAM whose random weights are large enough that every part of it matters."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = Stam(config).eval().requires_grad_(False)
        for parameter in model.parameters():
            parameter.add_(0.15 * torch.randn(parameter.shape))
    return model


def toy_subject(config: StamConfig = CONFIG) -> Subject:
    """The toy model in front of a random clip."""
    generator = torch.Generator().manual_seed(11)
    x = torch.rand(config.num_frames, 3, config.side, config.side, generator=generator)
    n = config.side // config.patch_size
    return Subject(toy_stam(config), x, (n, n))


def toy_timesformer(scheme: Scheme) -> TimeSformer:
    """A TimeSformer as large as the toy STAM, with the same care."""
    config = TimeSformerConfig(
        scheme=scheme, side=32, patch_size=8, width=32, depth=3, heads=4, num_frames=4,
        num_classes=5,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = TimeSformer(config).eval().requires_grad_(False)
        for parameter in model.parameters():
            parameter.add_(0.15 * torch.randn(parameter.shape))
    return model


SCHEMES: tuple[Scheme, ...] = ("factorised", "divided", "joint", "space")


def toy_model(scheme: Scheme) -> Stam | TimeSformer:
    """The toy of a scheme."""
    return toy_stam() if scheme == "factorised" else toy_timesformer(scheme)


def toy_of(scheme: Scheme) -> Subject:
    """The toy of a scheme in front of the random clip."""
    subject = toy_subject()
    return Subject(toy_model(scheme), subject.x, subject.patch_grid)


def info_of(scheme: Scheme) -> ModelInfo:
    """What is known about the toy of a scheme."""
    return ModelInfo(
        name="toy",
        title="Toy",
        family="stam" if scheme == "factorised" else "timesformer",
        config=toy_model(scheme).config,
        labels=("a", "b", "c", "d", "e"),
        num_frames=4,
        preprocessing=Preprocessing(32, 32),
        sampling="uniform",
        official_fps=None,
        weights=WeightsInfo("none", "none", embedded=True),
        paper="",
        summary="",
    )
