"""The same question again: as lines of Python and as a command line, ready to copy.

Clip names and labels are untrusted: Python gets them by `repr`, the shell by `shlex.quote`.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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


@dataclass(frozen=True)
class EditQuestion:
    """An edited clip, and what was measured of the clip as opened."""

    about: Question  # its clip, model, classes; its method and parameters are not looked at
    places: Sequence[tuple[int, int, bool]]  # clip (0 or 1), frame from 0, kept
    second: str | None = None  # the second clip, where the places have frames of one
    removal: str = "drop"
    positions: str = "keep"
    methods: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # with their parameters


def python_lines(question: Question) -> str:
    """Lines that give the same scores in Python."""
    return "\n".join(
        (
            "from stam_core import Engine",
            "",
            f"engine = {_engine(question)}",
            f"clip = engine.open({_clip(question)})",
            "prediction = engine.predict(clip)",
            f"explanation = engine.explain(clip, {_asked(question)})",
            "print(prediction.top(5), explanation)",
        )
    )


def edited_python_lines(question: EditQuestion) -> str:
    """Lines that give both answers and the same rows and curves in Python."""
    about = question.about
    opened = [f"engine.open({_clip(about)})"]
    if question.second is not None:
        whole = replace(about, clip=question.second, span_seconds=None)
        opened.append(f"engine.open({_clip(whole)})")
    named = "".join(f", {name}={value!r}" for name, value in _classes(about).items())
    return "\n".join(
        (
            "from stam_core import Engine",
            "from stam_core.edits import Edit, Slot",
            "",
            f"engine = {_engine(about)}",
            f"clips = [{', '.join(opened)}]",
            "# Of each place in time: which frame stands there, of which clip, whether it stays.",
            "slots = (",
            *(f"    {_slot(*place)}," for place in question.places),
            ")",
            f"edit = Edit(slots, removal={question.removal!r}, places={question.positions!r})",
            "original, edited = engine.predict(clips[0]), engine.assemble(clips, edit)",
            "for index, label in enumerate(original.labels):",
            "    before, after = original.probabilities[index], edited.probabilities[index]",
            '    print(f"{label}: {before:.1%} -> {after:.1%}")',
            "methods = {",
            *(f"    {name!r}: {dict(used)!r}," for name, used in question.methods.items()),
            "}",
            "for method, parameters in methods.items():  # of the clip as opened",
            f"    found = engine.explain(clips[0], method=method{named}, **parameters)",
            "    print(method, found.frames, found.series, found.details)",
        )
    )


def compared_python_lines(left: Question, right: Question) -> str:
    """Lines that give both sides' scores, what their rankings are worth and how far they agree."""
    lines = [
        "from stam_core import Engine",
        "from stam_core.metrics import compare, frame_faithfulness",
        "",
    ]
    for name, question in (("left", left), ("right", right)):
        classes = "".join(f", {key}={label!r}" for key, label in _classes(question).items())
        lines += [
            f"engine = {_engine(question)}",
            f"{name}_clip = engine.open({_clip(question)})",
            f"{name} = engine.explain({name}_clip, {_asked(question)})",
            f"print({name!r}, engine.predict({name}_clip).top(1), {name})",
            f"if {name}.frames is not None:  # does the answer follow this ranking of the frames?",
            f"    asked = engine.target({name}_clip{classes})",
            f"    with engine.subject({name}_clip) as subject:",
            f"        print(frame_faithfulness(subject, asked, {name}.frames).sentence)",
        ]
    lines += [
        'for places in ("frames", "patches"):',
        "    a, b = getattr(left, places), getattr(right, places)",
        "    known = a is not None and b is not None and a.shape == b.shape",
        "    if known and left_clip.digest == right_clip.digest:",
        "        print(compare(a, b, places=places).sentence)",
    ]
    return "\n".join(lines)


def _slot(clip: int, frame: int, kept: bool) -> str:
    more = [f"clip={clip}"] if clip else []
    more += [] if kept else ["kept=False"]
    return f"Slot({', '.join([str(frame), *more])})"


def _engine(question: Question) -> str:
    words = [repr(question.model)]
    if question.weights is not None:
        words.append(f"weights={question.weights!r}")
    return f"Engine({', '.join(words)})"


def _clip(question: Question) -> str:
    words = [repr(question.clip)]
    if question.sampling is not None:
        words.append(f"sampling={question.sampling!r}")
    if question.span_seconds is not None:
        words.append(f"span_seconds={question.span_seconds!r}")
    return ", ".join(words)


def _asked(question: Question) -> str:
    words = [f"method={question.method!r}"]
    words += [f"{name}={value!r}" for name, value in _classes(question).items()]
    words += [f"{name}={value!r}" for name, value in question.parameters.items()]
    return ", ".join(words)


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
