"""The scores of all clips as a table on the terminal, as JSON and as a file."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from stam_core.cli.output import OutputError, say, say_json, write_json
from stam_core.errors import ParameterError
from stam_core.explain.game import REMOVALS
from stam_core.metrics.score_table import FaithfulnessRow, ScoreRow, findings, score_rows
from stam_core.render.numbers import Json, json_ready, versions
from stam_core.render.words import one_line

if TYPE_CHECKING:
    from stam_core.engine import Engine
    from stam_core.metrics.score_records import ClipScores

SHUFFLED_WORDS = (
    "  shuffled: rank correlation with the map of the model whose every weight was shuffled;",
    "  ! where much of it stays: such a map says little about this model",
)
FORMAT = 1  # of scores.json; grows when a key changes its meaning
TRUTH_COLUMNS = {
    "key-frame recall": "key frames",
    "deciding-frame recall": "deciding",
    "pointing game": "pointing",
    "mass in mask": "in mask",
}


def report(options: argparse.Namespace, engine: Engine, clips: Sequence[ClipScores]) -> int:
    """Print the scores and, with --out, write scores.json.

    Raises:
        ParameterError: no clip could be used.
        OutputError: the file cannot be written.
    """
    lost = [clip for clip in clips if clip.error]
    if len(lost) == len(clips):
        raise ParameterError(
            f"None of the {len(clips)} clips could be used; first {lost[0].clip}: {lost[0].error}"
        )
    rows = score_rows(clips, seed=options.seed)
    what = f"{len(clips)} rendered clips" if options.folder is None else str(options.folder)
    numbers = _numbers(options, engine, clips, rows, what)
    files = [] if options.out is None else [_write(options.out / "scores.json", numbers)]
    if options.json:
        say_json({**numbers, "files": [str(path) for path in files]})
        return 0
    say(f"{one_line(engine.info.name)} on {one_line(what)}, seed {options.seed}")
    for line in table_lines(rows):
        say(line)
    for sentence in findings(rows):
        say(f"  {sentence}")
    for method, reason in _failures(clips).items():
        say(f"  {method} could not answer: {one_line(reason)}")
    for clip in lost:
        say(f"  unusable: {one_line(clip.clip, limit=60)}: {one_line(clip.error)}")
    for path in files:
        say(f"wrote {one_line(path)}")
    return 0


def _numbers(
    options: argparse.Namespace,
    engine: Engine,
    clips: Sequence[ClipScores],
    rows: Sequence[ScoreRow],
    what: str,
) -> Json:
    lost = [clip for clip in clips if clip.error]
    ready = json_ready(
        {
            "format": FORMAT,
            "model": engine.info.name,
            "weights_sha256": engine.report.sha256,
            "clips": what,
            "used": len(clips) - len(lost),
            "unusable": [{"clip": clip.clip, "error": clip.error} for clip in lost],
            "seed": options.seed,
            "orders": options.orders,
            "patches": options.patches,
            "randomised": options.randomise,
            "methods": [asdict(row) for row in rows],
            "findings": findings(rows),
            "failures": _failures(clips),
            "versions": versions(),
        }
    )
    assert isinstance(ready, dict)  # what goes in as a dict comes out as one
    return ready


def _failures(clips: Sequence[ClipScores]) -> dict[str, str]:
    """The first reason of each method that failed on some clip."""
    found: dict[str, str] = {}
    for clip in clips:
        for method, scores in clip.methods.items():
            if scores.error:
                found.setdefault(method, f"{scores.error} (first on {clip.clip})")
    return found


def _write(path: Path, numbers: Json) -> Path:
    part = path.with_name(f".part-{path.name}")
    try:
        write_json(part, numbers)
        part.replace(path)
    except OSError as error:
        raise OutputError(
            f"Cannot write {str(path)!r}: {error.strerror or error}. The scores are kept: make "
            "room, then run the same command again."
        ) from error
    return path


def table_lines(rows: Sequence[ScoreRow]) -> list[str]:
    """The table for a terminal: one line per method."""
    truths = [name for name in TRUTH_COLUMNS if any(name in row.truth for row in rows)]
    with_patches = any(row.patches is not None for row in rows)
    columns: list[tuple[str, int, Callable[[ScoreRow], str]]] = [
        (removal, 15, partial(_frames, removal=removal)) for removal in REMOVALS
    ]
    columns.append(("flips", 6, lambda row: "" if row.flips is None else f"{row.flips:.0%}"))
    if with_patches:
        columns.append(("patches", 15, lambda row: _z(row.patches)))
    for name in truths:
        columns.append((TRUTH_COLUMNS[name], 14, partial(_truth, name=name)))
    if any(row.randomised for row in rows):
        columns.append(("shuffled", 10, _shuffled))
    columns.append(("seconds", 8, lambda row: "" if row.seconds is None else f"{row.seconds:.2f}"))
    width = max([len("method"), *(len(row.method) for row in rows)])
    lines = [
        "  z of the frames' ranking by how frames are taken away (± half its 95 % interval), share",
        "  of clips where the verdict depends on that; truth: mean share (the same by chance)",
        *(SHUFFLED_WORDS if any(row.randomised for row in rows) else ()),
        "",
        f"  {'method':<{width}}" + "".join(f"{title:>{size}}" for title, size, _ in columns),
    ]
    for row in rows:
        cells = "".join(f"{cell(row):>{size}}" for _, size, cell in columns)
        lines.append(f"  {row.method:<{width}}{cells}".rstrip())
    return [*lines, ""]


def _frames(row: ScoreRow, removal: str) -> str:
    return _z(row.frames.get(removal))


def _shuffled(row: ScoreRow) -> str:
    if not row.randomised:
        return ""
    last = row.randomised[-1]
    rho = last.frames if last.patches is None else last.patches
    return "" if rho is None else f"{rho:+.2f}{'!' if row.unchanged else ''}"


def _z(found: FaithfulnessRow | None) -> str:
    if found is None or found.z is None:
        return ""
    low, high = found.z.interval
    return f"{found.z.mean:+.2f} ±{(high - low) / 2:.2f}"


def _truth(row: ScoreRow, name: str) -> str:
    found = row.truth.get(name)
    return "" if found is None else f"{found.value.mean:.2f} ({found.expected:.2f})"
