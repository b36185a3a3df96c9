"""How good a model is: on freshly rendered clips, or on a folder or list of anybody's clips."""

from __future__ import annotations

from stam_core.evaluate.clips import evaluate_clips
from stam_core.evaluate.errors import EvaluationError
from stam_core.evaluate.protocol import PROTOCOLS
from stam_core.evaluate.rendered import evaluate_rendered, reversed_label, to_input
from stam_core.evaluate.scores import ClassScore, ClipResult, EvaluationReport
from stam_core.evaluate.settings import Settings

__all__ = [
    "PROTOCOLS",
    "ClassScore",
    "ClipResult",
    "EvaluationError",
    "EvaluationReport",
    "Settings",
    "evaluate_clips",
    "evaluate_rendered",
    "reversed_label",
    "to_input",
]
