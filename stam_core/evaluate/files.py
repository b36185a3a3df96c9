"""A report as files: results.json, clips.csv, classes.csv and the confusion figure."""

from __future__ import annotations

import csv
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from stam_core.evaluate.errors import EvaluationError
from stam_core.evaluate.scores import EvaluationReport
from stam_core.render.confusion import render_confusion
from stam_core.render.numbers import Json, json_ready, versions
from stam_core.render.sheet import save_figure
from stam_core.render.words import one_line

FORMAT = 1  # grows when a key changes its meaning
CLIP_COLUMNS = ("path", "label", "predicted", "probability", "rank", "reason")
CLASS_COLUMNS = (
    "label",
    "clips",
    "used",
    "top1",
    "top5",
    "taken_for",
    "taken_for_clips",
)
MOST_CONFUSIONS = 1000  # pairs of classes in the JSON file
# A spreadsheet takes a cell that begins so for a formula, and labels are untrusted.
FORMULA_STARTS = ("=", "+", "-", "@")


def write_files(
    report: EvaluationReport, folder: Path, *, figure: Literal["png", "pdf"] = "png"
) -> list[Path]:
    """Write everything about an evaluation into a folder; each file whole or not at all.

    Args:
        report: of the evaluation.
        folder: that exists; files of an earlier report there are replaced.
        figure: kind of the confusion figure.

    Returns:
        The files.

    Raises:
        EvaluationError: a file cannot be written.
    """
    classes, counts = report.confusion()
    drawn = render_confusion(
        counts,
        [report.labels[index] for index in classes],
        title=_title(report),
        subtitle=_sub(report),
    )
    confusion = folder / f"confusion.{figure}"
    _whole(folder / "results.json", lambda path: _write_json(path, report_numbers(report)))
    _whole(folder / "clips.csv", lambda path: _write_csv(path, CLIP_COLUMNS, _clip_rows(report)))
    _whole(
        folder / "classes.csv", lambda path: _write_csv(path, CLASS_COLUMNS, _class_rows(report))
    )
    _whole(confusion, lambda path: save_figure(drawn, path))
    return [folder / name for name in ("results.json", "clips.csv", "classes.csv")] + [confusion]


def report_numbers(report: EvaluationReport) -> Json:
    """Every figure of a report, ready for `json.dumps(..., allow_nan=False)`; shares in [0,1]."""
    run, official = report.run, report.official_loader
    numbers: Json = {
        "format": FORMAT,
        "model": {
            "name": report.model,
            "weights_sha256": report.weights_sha256,
            "parameters": run.parameters,
            "gmacs_per_clip": run.gmacs_per_clip,
            "published": dict(report.published),
        },
        "data": report.data,
        "protocol": report.protocol,
        "clips": {
            "listed": len(report.clips) + sum(report.unknown_classes.values()),
            "used": len(report.used),
            "unusable": len(report.clips) - len(report.used),
            "of_unknown_classes": sum(report.unknown_classes.values()),
        },
        "top1": report.top1,
        "top5": report.top5,
        "top1_of_all": report.top1_of_all,
        "top5_of_all": report.top5_of_all,
        "official_loader": None if official is None else asdict(official),
        "unusable": [asdict(group) for group in report.unusable],
        "unknown_classes": dict(report.unknown_classes),
        "notes": report.notes,
        "per_class": [asdict(row) for row in report.per_class],
        "confusions": _confusions(report),
        "run": {**asdict(run), "videos_per_second": run.videos_per_second},
        "versions": versions(),
    }
    ready = json_ready(numbers)
    assert isinstance(ready, dict)  # what goes in as a dict comes out as one
    return ready


def _title(report: EvaluationReport) -> str:
    top1 = "-" if report.top1 is None else f"{report.top1:.1%}"
    return f"{report.model}: top-1 {top1} on {len(report.used)} clips"


def _sub(report: EvaluationReport) -> str:
    return (
        f"{report.protocol} protocol; each row is coloured by its own shares; "
        f"{len(report.clips) - len(report.used)} clips could not be used"
    )


def _confusions(report: EvaluationReport) -> list[Json]:
    classes, counts = report.confusion()
    pairs = [
        {
            "label": report.labels[classes[row]],
            "predicted": report.labels[classes[column]],
            "clips": int(counts[row, column]),
        }
        for row, column in zip(*counts.nonzero(), strict=True)
        if row != column
    ]
    return sorted(pairs, key=lambda pair: -pair["clips"])[:MOST_CONFUSIONS]


def _clip_rows(report: EvaluationReport) -> Iterable[Sequence[object]]:
    for clip in report.clips:
        yield (
            _path_cell(clip.path),
            report.labels[clip.target],
            "" if clip.predicted is None else report.labels[clip.predicted],
            "" if clip.probability is None else repr(clip.probability),
            "" if clip.rank is None else clip.rank,
            clip.reason,
        )


def _class_rows(report: EvaluationReport) -> Iterable[Sequence[object]]:
    for row in report.per_class:
        values = asdict(row)
        yield ["" if values[name] is None else values[name] for name in CLASS_COLUMNS]


def _path_cell(path: str) -> str:
    """A relative path that looks like a formula still is a path with ./ before it."""
    return f"./{path}" if path.startswith(FORMULA_STARTS) else path


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    line = one_line(value)
    return f"'{line}" if line.startswith(FORMULA_STARTS) else line


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([_cell(value) for value in row] for row in rows)


def _write_json(path: Path, numbers: Json) -> None:
    path.write_text(json.dumps(numbers, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _whole(path: Path, write: Callable[[Path], None]) -> None:
    """Write beside the file, then put it in its place."""
    try:
        handle, name = tempfile.mkstemp(prefix=".part-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        part = Path(name)
        try:
            write(part)
            part.chmod(0o666 & ~_umask())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise EvaluationError(
            f"Cannot write {str(path)!r}: {error.strerror or error}. The answers are kept: make "
            "room, then run the same command again."
        ) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
