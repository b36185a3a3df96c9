"""Filling a model from a checkpoint: every name and shape checked, nothing skipped in silence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from stam_core.errors import WeightsError
from stam_core.models import stam_official, timesformer_official
from stam_core.models.checkpoint import Checkpoint, Format
from stam_core.types import ModelInfo

SHOWN = 8  # names listed in a message before "and N more"


@dataclass(frozen=True)
class LoadReport:
    """Where a model's weights came from and what had to be done to load them."""

    source: str  # the URL, or the file's name
    path: Path
    sha256: str  # of the file
    n_bytes: int
    format: Format
    notes: tuple[str, ...] = ()  # sentences for the person: biases taken as zero, converted numbers


def fill(model: nn.Module, info: ModelInfo, checkpoint: Checkpoint, *, source: str) -> LoadReport:
    """Put a checkpoint's tensors into `model`, as float32 copies.

    Args:
        model: `info`'s model; its own tensors are replaced, so it may lie on the `meta` device.
        info: The model the file is meant for.
        checkpoint: The file as read.
        source: Where the file came from, for the report.

    Raises:
        WeightsError: Names are missing or unexpected, shapes or number types differ, or a number is
            not finite.
    """
    state, notes = _our_names(checkpoint, info)
    wanted = {name: tensor.shape for name, tensor in model.state_dict().items()}
    _check_names(state, wanted, checkpoint, info)
    converted = {tensor.dtype for tensor in state.values()} - {torch.float32}
    if converted:
        kinds = ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in converted))
        notes += (f"Numbers of type {kinds} converted to float32.",)
    copies = {name: _float_copy(name, state[name], checkpoint) for name in wanted}
    model.load_state_dict(copies, assign=True)
    return LoadReport(
        source=source,
        path=checkpoint.path,
        sha256=checkpoint.sha256,
        n_bytes=checkpoint.n_bytes,
        format=checkpoint.format,
        notes=checkpoint.notes + notes,
    )


def _our_names(
    checkpoint: Checkpoint, info: ModelInfo
) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    if info.family == "stam" and stam_official.is_official(checkpoint.tensors):
        return stam_official.from_official(checkpoint.tensors, info.config)
    if info.family == "timesformer":
        return timesformer_official.from_published(checkpoint.tensors)
    return checkpoint.tensors, ()


def _shown_name(checkpoint: Checkpoint, info: ModelInfo) -> Callable[[str], str]:
    """From our name of a weight to the one it has in the file, for messages."""
    if info.family == "stam" and stam_official.is_official(checkpoint.tensors):
        return stam_official.official_name
    if info.family == "timesformer" and timesformer_official.is_hugging_face(checkpoint.tensors):
        return timesformer_official.hugging_face_name
    return str


def _float_copy(name: str, tensor: torch.Tensor, checkpoint: Checkpoint) -> torch.Tensor:
    """An ordinary float32 tensor of its own memory: the file may be mapped, shared or strided."""
    if not tensor.is_floating_point():
        raise WeightsError(
            f"The checkpoint {checkpoint.path.name!r} stores {name!r} as {tensor.dtype}; "
            "weights must be floating-point numbers. Take a file that was not quantised."
        )
    copy = torch.empty(tensor.shape, dtype=torch.float32).copy_(tensor)
    # One sum nearly always shows that all is well, in a tenth of the time of looking at each.
    if not torch.isfinite(copy.sum()) and not torch.isfinite(copy).all():
        raise WeightsError(
            f"The checkpoint {checkpoint.path.name!r} holds numbers that are not finite, first in "
            f"{name!r}. Its training broke down or the file is damaged; choose another one."
        )
    return copy


def _check_names(
    state: Mapping[str, torch.Tensor],
    wanted: Mapping[str, torch.Size],
    checkpoint: Checkpoint,
    info: ModelInfo,
) -> None:
    """Raise one message that names everything that does not fit."""
    shown = _shown_name(checkpoint, info)
    missing = [shown(name) for name in wanted if name not in state]
    unexpected = [shown(name) for name in state if name not in wanted]
    misshaped = [
        f"{shown(name)} {list(state[name].shape)} instead of {list(shape)}"
        for name, shape in wanted.items()
        if name in state and state[name].shape != shape
    ]
    if not (missing or unexpected or misshaped):
        return
    parts = [
        f"{len(names):,} {what}: {_listed(names)}"
        for what, names in (
            ("of another shape", misshaped),
            ("missing", missing),
            ("unexpected", unexpected),
        )
        if names
    ]
    raise WeightsError(
        f"The checkpoint {checkpoint.path.name!r} does not belong to {info.name}. "
        f"{'; '.join(parts)}. {_suggestion(state, info)}"
    )


def _listed(names: list[str]) -> str:
    text = ", ".join(name[:120] for name in names[:SHOWN])
    return text if len(names) <= SHOWN else f"{text} and {len(names) - SHOWN:,} more"


def _suggestion(state: Mapping[str, torch.Tensor], info: ModelInfo) -> str:
    """What to do next: which model the sizes in the file speak for."""
    if info.family == "stam" and (sizes := _stam_sizes(state)):
        frames, classes, width = sizes
        text = (
            f"Its sizes are those of a STAM of {frames} frames, {classes} classes and width {width}"
        )
        if (classes, width) == (400, 768) and frames in (8, 16, 32, 64):
            return f"{text}: choose stam-{frames}." if frames != info.num_frames else f"{text}."
        return f"{text}; choose the model it was made for."
    if info.family == "timesformer" and (told := _timesformer_sizes(state)):
        return f"Its sizes are those of a TimeSformer of {told}; choose the model it was made for."
    if len(prefixes := {name.removeprefix("spatial.").split(".")[0] for name in state}) == 1:
        prefix = prefixes.pop()[:40]
        return f"Every name begins with {prefix!r}: save the state without that prefix."
    return "Choose the model it was made for, or another file."


def _stam_sizes(state: Mapping[str, torch.Tensor]) -> tuple[int, int, int] | None:
    """(frames, classes, width) that a state's own shapes speak of, or None where it is no STAM."""
    positions, head = state.get("temporal.pos_embed"), state.get("head.weight")
    if positions is None or head is None or positions.ndim != 3 or head.ndim != 2:
        return None
    return positions.shape[1] - 1, head.shape[0], head.shape[1]


def _timesformer_sizes(state: Mapping[str, torch.Tensor]) -> str | None:
    """The sizes that a state's own shapes speak of, or None where it is no TimeSformer."""
    places, head = state.get("pos_embed"), state.get("head.weight")
    if places is None or head is None or places.ndim != 3 or head.ndim != 2:
        return None
    told = f"{places.shape[1] - 1:,} patches, {head.shape[0]:,} classes, width {head.shape[1]:,}"
    times = state.get("time_embed")
    if times is None or times.ndim != 3:
        return f"space-only attention, {told}"
    divided = any(".temporal_attn." in name for name in state)
    scheme = "divided" if divided else "joint"
    return f"{scheme} attention, {times.shape[1]:,} frames, {told}"
