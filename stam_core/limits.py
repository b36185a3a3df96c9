"""How much a video may ask of this machine: one record, its values from STAM_... variables."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from functools import cache
from typing import Any, cast

from stam_core.errors import ParameterError

MIB = 2**20
PREFIX = "STAM_"


def _about(lowest: float, highest: float, unit: str, words: str) -> dict[str, Any]:
    return {"lowest": lowest, "highest": highest, "unit": unit, "help": words}


@dataclass(frozen=True)
class VideoLimits:
    """Bounds on what opening a video may cost; beyond one of them a `VideoError` says so."""

    max_upload_mib: int = field(
        default=50, metadata=_about(1, 100_000, "MiB", "size of a file sent to the app")
    )
    max_seconds: float = field(
        default=4 * 3600.0, metadata=_about(1, 1e6, "seconds", "duration of a video")
    )
    max_side: int = field(
        default=8192, metadata=_about(16, 32_768, "pixels", "longer side of a picture")
    )
    max_pixels: int = field(
        default=8192 * 4608, metadata=_about(256, 2**30, "pixels", "area of a picture")
    )
    max_frames: int = field(
        default=2_000_000, metadata=_about(1, 10**9, "frames", "frames that a video may hold")
    )
    max_decoded_frames: int = field(
        default=100_000,
        metadata=_about(1, 10**9, "frames", "frames decoded on the way to the wanted ones"),
    )
    deadline_seconds: float = field(
        default=30.0, metadata=_about(0.05, 3600, "seconds", "time to open one video, by the clock")
    )
    cpu_seconds: int = field(
        default=60, metadata=_about(1, 36_000, "seconds", "processor time to open one video")
    )
    worker_mib: int = field(
        default=3072, metadata=_about(512, 10**6, "MiB", "address space of a decoding process")
    )
    output_mib: int = field(
        default=256, metadata=_about(1, 16_384, "MiB", "decoded frames of one video")
    )
    workers: int = field(
        default=2, metadata=_about(1, 64, "processes", "videos decoded at the same time")
    )
    worker_clips: int = field(
        default=100, metadata=_about(1, 10**6, "videos", "after which a process is replaced")
    )

    def __post_init__(self) -> None:
        for limit in fields(self):
            value, about = getattr(self, limit.name), limit.metadata
            if not about["lowest"] <= value <= about["highest"]:
                raise ParameterError(
                    f"{variable(limit.name)} must lie between {about['lowest']:g} and "
                    f"{about['highest']:g} {about['unit']}; got {value:g}."
                )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> VideoLimits:
        """The limits as the environment sets them; what it does not mention has its default.

        Args:
            environment: names and values; None: this process's own.

        Raises:
            ParameterError: a value is not a number, or out of range.
        """
        found = os.environ if environment is None else environment
        values: dict[str, Any] = {}  # whole or not, as the field's default is
        for limit in fields(cls):
            text = found.get(variable(limit.name), "").strip()
            if text:
                values[limit.name] = _number(text, _default(limit), variable(limit.name))
        return cls(**values)


@cache
def default_limits() -> VideoLimits:
    """The limits that the environment set when they were first asked for.

    Raises:
        ParameterError: a STAM_... variable is not a number, or out of range.
    """
    return VideoLimits.from_environment()


def variable(name: str) -> str:
    """The environment variable of a limit.

    Args:
        name: of a field of `VideoLimits`.
    """
    return PREFIX + name.upper()


def describe_limits() -> str:
    """One line for each limit, for `--help`: variable, default, unit, meaning."""
    rows = [(variable(limit.name), f"{_default(limit):.9g}") for limit in fields(VideoLimits)]
    wide, deep = (max(len(row[column]) for row in rows) for column in (0, 1))
    return "\n".join(
        f"  {name:<{wide}}  {default:>{deep}} {limit.metadata['unit']}: {limit.metadata['help']}"
        for (name, default), limit in zip(rows, fields(VideoLimits), strict=True)
    )


def _default(limit: Field[Any]) -> float:
    return cast("float", limit.default)


def _number(text: str, default: float, name: str) -> float:
    try:
        value = int(text) if isinstance(default, int) else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        whole = "whole " if isinstance(default, int) else ""
        raise ParameterError(f"{name} must be a {whole}number, for instance {default:g}.")
    return value
