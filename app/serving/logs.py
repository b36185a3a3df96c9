"""The log: lines for a person, or one JSON object a line that holds nothing of a visitor's.

A visitor's own are file names, clips, labels of checkpoints and addresses. Messages of errors may
hold them, and so may what libraries say; JSON lines therefore tell an error's kind and place only,
and of a library's message its fixed part.
"""

from __future__ import annotations

import io
import json
import logging
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

OURS = ("app", "stam_core")
PRINTED = "app.printed"
ROOT = Path(__file__).resolve().parents[2]
LONGEST = 300  # characters of a message
CAUSES = 4  # of an error, from the last one back


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record: time in UTC, level, logger, message, and the facts it was given."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _told(record),
            **getattr(record, "facts", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = [_kind_and_places(error) for error in _causes(record.exc_info[1])]
        return json.dumps(line, ensure_ascii=True)


class PlainLines(logging.Formatter):
    """For a person at the terminal, with whole traces."""

    def __init__(self) -> None:
        """Level and logger stand before the message."""
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """The message, with the facts behind it."""
        facts: dict[str, Any] = getattr(record, "facts", {})
        told = (f"{name}={value}" for name, value in facts.items())
        return " ".join([super().formatMessage(record), *told])


class PrintedLines(io.TextIOBase):
    """Stands for stdout and stderr: what libraries print becomes records, told at level debug.

    Of a trace of theirs one hears at every level that there was one.
    """

    def __init__(self) -> None:
        self._log = logging.getLogger(PRINTED)

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, words: str) -> int:
        """Take what was printed."""
        for line in words.splitlines():
            if line.startswith("Traceback"):
                self._log.warning("a library printed a trace; level debug shows it")
            if line.strip():
                self._log.debug("%s", line)
        return len(words)


def begin_log(form: str, level: str) -> None:
    """Set the log up for this process.

    Args:
        form: "json" or "text".
        level: of our own lines; of libraries only warnings and worse are told.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else PlainLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(level.upper())
    if form == "json":
        logging.captureWarnings(True)
        logging.raiseExceptions = False  # it would print, which is logged, which fails again
        sys.stdout = sys.stderr = PrintedLines()


def adopt_server_log() -> None:
    """The web server's records go the way of all others; it has given itself handlers."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def _told(record: logging.LogRecord) -> str:
    ours = record.name.partition(".")[0] in OURS
    words = record.getMessage() if ours else str(record.msg).partition("\n")[0]
    return words[:LONGEST]


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    for _ in range(CAUSES):
        if found is None:
            return
        yield found
        found = found.__cause__ or found.__context__


def _kind_and_places(error: BaseException) -> dict[str, Any]:
    """An error without its words: they may name a visitor's file."""
    places = traceback.extract_tb(error.__traceback__)
    return {
        "kind": type(error).__name__,
        "at": [f"{_short(place.filename)}:{place.lineno} {place.name}" for place in places],
    }


def _short(filename: str) -> str:
    """A file of ours by its place in the project, one of a library by its last two parts."""
    path = Path(filename)
    if path.is_relative_to(ROOT) and ".venv" not in path.parts:
        return path.relative_to(ROOT).as_posix()
    return "/".join(path.parts[-2:])
