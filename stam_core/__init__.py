"""STAM, the Space Time Attention Model: predict actions in a clip and see what drove the answer."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from stam_core.errors import StamError

if TYPE_CHECKING:
    from stam_core.engine import Engine
    from stam_core.explain import EXPLAINERS
    from stam_core.models import list_models

__all__ = ["EXPLAINERS", "Engine", "StamError", "list_models"]
__version__ = "0.3.0"

_HOMES = {"Engine": "engine", "EXPLAINERS": "explain", "list_models": "models"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the public name stands for
    """Load the public names on first use: torch takes seconds, and `--help` needs none of it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
