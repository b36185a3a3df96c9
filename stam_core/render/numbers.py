"""Every number behind a picture, as plain JSON."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from stam_core.render.evidence import Evidence
    from stam_core.types import Clip, Explanation, ModelInfo, Prediction

FORMAT = 1  # grows when a key changes its meaning
PACKAGES = ("torch", "torchvision", "timm", "numpy", "matplotlib", "decord", "av")
# Any: JSON values nest without end, which a type can only say at the price of casts everywhere.
Json = dict[str, Any]


def numbers(evidence: Evidence, *, weights_digest: str | None = None) -> Json:
    """All figures of one explained clip, ready for `json.dumps(..., allow_nan=False)`.

    Args:
        evidence: the clip, the prediction and (optional) the scores.
        weights_digest: SHA-256 of the weights that were used, where known.

    Returns:
        Nested dicts, lists, strings and finite numbers; null where a number was not finite.
    """
    scores = evidence.explanation
    result: Json = {
        "format": FORMAT,
        "clip": {"name": evidence.clip_name, **clip_numbers(evidence.clip)},
        "model": model_numbers(evidence.model, weights_digest=weights_digest),
        "crop_box": asdict(evidence.crop_box),
        "prediction": prediction_numbers(evidence.prediction),
        "explanation": None,
        "versions": versions(),
    }
    if scores is not None:
        result["explanation"] = {
            **explanation_numbers(scores),
            "title": evidence.method_title,
            "target_label": evidence.target_label,
            "foil_label": evidence.foil_label,
            "caveat": evidence.caveat,
        }
    if evidence.bars is not None:
        result["bars"] = {
            **explanation_numbers(evidence.bars),
            "title": evidence.bars_title,
            "target_label": evidence.label(evidence.bars.target),
            "foil_label": evidence.label(evidence.bars.foil),
        }
    return _ready_dict(result)


def clip_numbers(clip: Clip) -> Json:
    """Which frames were seen, when they were, and what the file is."""
    return _ready_dict(
        {
            "digest": clip.digest,
            "frame_indices": clip.frame_indices,
            "seconds": clip.seconds,
            "notes": clip.notes,
            "video": asdict(clip.info),
        }
    )


def model_numbers(info: ModelInfo, *, weights_digest: str | None = None) -> Json:
    """Which model, with which weights, and how frames were prepared for it."""
    config = info.config
    return _ready_dict(
        {
            "name": info.name,
            "title": info.title,
            "family": info.family,
            "paper": info.paper,
            "num_frames": info.num_frames,
            "patch_grid": info.patch_grid,
            "published": info.published,
            "config": asdict(config)
            if is_dataclass(config) and not isinstance(config, type)
            else {},
            "preprocessing": asdict(info.preprocessing),
            "weights": {**asdict(info.weights), "sha256_used": weights_digest},
        }
    )


def prediction_numbers(prediction: Prediction) -> Json:
    """Every class with its logit and probability, in the model's order, and the likeliest five."""
    return _ready_dict(
        {
            "top": [
                {"label": label, "probability": probability}
                for label, probability in prediction.top(5)
            ],
            "labels": prediction.labels,
            "logits": prediction.logits,
            "probabilities": prediction.probabilities,
        }
    )


def explanation_numbers(explanation: Explanation) -> Json:
    """The raw scores and how they were made; `frames` [T] and `patches` [T,h,w] or null."""
    return _ready_dict(
        {entry.name: getattr(explanation, entry.name) for entry in fields(explanation)}
    )


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that can change a number."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue  # decord has no wheel for some machines
    return found


def _ready_dict(entries: Mapping[str, Any]) -> Json:
    return {str(key): json_ready(entry) for key, entry in entries.items()}


def json_ready(value: object) -> object:
    """Arrays to lists, tuples to lists, keys to strings, numbers that are not finite to null."""
    if isinstance(value, Mapping):
        return _ready_dict(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [json_ready(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return json_ready(value.tolist())
    if isinstance(value, np.generic):
        return json_ready(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value)
