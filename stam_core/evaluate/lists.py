"""Which clips to evaluate and what they show: a folder of classes, or a list.

    DIR/<class>/<clip>, DIR/val/<class>/<clip>, LIST.csv --> rows --label match--> ClipList

Names of files and classes are untrusted text: they are kept as they are here and made safe where
they are shown.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stam_core.evaluate.csv_lists import read_csv_list
from stam_core.evaluate.errors import EvaluationError
from stam_core.evaluate.rows import ListedClips, Row
from stam_core.render.words import one_line

SPLIT = "val"  # the folder of a Kinetics copy that is evaluated
MOST_NAMED = 5  # names repeated in a message


@dataclass(frozen=True)
class Entry:
    """One clip to evaluate."""

    index: int  # its place in the list: what a journal knows it by
    path: Path
    shown: str  # its path as the list or the folder has it
    target: int  # class index of the model
    reason: str = ""  # why it cannot be used although it is listed


@dataclass(frozen=True)
class ClipList:
    """The clips of one evaluation."""

    root: Path
    entries: tuple[Entry, ...]
    unknown: Mapping[str, int]  # label that the model does not know -> clips that it costs
    notes: tuple[str, ...]  # sentences for the person

    @property
    def digest(self) -> str:
        """SHA-256 over which clips are listed with which class."""
        lines = [f"{entry.shown}\0{entry.target}\n" for entry in self.entries]
        text = "".join(lines).encode("utf-8", "surrogateescape")
        return hashlib.sha256(text).hexdigest()


def list_clips(
    data: str | Path,
    labels: Sequence[str],
    *,
    root: str | Path | None = None,
    limit: int | None = None,
) -> ClipList:
    """The clips of a folder or a list, with the model's classes.

    Args:
        data: a folder `<class>/<clip>` or `val/<class>/<clip>`, or a list of paths and labels.
        labels: [K] the model's.
        root: folder that a list's paths start from; None: the list's own folder.
        limit: at most so many clips, evenly spread over the list; None: all.

    Raises:
        EvaluationError: nothing to evaluate, or the list cannot be read.
    """
    place = Path(data)
    try:
        if place.is_dir():
            found = _read_folder(place)
        elif place.is_file():
            found = read_csv_list(place, place.parent if root is None else Path(root), labels)
        else:
            raise EvaluationError(
                f"There is no folder or list {str(place)!r}. Check the path given with --data."
            )
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        why = getattr(error, "strerror", None) or "its name is not valid"
        raise EvaluationError(f"{str(place)!r} cannot be read: {why}.") from error
    return _matched(found, labels, limit)


def _read_folder(folder: Path) -> ListedClips:
    """Rows of a tree of classes; `val/` goes first where it holds folders itself."""
    root = folder / SPLIT if _folders(folder / SPLIT) else folder
    classes = _folders(root)
    if not classes:
        raise EvaluationError(
            f"The folder {str(folder)!r} holds no class folders. It must look like "
            "DIR/<class>/<clip> or DIR/val/<class>/<clip>."
        )
    rows: list[Row] = []
    notes: list[str] = []
    deeper = 0
    for name in classes:
        entries = _listing(root / name)
        clips = [path for path in entries if not path.is_dir()]
        deeper += len(entries) - len(clips)
        rows += [Row(path, f"{name}/{path.name}", name) for path in clips]
        if not clips:
            notes.append(f"The class folder {one_line(name)!r} is empty.")
    if not rows:
        raise EvaluationError(f"The class folders in {str(root)!r} hold no files.")
    beside = len(_listing(root)) - len(classes)
    if beside:
        notes.append(f"{_files(beside)} beside the class folders: not used.")
    if deeper:
        notes.append(f"{deeper} folder(s) inside class folders: not looked into.")
    return ListedClips(root, tuple(rows), tuple(notes))


def _listing(folder: Path) -> list[Path]:
    """What a folder holds, by name; what a system hides in it (.DS_Store) is no clip."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _folders(folder: Path) -> list[str]:
    return [path.name for path in _listing(folder) if path.is_dir()] if folder.is_dir() else []


def _matched(found: ListedClips, labels: Sequence[str], limit: int | None) -> ClipList:
    classes = match_labels({row.label for row in found.rows}, labels)
    unknown = Counter(row.label for row in found.rows if classes[row.label] is None)
    known = [row for row in found.rows if classes[row.label] is not None]
    if not known:
        raise EvaluationError(
            f"The model knows none of the {len(unknown)} classes in the data "
            f"({_some(unknown)}). It knows: {_some(labels)}."
        )
    notes = list(found.notes)
    if limit is not None and limit < len(known):
        notes.append(f"{limit} of {len(known)} clips, evenly spread over the list (--limit).")
        known = [known[place * len(known) // limit] for place in range(limit)]
    if len({classes[row.label] for row in known}) == 1:
        notes.append("All clips show one class: top-1 says little about telling classes apart.")
    entries = tuple(
        Entry(index, row.path, row.shown, classes[row.label] or 0, row.reason)
        for index, row in enumerate(known)
    )
    return ClipList(found.root, entries, dict(sorted(unknown.items())), tuple(notes))


def match_labels(names: Iterable[str], labels: Sequence[str]) -> dict[str, int | None]:
    """The model's class for each name of the data.

    A name matches exactly, or else without regard to case, spaces, underscores and slashes (which
    no folder's name can hold), where that leaves no doubt.

    Args:
        names: labels as the data has them.
        labels: [K] the model's.

    Returns:
        Class index by name; None where the model has no such class.
    """
    exact = {label: index for index, label in reversed(list(enumerate(labels)))}
    loose: dict[str, list[int]] = {}
    for index, label in enumerate(labels):
        loose.setdefault(_bare(label), []).append(index)
    found: dict[str, int | None] = {}
    for name in names:
        near = loose.get(_bare(name), [])
        found[name] = exact.get(name, near[0] if len(near) == 1 else None)
    return found


def _bare(label: str) -> str:
    folded = unicodedata.normalize("NFC", label).casefold()
    return "".join(character for character in folded if character not in " _/\t")


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    shown = ", ".join(one_line(name, limit=40) for name in listed[:MOST_NAMED])
    return f"{shown}, ..." if len(listed) > MOST_NAMED else shown


def _files(count: int) -> str:
    return "1 file lies" if count == 1 else f"{count} files lie"
