"""What an explanation method is: its parameters are its fields, its `info` says what it claims.

The app's controls, the command line's flags and the docs are drawn from here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast, get_args

from stam_core.errors import ParameterError, UnknownNameError
from stam_core.types import Explanation, ModelInfo, Scheme, Target

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from stam_core.record import Subject

# What a method can give; see `types.Explanation` for their shapes.
Output = Literal["frames", "patches", "pairs", "series"]
EVERY_SCHEME: frozenset[Scheme] = frozenset(get_args(Scheme))
# A limit or list of choices that depends on the model.
ModelSize = Literal["space_layers", "time_layers", "space_heads", "time_heads", "frames"]
CONFIG_FIELD: dict[ModelSize, str] = {
    "space_layers": "depth",
    "time_layers": "time_depth",
    "space_heads": "heads",
    "time_heads": "time_heads",
    "frames": "num_frames",
}


@dataclass(frozen=True)
class ExplainerInfo:
    """What a method gives, what it costs and what its scores do not mean."""

    name: str
    title: str
    summary: str  # one sentence: what the scores are
    paper: str  # author, arXiv number; "" where there is none
    outputs: frozenset[Output]
    signed: bool
    uses_target: bool
    passes: str  # cost, in words
    caveat: str  # what the scores do not mean
    schemes: frozenset[Scheme] = EVERY_SCHEME  # of the models it can speak about
    # Parameters with which it speaks of every frame, where its defaults leave some unmeasured.
    in_full: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter of a method, its limits resolved for one model."""

    name: str
    label: str
    kind: Literal["int", "float", "choice"]
    default: Any
    minimum: float | None
    maximum: float | None
    step: float | None
    choices: tuple[str, ...]
    help: str


def number(
    default: float,
    *,
    label: str,
    help: str,
    minimum: float,
    maximum: float | ModelSize,
    step: float,
    schemes: frozenset[Scheme] = EVERY_SCHEME,
) -> Any:  # noqa: ANN401 - dataclasses.field does the same, so that it fits any field type
    """A numeric parameter of models of these schemes; an int default makes it an integer one."""
    limits = {"minimum": minimum, "maximum": maximum, "step": step}
    about = {"label": label, "help": help, "schemes": schemes}
    return field(default=default, metadata={**about, **limits})


def choice(
    default: str,
    *,
    label: str,
    help: str,
    choices: tuple[str, ...],
    numbered: ModelSize | None = None,
) -> Any:  # noqa: ANN401
    """A parameter with named values, and "1", "2", ... up to a size of the model if `numbered`."""
    metadata = {"label": label, "help": help, "choices": choices, "numbered": numbered}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Scores:
    """What a method computes; `run` makes the Explanation of it."""

    frames: torch.Tensor | None = None  # [T]
    patches: torch.Tensor | None = None  # [T,h,w]
    pairs: torch.Tensor | None = None  # [T,T]
    series: Mapping[str, torch.Tensor] = field(default_factory=dict)  # [n] each
    details: Mapping[str, float] = field(default_factory=dict)
    unattributed: float | None = None
    passes: float = 1.0
    done: float = 1.0  # share of the work that these scores rest on


class Explainer:
    """Base of the methods: a frozen dataclass whose fields are its parameters."""

    info: ClassVar[ExplainerInfo]

    def scores(self, subject: Subject, target: Target | None) -> Scores:
        """Raw scores of one clip; `target` is given where the method uses one."""
        for scores in self.stream(subject, target):
            last = scores
        return last

    def stream(self, subject: Subject, target: Target | None) -> Iterator[Scores]:
        """Partial scores, better and better, the final ones last.

        A method writes `scores`, or this where its answer can grow; what means nothing before it is
        whole may be missing from the parts. Between two of them the model must be as it was,
        without hooks or gradients: others may ask it in the meantime, and nobody may ask on.
        """
        yield self.scores(subject, target)


def applies(method: type[Explainer], info: ModelInfo) -> bool:
    """Whether the method can speak about such a model."""
    return info.scheme in method.info.schemes


def _parameters(method: type[Explainer] | Explainer, scheme: Scheme) -> list[Field[Any]]:
    """The fields of a method that mean something for models of a scheme."""
    return [
        entry
        for entry in fields(cast("Any", method))
        if scheme in entry.metadata.get("schemes", EVERY_SCHEME)
    ]


def _model_size(size: ModelSize, info: ModelInfo) -> int:
    return int(getattr(info.config, CONFIG_FIELD[size]))


