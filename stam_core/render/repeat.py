"""The same question again: as lines of Python and as a command line, ready to copy.

Clip names and labels are untrusted: Python gets them by `repr`, the shell by `shlex.quote`.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

DEFAULT_MODEL = "stam-actions"
OUT = "results"
# What `explain` understands itself; a method's parameter of such a name gets "method-" before it.
EXPLAIN_FLAGS = frozenset(
    (
        "clips", "colours", "decoding", "device", "download", "dtype", "figure", "floor", "foil",
        "gif", "help",
        "json", "list", "method", "model", "opacity", "out", "report", "sampling", "scale",
        "smoothing", "span", "target", "verbose", "weights",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Question:
    """What was asked of the engine."""

    clip: str  # a path, or a file's name; untrusted text
    model: str = DEFAULT_MODEL
    weights: str | None = None  # a checkpoint in place of the model's own
    sampling: str | None = None  # None: the model's default
    span_seconds: tuple[float, float] | None = None
    method: str = "rollout"
    target: str | None = None  # a label; None: the predicted class, or the method knows no class
    foil: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


def python_lines(question: Question) -> str:
    """Lines that give the same scores in Python."""
    engine = [repr(question.model)]
    if question.weights is not None:
        engine.append(f"weights={question.weights!r}")
    clip = [repr(question.clip)]
    if question.sampling is not None:
        clip.append(f"sampling={question.sampling!r}")
    if question.span_seconds is not None:
        clip.append(f"span_seconds={question.span_seconds!r}")
    asked = [f"method={question.method!r}"]
    asked += [f"{name}={value!r}" for name, value in _classes(question).items()]
    asked += [f"{name}={value!r}" for name, value in question.parameters.items()]
    return "\n".join(
        (
            "from stam_core import Engine",
            "",
            f"engine = Engine({', '.join(engine)})",
            f"clip = engine.open({', '.join(clip)})",
            "prediction = engine.predict(clip)",
            f"explanation = engine.explain(clip, {', '.join(asked)})",
            "print(prediction.top(5), explanation)",
        )
    )


def command_line(question: Question, *, out: str = OUT) -> str:
    """One line that writes the same scores, with their pictures, into a folder."""
    words = ["python", "-m", "stam_core", "explain", "--method", question.method]
    if question.model != DEFAULT_MODEL:
        words += ["--model", question.model]
    if question.weights is not None:
        words += ["--weights", question.weights]
    if question.sampling is not None:
        words += ["--sampling", question.sampling]
    if question.span_seconds is not None:
        words += ["--span", *(f"{seconds:g}" for seconds in question.span_seconds)]
    # Joined, so that a value with a dash at its beginning is not taken for a flag.
    words += [f"--{name}={label}" for name, label in _classes(question).items()]
    words += [f"{parameter_flag(name)}={value}" for name, value in question.parameters.items()]
    words += ["--out", out]
    return shlex.join([*words, "--", question.clip])


def parameter_flag(name: str) -> str:
    """The flag of `explain` that sets a method's parameter."""
    flag = name.replace("_", "-")
    return f"--method-{flag}" if name in EXPLAIN_FLAGS else f"--{flag}"


def bare_name(clip_name: str) -> str:
    """A clip's name without its folders, which are private."""
    return PurePath(clip_name).name or clip_name


def _classes(question: Question) -> dict[str, str]:
    named = {"target": question.target, "foil": question.foil}
    return {name: label for name, label in named.items() if label is not None}
