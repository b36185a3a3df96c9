"""Answers on disk as they come, so that an evaluation that is stopped goes on where it was.

A journal is a file of JSON lines: first what was asked, then one line per clip. A line counts once
it is whole; a torn last line (kill -9, full disc) is dropped when the file is opened again.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stam_core.evaluate.errors import EvaluationError
from stam_core.evaluate.scores import ClipResult
from stam_core.render.words import one_line

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FORMAT = 1  # grows when a line changes its meaning
PATTERN = "journal*.jsonl"
Header = Mapping[str, object]  # what was asked: model, weights, protocol, list, type of numbers

# How a person calls the entries of a header.
_WORDS = {
    "model": "another model",
    "weights": "other weights",
    "protocol": "another protocol",
    "list": "other clips",
    "root": "another folder of clips",
    "dtype": "another type of numbers",
}


class Journal:
    """The answers of one process, appended and kept safe; close it when done."""

    def __init__(self, path: Path, header: Header) -> None:
        """Open or begin the file and take it for this process alone.

        Raises:
            EvaluationError: it is another evaluation's, in use, or cannot be written.
        """
        self.path = path
        self.seconds = 0.0  # of the runs before this one
        self.clips_timed = 0
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise _not_written(path, error) from error
        try:
            self._lock()
            self._begin(header)
        # Whatever it is, Ctrl-C included: the lock is let go, and the error goes on its way.
        except BaseException:
            self.close()
            raise

    def _begin(self, header: Header) -> None:
        whole = check_header(self.path, header)
        try:
            os.truncate(self._file, whole)  # a torn last line
            os.lseek(self._file, whole, os.SEEK_SET)
        except OSError as error:
            raise _not_written(self.path, error) from error
        if whole == 0:
            self._append([{"format": FORMAT, **header}])

    def _lock(self) -> None:
        if sys.platform == "win32":
            return  # the file is not locked there; two runs in one folder are the user's to avoid
        import fcntl

        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EvaluationError(
                f"Another evaluation is writing into the folder {str(self.path.parent)!r}. "
                "Wait for it, or choose another --out."
            ) from error
        except OSError:
            return  # some network file systems have no locks

    def add(self, results: Sequence[DataclassInstance]) -> None:
        """Append results; on return they are on the disc.

        Raises:
            EvaluationError: the disc is full, or gone.
        """
        if results:
            self._append([asdict(result) for result in results])

    def add_timing(self, seconds: float, clips: int) -> None:
        """Append how long this run took for how many clips."""
        self._append([{"seconds": seconds, "clips": clips}])

    def _append(self, lines: Iterable[Mapping[str, object]]) -> None:
        text = "".join(json.dumps(dict(line), allow_nan=False) + "\n" for line in lines)
        data = text.encode("ascii")
        try:
            while data:
                data = data[os.write(self._file, data) :]
            os.fsync(self._file)
        except OSError as error:
            raise _not_written(self.path, error) from error

    def close(self) -> None:
        """Let the file go; a second time does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check_header(path: Path, header: Header) -> int:
    """See that a journal answers the same question; how many of its bytes are whole lines.

    Raises:
        EvaluationError: it was begun for another model, protocol or list, or is no journal.
    """
    lines = _whole_lines(path)
    if not lines:
        return 0
    begun = _parsed(lines[0], path)
    wanted: dict[str, object] = {"format": FORMAT, **header}
    different = [key for key in wanted if begun.get(key) != wanted[key]]
    if different:
        key = different[0]
        words = _WORDS.get(key, f"another {key}")
        was, now = (one_line(value.get(key), limit=60) for value in (begun, wanted))
        raise EvaluationError(
            f"The folder {str(path.parent)!r} holds an evaluation of {words} ({was}; asked for "
            f"now: {now}). Choose another --out, or add --fresh to start anew there."
        )
    return sum(map(len, lines))


def read_journals(
    folder: Path, header: Header, n_clips: int
) -> tuple[dict[int, ClipResult], float, int]:
    """What all journals in a folder hold.

    Args:
        folder: of the evaluation.
        header: what is asked now.
        n_clips: in the list.

    Returns:
        Results by their place in the list, the seconds that were spent on clips, and how many
        clips these were.

    Raises:
        EvaluationError: one of them belongs to another evaluation, or is damaged.
    """
    results: dict[int, ClipResult] = {}
    seconds, timed = 0.0, 0
    for path in sorted(folder.glob(PATTERN)):
        check_header(path, header)
        for line in _whole_lines(path)[1:]:
            entry = _parsed(line, path)
            if "seconds" in entry:
                seconds, timed = seconds + entry["seconds"], timed + entry["clips"]
                continue
            result = _result(entry, path, n_clips)
            results[result.index] = result
    return results, seconds, timed


def remove_journals(folder: Path) -> None:
    """Forget what was done.

    Raises:
        EvaluationError: a file cannot be removed.
    """
    for path in folder.glob(PATTERN):
        try:
            path.unlink()
        except OSError as error:
            raise _not_written(path, error) from error


def _whole_lines(path: Path) -> list[bytes]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _not_written(path, error) from error
    return [line for line in data.splitlines(keepends=True) if line.endswith(b"\n")]


def _parsed(line: bytes, path: Path) -> dict[str, Any]:  # Any: JSON
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise _damaged(path) from error
    if not isinstance(entry, dict):
        raise _damaged(path)
    return entry


_NAMES = {entry.name for entry in fields(ClipResult)}


def _result(entry: dict[str, Any], path: Path, n_clips: int) -> ClipResult:
    if set(entry) != _NAMES or not isinstance(entry["index"], int):
        raise _damaged(path)
    if not 0 <= entry["index"] < n_clips:
        raise _damaged(path)
    return ClipResult(**entry)


def _damaged(path: Path) -> EvaluationError:
    return EvaluationError(
        f"The journal {str(path)!r} is damaged or not one. Remove it, or add --fresh."
    )


def _not_written(path: Path, error: OSError) -> EvaluationError:
    return EvaluationError(
        f"Cannot write {str(path)!r}: {error.strerror or error}. What was done before is kept: "
        "make room or choose another --out, then run the same command again."
    )
