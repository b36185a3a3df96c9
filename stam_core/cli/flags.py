"""Flags drawn from registries and records: a new method or training option needs no line here."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from stam_core.errors import UnknownNameError

if TYPE_CHECKING:
    from stam_core.explain import ParameterSpec
    from stam_core.types import ModelInfo

DEFAULT_MODEL = "stam-actions"
DEFAULT_METHOD = "rollout"
FALLBACK_MODEL = "stam-16"  # known without any file

TRAIN_HELP = {
    "out": "the checkpoint to write; its figures go beside it as JSON",
    "seed": "of the rendered clips, the first weights and the order",
    "clips": "rendered clips of the full variety",
    "plain_clips": "rendered clips before plain walls, for the beginning",
    "space_steps": "steps that teach the spatial stage where joints are",
    "time_steps": "steps that teach the temporal stage actions",
    "joint_steps": "steps of both stages together",
    "batch_frames": "frames per step of the spatial stage",
    "batch_clips": "clips per step of the temporal stage",
    "evaluation_clips": "held-out clips after each stage",
    "threads": "CPU threads; each holds its own part of a batch (one per core)",
    "workers": "processes that render",
    "device": "cpu or cuda",
    "precision": "number format of the forward passes",
    "work": "folder of rendered clips and unfinished stages (beside the checkpoint)",
}


def add_train_flags(parser: argparse.ArgumentParser) -> None:
    """One flag per field of the training's options."""
    from stam_core.train import TrainOptions

    types = get_type_hints(TrainOptions)
    for entry in fields(TrainOptions):
        if entry.default is MISSING or entry.name == "config":
            continue  # the model's shape is code, not an option
        kind = types[entry.name]
        words = TRAIN_HELP.get(entry.name, "")
        parser.add_argument(
            _flag(entry.name),
            default=argparse.SUPPRESS,
            metavar=_metavar(kind),
            help=words if entry.default is None else f"{words} ({entry.default})".strip(),
            **_conversion(kind),
        )


def _metavar(kind: Any) -> str | None:  # noqa: ANN401 - a type form, not always a class
    return None if get_origin(kind) is Literal else _plain_type(kind).__name__.upper()


def _conversion(kind: Any) -> dict[str, Any]:  # noqa: ANN401 - a type form, not always a class
    """How argparse turns the text of a flag into a field of that type."""
    if get_origin(kind) is Literal:
        return {"choices": get_args(kind)}
    return {"type": _plain_type(kind)}


def _plain_type(kind: Any) -> type:  # noqa: ANN401 - a type form, not always a class
    """`int` for `int` and for `int | None`."""
    options = [entry for entry in get_args(kind) or (kind,) if entry is not type(None)]
    found: type = options[0]
    return found


def add_method_flags(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> str:
    """Add the flags of the method that the line names, with the limits of the model it names.

    Returns:
        The method's name.

    Raises:
        UnknownNameError: There is no such method.
        WeightsError: The checkpoint that the line names cannot be read.
    """
    from stam_core.explain import EXPLAINERS, parameter_specs

    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument("--method", nargs="?", default=DEFAULT_METHOD)
    first.add_argument("--model", nargs="?", default=DEFAULT_MODEL)
    first.add_argument("--weights", nargs="?")
    known, _ = first.parse_known_args(list(arguments))
    method = known.method or DEFAULT_METHOD
    if method not in EXPLAINERS:
        raise UnknownNameError("method", method, list(EXPLAINERS))
    specs = parameter_specs(method, _model_for_limits(known.model, known.weights))
    about = EXPLAINERS[method].info
    group = parser.add_argument_group(
        f"{about.name} ({about.title})",
        f"{about.summary} Cost: {about.passes}. {about.caveat}".replace("%", "%%"),
    )
    for spec in specs:
        _add_parameter(group, spec)
    parser.set_defaults(parameter_names=[spec.name for spec in specs])
    return about.name


def _model_for_limits(model: str | None, weights: str | None) -> ModelInfo:
    """The model that sets the flags' limits: that of a file which describes itself, or the named.

    Where neither can be told (an address not fetched yet, a name that does not exist) any model
    serves for the help; the engine checks every value once more.
    """
    from stam_core.models import MODELS, list_models, model_info
    from stam_core.models.checkpoint import read_metadata
    from stam_core.models.described import describe_model, is_described

    for file in (weights, None if model in MODELS else model):
        if file is not None and Path(file).is_file():
            metadata = read_metadata(Path(file))
            if is_described(metadata):
                return describe_model(Path(file), metadata)
    infos = {info.name: info for info in list_models()}
    return infos.get(model or "") or infos.get(DEFAULT_MODEL) or model_info(FALLBACK_MODEL)


def _add_parameter(group: Any, spec: ParameterSpec) -> None:  # noqa: ANN401 - argparse's group type is private
    about = spec.help.rstrip(".")
    look: dict[str, Any]
    if spec.kind == "choice":
        look = {"choices": spec.choices, "type": str}
        limits = ""
    else:
        look = {"type": int if spec.kind == "int" else float, "metavar": spec.kind.upper()}
        limits = f"{spec.minimum:g} to {spec.maximum:g}, "
    words = f"{about} ({limits}default {spec.default})".replace("%", "%%")
    group.add_argument(_flag(spec.name), default=argparse.SUPPRESS, help=words, **look)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
