"""Untrusted words (file names, labels, parameters) made safe to print on one line."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

ELLIPSIS = "…"


def one_line(text: object, *, limit: int | None = None) -> str:
    r"""`text` on one line: control, direction-changing and unassigned characters become escapes.

    A file name may hold newlines, terminal escape sequences or bytes that are no text at all;
    printed raw they would forge lines of output or colours on the reader's terminal.

    Args:
        text: anything; its `str` is taken.
        limit: most characters to keep; the middle is left out beyond it. None: all of them.
    """
    shown = "".join(_escaped(character) for character in str(text))
    if limit is None or len(shown) <= limit:
        return shown
    tail = (limit - len(ELLIPSIS)) // 2
    head = limit - len(ELLIPSIS) - tail
    return shown[:head] + ELLIPSIS + shown[len(shown) - tail :]


def _escaped(character: str) -> str:
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
        return character.encode("unicode_escape", "backslashreplace").decode("ascii")
    return character


def parameters_line(parameters: Mapping[str, Any]) -> str:
    """`{"layer": 3, "discard_ratio": 0.9}` as "layer 3, discard ratio 0.9"; "" for none."""
    return ", ".join(
        f"{one_line(name).replace('_', ' ')} {_value(value)}" for name, value in parameters.items()
    )


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else one_line(value)


def time_stamp(seconds: float) -> str:
    """Seconds as "2.40 s", or as "1:02.4" from a minute on."""
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{int(minutes)}:{rest:04.1f}"
