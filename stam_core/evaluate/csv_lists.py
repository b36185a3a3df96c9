"""Lists of clips: `path,label`, Kinetics' own CSV, and the "path label" lines of other toolboxes.

Kinetics names no files but parts of videos (`label,youtube_id,time_start,time_end,split`); copies
call them `<youtube_id>_<start>_<end>.mp4`, in folders by class or split or in none.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from stam_core.evaluate.errors import EvaluationError
from stam_core.evaluate.rows import ListedClips, Row
from stam_core.render.words import one_line

PATH_COLUMNS = ("path", "video", "file", "filename", "clip", "video_path")
LABEL_COLUMNS = ("label", "class", "action", "label_index", "class_index")
ID_COLUMN, START_COLUMN, END_COLUMN = "youtube_id", "time_start", "time_end"
MAX_LIST_BYTES = 200 * 2**20  # Kinetics-700 has 650,000 lines, 40 MB
ABSENT = "The list names it, but there is no such file. Check --root."
TWO_LABELS = "The list gives it two labels: {} and {}."

Line = tuple[int, list[str]]  # number of the line, its cells


def read_csv_list(path: Path, root: Path, labels: Sequence[str]) -> ListedClips:
    """The rows of a list.

    Args:
        path: of the list: UTF-8, with or without a byte-order mark and a header.
        root: folder that its paths start from.
        labels: [K] the model's; a label that is a whole number is an index into them.

    Raises:
        EvaluationError: not such a list; the message names the line.
    """
    lines = _lines(path)
    if not lines:
        raise EvaluationError(f"The list {path.name!r} is empty. It needs lines of path,label.")
    header = [cell.strip().lower() for cell in lines[0][1]]
    if ID_COLUMN in header:
        rows = _kinetics_rows(lines[1:], header, path, root)
    else:
        rows = _path_rows(lines, header, path, root)
    rows = [_with_label(row, labels) for row in rows]
    if not rows:
        raise EvaluationError(f"The list {path.name!r} holds a header and no clips.")
    kept, notes = _without_repeats(rows)
    if all(row.reason == ABSENT for row in kept):
        raise EvaluationError(
            f"None of the {len(kept)} clips in the list {path.name!r} is there; the first is "
            f"{one_line(kept[0].path, limit=120)}. Name their folder with --root."
        )
    return ListedClips(root, tuple(kept), tuple(notes))


def _lines(path: Path) -> list[Line]:
    """Non-empty lines as cells: by commas or tabs with CSV's quotes, else by the last space."""
    if path.stat().st_size > MAX_LIST_BYTES:
        raise EvaluationError(
            f"The list {path.name!r} has {path.stat().st_size:,} bytes; at most "
            f"{MAX_LIST_BYTES:,} are read. --data takes a folder, or a list of paths and labels."
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise EvaluationError(
            f"{path.name!r} is no list of clips: it is not UTF-8 text. --data takes a folder, or a "
            "list of paths and labels."
        ) from error
    if "\0" in text:
        raise EvaluationError(f"{path.name!r} is no list of clips: it holds zero bytes.")
    raw = text.splitlines()
    first = next((line for line in raw if line.strip()), "")
    separator = next((mark for mark in (",", "\t") if mark in first), None)
    if separator is None:
        cells = ((n, line.strip().rsplit(None, 1)) for n, line in enumerate(raw, start=1))
        return [(n, words) for n, words in cells if words]
    try:
        reader = csv.reader(text.splitlines(keepends=True), delimiter=separator, strict=True)
        return [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    except csv.Error as error:
        raise EvaluationError(f"The list {path.name!r} is not a CSV file: {error}.") from error


def _path_rows(lines: list[Line], header: list[str], path: Path, root: Path) -> list[Row]:
    """Rows of `path,label`; the order of the columns is the header's, else path first."""
    place = _column(header, PATH_COLUMNS)
    label = _column(header, LABEL_COLUMNS)
    if place is None and label is None:
        place, label = 0, 1
    elif place is None or label is None:
        lacking = "path" if place is None else "label"
        raise EvaluationError(
            f"The list {path.name!r} has no column {lacking!r}; its header is: "
            f"{one_line(', '.join(header), limit=120)}. It needs path and label."
        )
    else:
        lines = lines[1:]
    rows = []
    for number, cells in lines:
        _check_cells(cells, max(place, label), number, path)
        shown = cells[place].strip()
        rows.append(_row(root / shown, shown, cells[label].strip()))
    return rows


def _column(header: list[str], names: Sequence[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _check_cells(cells: list[str], last: int, number: int, path: Path) -> None:
    if len(cells) <= last or not all(cells[place].strip() for place in range(last + 1)):
        raise EvaluationError(
            f"Line {number} of the list {path.name!r} has no path or no label: "
            f"{one_line(','.join(cells), limit=80)}. Every line needs both."
        )


def _row(path: Path, shown: str, label: str) -> Row:
    return Row(path, shown, label, "" if _is_there(path) else ABSENT)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long or not valid
        return False


def _kinetics_rows(lines: list[Line], header: list[str], path: Path, root: Path) -> list[Row]:
    columns = {name: _column(header, (name,)) for name in (ID_COLUMN, START_COLUMN, END_COLUMN)}
    label = _column(header, LABEL_COLUMNS)
    lacking = [name for name, place in {**columns, "label": label}.items() if place is None]
    if lacking or label is None:
        raise EvaluationError(
            f"The Kinetics list {path.name!r} has no column {', '.join(lacking)}. "
            "Lists of a test split without labels cannot be scored; take the val split."
        )
    places = [place for place in columns.values() if place is not None]
    files = _files_by_stem(root)
    rows = []
    for number, cells in lines:
        _check_cells(cells, max(*places, label), number, path)
        rows.append(_kinetics_row([cells[place].strip() for place in places], cells[label], files))
    return rows


def _kinetics_row(part: list[str], label: str, files: Mapping[str, Path]) -> Row:
    """The file of one part of a video: named with its seconds as six digits, plainly, or not."""
    video, start, end = part
    stems = [f"{video}_{start}_{end}", video]
    if start.isdecimal() and end.isdecimal():
        stems.insert(0, f"{video}_{int(start):06d}_{int(end):06d}")
    found = next((files[stem] for stem in stems if stem in files), None)
    if found is None:
        return Row(Path(stems[0]), stems[0], label.strip(), ABSENT)
    return Row(found, found.name, label.strip())


def _files_by_stem(root: Path) -> dict[str, Path]:
    """Every file below a folder by its name without ending; the first of equals."""
    if not root.is_dir():
        raise EvaluationError(f"There is no folder {str(root)!r}. Name that of the clips: --root.")
    found: dict[str, Path] = {}
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            found.setdefault(Path(name).stem, Path(folder) / name)
    return found


def _with_label(row: Row, labels: Sequence[str]) -> Row:
    """A label that is a whole number is an index, unless the model has a label like it."""
    if row.label in labels or not row.label.isdecimal() or len(row.label) > 9:
        return row
    index = int(row.label)
    if index >= len(labels):
        return row
    return Row(row.path, row.shown, labels[index], row.reason)


def _without_repeats(rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """Each clip once. One that is listed with two labels cannot be scored and says so."""
    first: dict[str, Row] = {}
    repeats = 0
    for row in rows:
        known = first.setdefault(row.shown, row)
        if known is row:
            continue
        repeats += 1
        if known.label != row.label and not known.reason:
            reason = TWO_LABELS.format(one_line(known.label), one_line(row.label))
            first[row.shown] = Row(known.path, known.shown, known.label, reason)
    notes = [f"{repeats} line(s) of the list repeat others: counted once."] if repeats else []
    return list(first.values()), notes
