"""The explanation methods. A new one is one file and one line here."""

from __future__ import annotations

from stam_core.errors import UnknownNameError
from stam_core.explain.attention import SpatialAttention, TemporalAttention
from stam_core.explain.base import (
    Explainer,
    ExplainerInfo,
    ParameterSpec,
    configure,
    run,
    specs_of,
)
from stam_core.explain.rollout import SpaceTimeRollout, SpatialRollout, TemporalRollout
from stam_core.types import ModelInfo

EXPLAINERS: dict[str, type[Explainer]] = {
    "temporal-attention": TemporalAttention,
    "temporal-rollout": TemporalRollout,
    "spatial-attention": SpatialAttention,
    "spatial-rollout": SpatialRollout,
    "rollout": SpaceTimeRollout,
}


def find_explainer(name: str) -> type[Explainer]:
    """The method called `name`.

    Raises:
        UnknownNameError: None is; the message lists those there are.
    """
    if name not in EXPLAINERS:
        raise UnknownNameError("method", name, list(EXPLAINERS))
    return EXPLAINERS[name]


def parameter_specs(method: str, info: ModelInfo) -> list[ParameterSpec]:
    """The parameters of the method called `method`, with limits as they are for that model."""
    return specs_of(find_explainer(method), info)


__all__ = [
    "EXPLAINERS",
    "Explainer",
    "ExplainerInfo",
    "ParameterSpec",
    "configure",
    "find_explainer",
    "parameter_specs",
    "run",
]
