"""What may be compared, and what a side asks of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.explained import Ask
from stam_core.explain import EXPLAINERS, methods_of

if TYPE_CHECKING:
    from app.visit import Visit
    from stam_core.types import ModelInfo


def methods_to_compare(info: ModelInfo | None = None) -> list[str]:
    """The methods that score frames or patches; only those that can speak about a model."""
    offered = EXPLAINERS if info is None else methods_of(info)
    return [name for name in offered if EXPLAINERS[name].info.outputs & {"frames", "patches"}]


def side_ask(side: Visit) -> Ask:
    """A side's method with its parameters and, where it uses any, its classes."""
    if not EXPLAINERS[side.heat].info.uses_target:
        return Ask(side.heat, side.heat_parameters)
    return Ask(side.heat, side.heat_parameters, side.target, side.foil)
