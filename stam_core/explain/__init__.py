"""The explanation methods. A new one is one file and one line here."""

from __future__ import annotations

from stam_core.errors import UnknownNameError
from stam_core.explain.attention import SpatialAttention, TemporalAttention
from stam_core.explain.base import (
    Explainer,
    ExplainerInfo,
    ParameterSpec,
    applies,
    configure,
    run,
    specs_of,
)
from stam_core.explain.curves import DecisionCurve
from stam_core.explain.grad_cam import GradCam
from stam_core.explain.gradient_attention import GradientAttention
from stam_core.explain.integrated import EmbeddingGradients, IntegratedGradients
from stam_core.explain.leave_out import Interactions, LeaveOneOut
from stam_core.explain.occlusion import Occlusion
from stam_core.explain.order import OrderReliance
from stam_core.explain.rollout_methods import SpaceTimeRollout, SpatialRollout, TemporalRollout
from stam_core.explain.shapley import Shapley
from stam_core.explain.sufficiency import SufficientFrames
from stam_core.types import ModelInfo

EXPLAINERS: dict[str, type[Explainer]] = {
    "temporal-attention": TemporalAttention,
    "temporal-rollout": TemporalRollout,
    "spatial-attention": SpatialAttention,
    "spatial-rollout": SpatialRollout,
    "rollout": SpaceTimeRollout,
    "gradient-attention": GradientAttention,
    "embedding-gradients": EmbeddingGradients,
    "integrated-gradients": IntegratedGradients,
    "grad-cam": GradCam,
    "occlusion": Occlusion,
    "leave-one-out": LeaveOneOut,
    "shapley": Shapley,
    "interactions": Interactions,
    "sufficient-frames": SufficientFrames,
    "decision-curve": DecisionCurve,
    "order-reliance": OrderReliance,
}


def find_explainer(name: str) -> type[Explainer]:
    """The method called `name`.

    Raises:
        UnknownNameError: None is; the message lists those there are.
    """
    if name not in EXPLAINERS:
        raise UnknownNameError("method", name, list(EXPLAINERS))
    return EXPLAINERS[name]


def methods_of(info: ModelInfo) -> list[str]:
    """Names of the methods that can speak about a model."""
    return [name for name, method in EXPLAINERS.items() if applies(method, info)]


def parameter_specs(method: str, info: ModelInfo) -> list[ParameterSpec]:
    """The parameters of the method called `method`, with limits as they are for that model.

    Raises:
        UnknownNameError: No such method.
        ParameterError: It cannot speak about such a model; see `methods_of`.
    """
    return specs_of(find_explainer(method), info)


__all__ = [
    "EXPLAINERS",
    "Explainer",
    "ExplainerInfo",
    "ParameterSpec",
    "applies",
    "configure",
    "find_explainer",
    "methods_of",
    "parameter_specs",
    "run",
]
