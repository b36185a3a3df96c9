"""What the registries declare -> panels of the page, and what comes back -> checked values.

No method is known by name here: a new one appears by its line in the registry.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from app import text
from stam_core.errors import ParameterError, SamplingError, UnknownNameError
from stam_core.explain import EXPLAINERS, configure, methods_of, parameter_specs
from stam_core.video import SAMPLING_POLICIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stam_core.explain import ParameterSpec
    from stam_core.types import Clip, ModelInfo

Place = Literal["patches", "frames"]  # what a method gives: maps on the frames, bars under them
TITLES: dict[Place, str] = {"patches": text.HEAT, "frames": text.BARS}
# Shown first: the first of these that can speak about the model.
PREFERRED: dict[Place, tuple[str, ...]] = {
    "patches": ("spatial-rollout", "rollout"),
    "frames": ("temporal-attention", "rollout"),
}
SPAN_STEP = 0.1  # seconds
Classes = tuple[int | None, int | None]  # target (None: the predicted one), foil (None: none)
CLASS_NAMES = ("target", "foil")


def methods_for(place: Place, info: ModelInfo | None = None) -> list[str]:
    """Names of the methods that give maps, or bars; only those that can speak about a model."""
    offered = EXPLAINERS if info is None else methods_of(info)
    return [name for name in offered if place in EXPLAINERS[name].info.outputs]


def default_method(place: Place, info: ModelInfo | None = None) -> str:
    """The method shown first."""
    names = methods_for(place, info)
    return next((name for name in PREFERRED[place] if name in names), names[0])


def method_titles() -> dict[str, str]:
    """Each method's title by its name."""
    return {name: method.info.title for name, method in EXPLAINERS.items()}


def method_panel(
    place: Place,
    method: str,
    parameters: Mapping[str, Any],
    info: ModelInfo,
    classes: Classes = (None, None),
) -> dict[str, Any]:
    """The panel that chooses a method, its parameters and the class it speaks about."""
    described = EXPLAINERS[method].info
    return {
        "title": TITLES[place],
        "choice": method,
        "choices": [
            {"name": name, "title": EXPLAINERS[name].info.title}
            for name in methods_for(place, info)
        ],
        "notes": [
            described.summary,
            text.PASSES.format(passes=described.passes),
            described.caveat,
        ],
        "classes": class_controls(classes, info) if described.uses_target else [],
        "parameters": parameter_controls(method, parameters, info),
    }


def parameter_controls(
    method: str, parameters: Mapping[str, Any], info: ModelInfo
) -> list[dict[str, Any]]:
    """A method's parameters, for the page."""
    return [
        _control(spec, parameters.get(spec.name, spec.default))
        for spec in parameter_specs(method, info)
    ]


def class_controls(classes: Classes, info: ModelInfo) -> list[dict[str, Any]]:
    """The class to speak about, and the one it is held against, for the page."""
    labels = [[str(index), label] for index, label in enumerate(info.labels)]
    target, foil = classes
    return [
        _class_control("target", text.TARGET, target, [["", text.PREDICTED_CLASS], *labels], ""),
        _class_control("foil", text.FOIL, foil, [["", text.NO_FOIL], *labels], text.FOIL_HELP),
    ]


def _class_control(
    name: str, label: str, value: int | None, choices: list[list[str]], about: str
) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "kind": "choice",
        "default": "",
        "value": "" if value is None else str(value),
        "choices": choices,
        "help": about,
    }


def read_classes(data: Mapping[str, Any], info: ModelInfo, before: Classes) -> Classes:
    """Target and foil out of what the page sent; `before` where it sent none.

    Raises:
        ParameterError: no such class, or one held against itself.
    """
    sent = data.get("parameters")
    sent = sent if isinstance(sent, dict) else {}
    target, foil = (
        _class_index(sent[name], info) if name in sent else old
        for name, old in zip(CLASS_NAMES, before, strict=True)
    )
    if target is not None and target == foil:
        raise ParameterError(text.SAME_CLASS.format(label=info.labels[target]))
    return target, foil


