"""Scores on disk as they come: `evaluate`'s journal with the scores of a clip on each line."""

from __future__ import annotations

import json
from pathlib import Path

from stam_core.evaluate.errors import EvaluationError
from stam_core.evaluate.journal import Header, Journal
from stam_core.metrics.score_records import ClipScores

NAME = "scores.jsonl"  # beside an evaluation's journal in the same folder, if need be


def open_journal(
    folder: Path, header: Header, *, n_clips: int, fresh: bool
) -> tuple[Journal, dict[int, ClipScores]]:
    """Begin a folder's scores or go on with them.

    Args:
        folder: is made where it does not exist.
        header: what is asked.
        n_clips: in the list.
        fresh: forget what was scored before.

    Returns:
        The journal, to be closed, and what it holds, by the clips' places in the list.

    Raises:
        EvaluationError: it answers another question, is in use, damaged or cannot be written.
    """
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if fresh:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise EvaluationError(
            f"Cannot write into the folder {str(folder)!r}: {error.strerror or error}. Choose "
            "another --out."
        ) from error
    journal = Journal(path, header)  # drops a torn last line
    try:
        lines = path.read_bytes().splitlines()[1:]
        done = [ClipScores.from_json(json.loads(line)) for line in lines]
        if not all(0 <= clip.index < n_clips for clip in done):
            raise ValueError("a clip that is not in the list")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        journal.close()
        raise EvaluationError(
            f"The journal {str(path)!r} is damaged or not one. Remove it, or add --fresh."
        ) from error
    except OSError as error:
        journal.close()
        raise EvaluationError(f"Cannot read {str(path)!r}: {error.strerror or error}.") from error
    return journal, {clip.index: clip for clip in done}
