"""Small models with known weights, and what goes in."""

from __future__ import annotations

import torch

from stam_core.models.stam import Stam, StamConfig
from stam_core.record import Subject

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
