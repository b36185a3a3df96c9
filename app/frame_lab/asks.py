"""What the frame lab asks of the registry's methods, as its choices stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.explained import Ask
from stam_core.explain import EXPLAINERS, methods_of, parameter_specs

if TYPE_CHECKING:
    from app.frame_lab.state import Lab
    from stam_core.types import ModelInfo

# Rows of "attention against effect", attention first. Those the registry does not have are left
# out. The slow one comes last, in parts; all the others are there within a second.
ROWS = (
    "temporal-attention",
    "temporal-rollout",
    "embedding-gradients",
    "leave-one-out",
    "shapley",
)
DECISION = "decision-curve"
ORDER = "order-reliance"
SUFFICIENT = "sufficient-frames"


def rows_of(info: ModelInfo) -> list[str]:
    """The rows that can speak about a model."""
    offered = methods_of(info)
    return [name for name in ROWS if name in offered]


def lab_ask(info: ModelInfo, lab: Lab, name: str) -> Ask:
    """A method asked as the lab stands; it is given those settings that it has."""
    known = {spec.name for spec in parameter_specs(name, info)}
    settings: dict[str, Any] = {"removal": lab.removal, "places": lab.places}
    if name in (DECISION, ORDER):
        settings["scale"] = "probability"
    used = {key: value for key, value in settings.items() if key in known}
    aimed = EXPLAINERS[name].info.uses_target
    target, foil = (lab.target, lab.foil) if aimed else (None, None)
    return Ask(name, used, target, foil)
