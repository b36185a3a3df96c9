"""STAM, the Space Time Attention Model: predict actions in a clip and see what drove the answer."""

from __future__ import annotations

from stam_core.engine import Engine
from stam_core.errors import StamError
from stam_core.explain import EXPLAINERS
from stam_core.models import list_models

__all__ = ["EXPLAINERS", "Engine", "StamError", "list_models"]
__version__ = "0.1.0"
