"""What the lessons' page sent -> checked values, and the questions at a chapter's end.

Anything may be forged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.learn import text
from stam_core.errors import ParameterError, UnknownNameError


def read_whole(data: Mapping[str, Any], name: str, low: int, high: int, default: int) -> int:
    """A whole number out of an event; `default` where there is none.

    Raises:
        ParameterError: it is no whole number, or out of range.
    """
    value = data.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ParameterError(text.NOT_A_NUMBER.format(name=name, low=low, high=high))
    return value


def read_share(data: Mapping[str, Any], name: str, high: float, default: float) -> float:
    """A share from 0 to `high` out of an event; `default` where there is none.

    Raises:
        ParameterError: it is no number, or out of range.
    """
    value = data.get(name, default)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= high:  # not a number is not in the range either
        raise ParameterError(text.NOT_A_SHARE.format(name=name, high=high))
    return float(value)


def read_choice(data: Mapping[str, Any], name: str, choices: Sequence[str]) -> str:
    """One of some names out of an event; the first where there is none.

    Raises:
        UnknownNameError: it is none of them.
    """
    value = data.get(name, choices[0])
    if not isinstance(value, str) or value not in choices:
        raise UnknownNameError(name, str(value)[:80], list(choices))
    return value


def read_patch(
    data: Mapping[str, Any],
    name: str,
    shape: tuple[int, int, int],
    default: tuple[int, int, int],
) -> tuple[int, int, int]:
    """A patch (frame, row, column) out of an event; `default` where there is none.

    Raises:
        ParameterError: it is no patch of the clip.
    """
    value = data.get(name, list(default))
    if not isinstance(value, list) or len(value) != len(shape):
        raise ParameterError(text.NOT_A_PATCH)
    names = ("frame", "row", "column")
    parts = dict(zip(names, value, strict=True))
    frame, row, column = (
        read_whole(parts, part, 0, size - 1, 0) for part, size in zip(names, shape, strict=True)
    )
    return frame, row, column


def read_serial(data: Mapping[str, Any]) -> int:
    """The question's number in the page, given back with the answer; 0 where there is none."""
    serial = data.get("serial")
    return serial if isinstance(serial, int) and not isinstance(serial, bool) else 0


def quiz(prompt: str, choices: Sequence[str], answer: str, why: str) -> dict[str, Any]:
    """A question with its choices, of which `answer` is one; a choice given twice is shown once."""
    shown = list(dict.fromkeys(choices))
    return {"prompt": prompt, "choices": shown, "answer": shown.index(answer), "why": why}


def number_quiz(prompt: str, answer: int, others: Sequence[int], why: str) -> dict[str, Any]:
    """A question for a whole number, the choices in rising order."""
    choices = [f"{number:,}" for number in sorted({answer, *others})]
    return quiz(prompt, choices, f"{answer:,}", why)