def _class_index(sent: object, info: ModelInfo) -> int | None:
    if sent == "":
        return None
    known = isinstance(sent, str) and sent.isdecimal() and len(sent) < 7
    if not known or int(str(sent)) >= len(info.labels):
        raise ParameterError(text.NO_CLASS)
    return int(str(sent))


def _control(spec: ParameterSpec, value: object) -> dict[str, Any]:
    return {
        "name": spec.name,
        "label": spec.label,
        "kind": spec.kind,
        "default": spec.default,
        "value": value,
        "minimum": spec.minimum,
        "maximum": spec.maximum,
        "step": spec.step,
        "choices": list(spec.choices),
        "help": spec.help,
    }


def read_method(
    place: Place, data: Mapping[str, Any], info: ModelInfo
) -> tuple[str, dict[str, Any]]:
    """A method and its parameters out of what the page sent, every value checked.

    Raises:
        UnknownNameError: no such method for this place, or no such parameter.
        ParameterError: a value is out of range.
    """
    method = data.get("choice")
    offered = methods_for(place, info)
    if method not in offered:
        raise UnknownNameError("method", str(method)[:80], offered)
    sent = data.get("parameters")
    parameters = dict(sent) if isinstance(sent, dict) else {}
    for name in CLASS_NAMES:  # see `read_classes`
        parameters.pop(name, None)
    configure(EXPLAINERS[method], info, parameters)
    return method, parameters


def sampling_panel(
    policy: str, span: tuple[float, float] | None, clip: Clip, info: ModelInfo
) -> dict[str, Any]:
    """The panel that chooses which frames are taken, for the page."""
    longest = longest_span(clip)
    start, end = span or (0.0, longest)
    bounds = {"kind": "float", "minimum": 0.0, "maximum": longest, "step": SPAN_STEP, "unit": " s"}
    bounds["exact"] = True  # a slider over an hour cannot be put to a second
    return {
        "title": text.SAMPLING_TITLE,
        "choice": policy,
        "choices": [
            {"name": name, "title": entry.title}
            for name, entry in SAMPLING_POLICIES.items()
            if name != "official" or info.official_fps is not None
        ],
        "notes": [SAMPLING_POLICIES[policy].help],
        "parameters": [
            {"name": "start", "label": text.SPAN_START, "default": 0.0, "value": start, **bounds},
            {
                "name": "end",
                "label": text.SPAN_END,
                "default": longest,
                "value": end,
                "help": text.SPAN_HELP,
                **bounds,
            },
        ],
        "keep": True,
    }


def longest_span(clip: Clip) -> float:
    """The clip's length in seconds, rounded up to a step of the slider."""
    return max(SPAN_STEP, math.ceil(clip.info.duration_seconds / SPAN_STEP) * SPAN_STEP)


def read_sampling(
    data: Mapping[str, Any], longest: float
) -> tuple[str, tuple[float, float] | None]:
    """The policy and the span out of what the page sent; a span that covers everything is None.

    Raises:
        UnknownNameError: no such policy.
        SamplingError: the span is empty or no pair of numbers.
    """
    policy = data.get("choice")
    if not isinstance(policy, str) or policy not in SAMPLING_POLICIES:
        raise UnknownNameError("sampling policy", str(policy)[:80], list(SAMPLING_POLICIES))
    sent = data.get("parameters")
    sent = sent if isinstance(sent, dict) else {}
    start, end = sent.get("start", 0.0), sent.get("end", longest)
    for value in (start, end):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value):
            raise SamplingError(text.EMPTY_SPAN)
    if not start < end:
        raise SamplingError(text.EMPTY_SPAN)
    whole = start <= 0 and end >= longest - SPAN_STEP / 2
    return policy, None if whole else (max(0.0, float(start)), float(end))
