"""Records of the core -> what the page draws, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app import text
from stam_core.render.strip_data import (
    LONGEST_SIDE,
    SPRITE_BYTES,
    SPRITE_PIXELS,
    bars_payload,
    clip_payload,
    frames_picture,
    heat_payload,
    is_share,
    palettes,
    scores_payload,
    thumbnail,
)

if TYPE_CHECKING:
    from stam_core.types import ModelInfo, Prediction

__all__ = [
    "LONGEST_SIDE",
    "SPRITE_BYTES",
    "SPRITE_PIXELS",
    "bars_payload",
    "clip_payload",
    "frames_picture",
    "heat_payload",
    "is_share",
    "palettes",
    "prediction_payload",
    "scores_payload",
    "thumbnail",
]

TOP = 5


def prediction_payload(prediction: Prediction, info: ModelInfo) -> dict[str, Any]:
    """The likeliest labels with their probabilities."""
    return {
        "rows": [
            {"label": label, "probability": probability}
            for label, probability in prediction.top(TOP)
        ],
        "note": text.PREDICTION_NOTE.format(model=info.title, classes=len(info.labels)),
    }
