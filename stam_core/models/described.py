"""Checkpoints that describe themselves: a safetensors file's metadata as a ModelInfo, and back.

Keys of the metadata: `family`, and as JSON `config`, `labels` and `preprocessing`.
A file is untrusted: every field is checked before anything is built from it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from stam_core.errors import WeightsError
from stam_core.models.conv_stem import STRIDE
from stam_core.models.stam import StamConfig
from stam_core.models.timesformer import TimeSformerConfig
from stam_core.types import ModelInfo, Preprocessing, WeightsInfo

KEYS = ("family", "config", "labels", "preprocessing")
CONFIGS: dict[str, type[StamConfig] | type[TimeSformerConfig]] = {
    "stam": StamConfig,
    "timesformer": TimeSformerConfig,
}
PAPERS = {"stam": "2103.13915", "timesformer": "2102.05095"}  # arXiv numbers

Record = TypeVar("Record", bound=StamConfig | TimeSformerConfig | Preprocessing)

MAX_LABEL_CHARACTERS = 200
MAX_JSON_CHARACTERS = 4_000_000  # 20,000 labels of full length

# Lowest and highest sane value of every number a file may state.
LIMITS: dict[str, tuple[float, float]] = {
    "side": (8, 1024),
    "resize_side": (8, 2048),
    "patch_size": (1, 128),
    "stem_width": (0, 256),
    "width": (1, 4096),
    "depth": (1, 64),
    "heads": (1, 64),
    "mlp_ratio": (0.25, 16),
    "num_frames": (1, 512),
    "time_depth": (1, 64),
    "time_heads": (1, 64),
    "time_feedforward": (1, 65_536),
    "num_classes": (1, 20_000),
    "dropout": (0, 0.99),
    "mean": (-1, 2),
    "std": (1e-3, 10),
}


def is_described(metadata: Mapping[str, str]) -> bool:
    """Whether a file says what model it holds."""
    return "family" in metadata and "config" in metadata


def describe_model(path: Path, metadata: Mapping[str, str]) -> ModelInfo:
    """The model that a self-describing checkpoint holds, named after its file.

    Raises:
        WeightsError: A field is missing, malformed or out of range; the message names it.
    """
    missing = [key for key in KEYS if key not in metadata]
    if missing:
        raise WeightsError(
            f"The checkpoint {path.name!r} does not say what model it holds: its metadata lacks "
            f"{', '.join(missing)}. Choose a named model and give the file as its weights."
        )
    family = metadata["family"]
    if family not in CONFIGS:
        raise WeightsError(
            f"The checkpoint {path.name!r} holds a model of family {family[:80]!r}; "
            f"known families: {', '.join(CONFIGS)}."
        )
    try:
        config = _read_record(CONFIGS[family], _read_json(metadata, "config"), "config")
        preprocessing = _read_record(
            Preprocessing, _read_json(metadata, "preprocessing"), "preprocessing"
        )
        labels = _read_labels(_read_json(metadata, "labels"), config.num_classes)
        _check_agreement(config, preprocessing)
    except ValueError as error:
        raise WeightsError(
            f"The checkpoint {path.name!r} describes a model that cannot be built: {error}. "
            "Write the file again, or take another one."
        ) from error
    return ModelInfo(
        name=path.stem,
        title=path.stem,
        family=family,
        config=config,
        labels=labels,
        num_frames=config.num_frames,
        preprocessing=preprocessing,
        sampling="uniform",
        official_fps=None,
        weights=WeightsInfo(
            source=path.name,
            licence="not stated",
            embedded=False,
            n_bytes=path.stat().st_size,
        ),
        paper=PAPERS[family],
        summary=f"A checkpoint of yours with {len(labels)} labels; nothing else is known about it.",
    )


def metadata_of(info: ModelInfo) -> dict[str, str]:
    """What to store in a safetensors file so that it opens as `info`'s model."""
    return {
        "family": info.family,
        "config": json.dumps(asdict(info.config)),
        "labels": json.dumps(list(info.labels), ensure_ascii=False),
        "preprocessing": json.dumps(asdict(info.preprocessing)),
    }


def _read_json(metadata: Mapping[str, str], key: str) -> object:
    text = metadata[key]
    if len(text) > MAX_JSON_CHARACTERS:
        raise ValueError(f"{key} is {len(text):,} characters long")
    try:
        values: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{key} is not JSON") from error
    return values


def _read_record(kind: type[Record], values: object, name: str) -> Record:
    """A frozen record from parsed JSON; fields that are absent keep their default."""
    if not isinstance(values, dict):
        raise ValueError(f"{name} is not a JSON object")
    hints = get_type_hints(kind)
    unknown = [str(key)[:40] for key in values if key not in hints]
    if unknown:
        raise ValueError(f"{name} has unknown fields: {', '.join(map(repr, unknown[:8]))}")
    checked: dict[str, Any] = {
        key: _read_field(key, value, hints[key]) for key, value in values.items()
    }
    absent = [field.name for field in fields(kind) if field.name not in checked]
    try:
        return kind(**checked)
    except TypeError as error:
        raise ValueError(f"{name} lacks fields: {', '.join(absent)}") from error


def _read_field(name: str, value: object, hint: object) -> object:
    """`value` if it is of the hinted type and within LIMITS, else ValueError."""
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise ValueError(f"{name} must be one of {get_args(hint)}, not {str(value)[:40]!r}")
        return value
    if get_origin(hint) is tuple:
        wanted = get_args(hint)
        if not isinstance(value, list) or len(value) != len(wanted):
            raise ValueError(f"{name} must be a list of {len(wanted)} numbers")
        return tuple(
            _read_field(name, entry, kind) for entry, kind in zip(value, wanted, strict=True)
        )
    if hint is bool:
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false, not {str(value)[:40]!r}")
        return value
    low, high = LIMITS[name]
    is_number = isinstance(value, int if hint is int else (int, float))
    if isinstance(value, bool) or not is_number or not low <= value <= high:  # type: ignore[operator]
        raise ValueError(
            f"{name} must be {'a whole number' if hint is int else 'a number'} "
            f"from {low:g} to {high:g}, not {str(value)[:40]!r}"
        )
    return value


def _read_labels(values: object, num_classes: int) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError("labels must be a list of strings")
    if len(values) != num_classes:
        raise ValueError(f"there are {len(values):,} labels for {num_classes:,} classes")
    if any(not value.strip() or len(value) > MAX_LABEL_CHARACTERS for value in values):
        raise ValueError(f"every label must have 1 to {MAX_LABEL_CHARACTERS} characters")
    return tuple(values)


def _check_agreement(config: StamConfig | TimeSformerConfig, preprocessing: Preprocessing) -> None:
    if config.side % config.patch_size:
        raise ValueError(f"side {config.side} is not a multiple of patch_size {config.patch_size}")
    if config.stem_width and config.patch_size % STRIDE:
        raise ValueError(
            f"patch_size {config.patch_size} is not a multiple of {STRIDE}, the stem's stride"
        )
    for heads in ("heads", "time_heads"):
        number = getattr(config, heads, 1)  # of a family that has such
        if config.width % number:
            raise ValueError(f"width {config.width} is not a multiple of {heads} {number}")
    if preprocessing.side != config.side:
        raise ValueError(
            f"preprocessing makes {preprocessing.side} px, the model takes {config.side}"
        )
    if preprocessing.fit == "crop" and preprocessing.resize_side < preprocessing.side:
        raise ValueError(
            f"resize_side {preprocessing.resize_side} is smaller than side {preprocessing.side}"
        )