def specs_of(method: type[Explainer], info: ModelInfo) -> list[ParameterSpec]:
    """The parameters of `method`, in order, with limits as they are for the model `info`.

    Raises:
        ParameterError: The method cannot speak about such a model.
    """
    if not applies(method, info):
        raise ParameterError(
            f"{method.info.title} follows attention that {info.title!r} does not have (its scheme: "
            f"{info.scheme}). Choose another method, or a model of the scheme "
            f"{' or '.join(sorted(method.info.schemes))}."
        )
    specs = []
    for entry in _parameters(method, info.scheme):
        meta = entry.metadata
        choices: tuple[str, ...] = meta.get("choices", ())
        if meta.get("numbered"):
            count = _model_size(meta["numbered"], info)
            choices += tuple(str(i + 1) for i in range(count))
        maximum = meta.get("maximum")
        if isinstance(maximum, str):
            maximum = _model_size(cast("ModelSize", maximum), info)
        default = None if entry.default is MISSING else entry.default
        kind: Literal["int", "float", "choice"] = (
            "choice" if choices else "int" if isinstance(default, int) else "float"
        )
        specs.append(
            ParameterSpec(
                entry.name, meta["label"], kind, default, meta.get("minimum"), maximum,
                meta.get("step"), choices, meta["help"],
            )
        )  # fmt: skip
    return specs


def checked(spec: ParameterSpec, value: object) -> Any:  # noqa: ANN401 - int, float or str by kind
    """The value in the parameter's own type.

    Raises:
        ParameterError: Not a number, not finite, out of range, or not one of the choices.
    """
    if spec.kind == "choice":
        if str(value) not in spec.choices:
            raise UnknownNameError(f"{spec.name} setting", value, list(spec.choices))
        return str(value)
    low, high = spec.minimum, spec.maximum
    wanted = f"{spec.name} must be a number from {low:g} to {high:g}"
    try:
        given = float(cast("Any", value))
    except (TypeError, ValueError, OverflowError):
        raise ParameterError(f"{wanted}, not {value!r}.") from None
    whole = spec.kind == "float" or given == math.floor(given) if math.isfinite(given) else False
    if not whole or not cast("float", low) <= given <= cast("float", high):
        kind = " (a whole number)" if spec.kind == "int" else ""
        raise ParameterError(f"{wanted}{kind}, not {given:g}.")
    return int(given) if spec.kind == "int" else given


def configure(method: type[Explainer], info: ModelInfo, parameters: dict[str, Any]) -> Explainer:
    """The method with its parameters checked against the model.

    Raises:
        ParameterError: A value is out of range, or the method is not for such a model.
        UnknownNameError: No parameter of that name.
    """
    specs = {spec.name: spec for spec in specs_of(method, info)}
    for name in parameters:
        if name not in specs:
            raise UnknownNameError(f"parameter of {method.info.name}", name, list(specs))
    return method(**{name: checked(specs[name], value) for name, value in parameters.items()})


def run(explainer: Explainer, subject: Subject, target: Target | None) -> Explanation:
    """Compute the scores and set down what they are."""
    started, passes = time.perf_counter(), subject.meter.passes
    scores = explainer.scores(subject, target)
    return set_down(
        explainer,
        scores,
        target,
        scheme=subject.scheme,
        seconds=time.perf_counter() - started,
        passes=subject.meter.passes - passes,
    )


def set_down(
    explainer: Explainer,
    scores: Scores,
    target: Target | None,
    *,
    scheme: Scheme,
    seconds: float,
    passes: float = 0.0,
) -> Explanation:
    """The scores of one method as the record that leaves the core.

    Args:
        explainer: The method.
        scores: What it said.
        target: The class asked about; dropped where the method uses none.
        scheme: Of the model.
        seconds: What it took.
        passes: Of the whole model, beyond those that the scores speak of.
    """
    if not explainer.info.uses_target:
        target = None
    return Explanation(
        method=explainer.info.name,
        target=None if target is None else target.index,
        foil=None if target is None else target.foil,
        frames=_array(scores.frames),
        patches=_array(scores.patches),
        pairs=_array(scores.pairs),
        series={name: _as_array(row) for name, row in scores.series.items()},
        details=dict(scores.details),
        signed=explainer.info.signed,
        unattributed=scores.unattributed,
        parameters={
            entry.name: getattr(explainer, entry.name) for entry in _parameters(explainer, scheme)
        },
        passes=scores.passes + passes,
        seconds=seconds,
        done=scores.done,
    )


def _array(scores: torch.Tensor | None) -> NDArray[np.float32] | None:
    return None if scores is None else _as_array(scores)


def _as_array(scores: torch.Tensor) -> NDArray[np.float32]:
    return scores.detach().float().cpu().numpy()
