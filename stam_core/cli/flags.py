"""Flags drawn from the registry of methods: a new method needs no line here."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stam_core.errors import UnknownNameError
from stam_core.render.repeat import parameter_flag

if TYPE_CHECKING:
    from stam_core.explain import ParameterSpec
    from stam_core.types import ModelInfo

DEFAULT_MODEL = "stam-actions"
DEFAULT_METHOD = "rollout"
FALLBACK_MODEL = "stam-16"  # known without any file


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
    # Under a name of its own: `explain` has a --scale too, that of the colours.
    group.add_argument(
        parameter_flag(spec.name),
        dest=f"parameter_{spec.name}",
        default=argparse.SUPPRESS,
        help=words,
        **look,
    )
