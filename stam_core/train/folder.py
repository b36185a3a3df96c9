"""A folder of one's own clips: `class name/clip.mp4`, or the same below `train/` and `val/`.

Names come from a stranger's disc: a label is the folder's name as text, with control characters
made visible, and whoever shows it must treat it as text.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from stam_core.models.described import MAX_LABEL_CHARACTERS
from stam_core.render.words import one_line
from stam_core.train.errors import TrainingError

Split = Literal["train", "val"]

# Only a first look: what a file holds is decided by its content when it is opened.
VIDEO_SUFFIXES = frozenset(
    [
        ".mp4",
        ".m4v",
        ".mov",
        ".mkv",
        ".webm",
        ".avi",
        ".gif",
        ".flv",
        ".wmv",
        ".asf",
        ".ogv",
        ".ogg",
        ".mpg",
        ".mpeg",
        ".ts",
        ".mts",
        ".m2ts",
        ".3gp",
        ".vob",
        ".mpv",
        ".divx",
    ]
)
_SPLIT_FOLDERS: dict[str, Split] = {"train": "train", "val": "val", "validation": "val"}
LAYOUT = "Clips belong into DIR/class name/clip.mp4, or below DIR/train and DIR/val in that way."


@dataclass(frozen=True)
class LabelledClip:
    """One file and what its folder says about it."""

    path: Path
    label: str
    split: Split | None  # None: still to be chosen


@dataclass(frozen=True)
class Skipped:
    """A file that is not used, and why."""

    path: Path
    reason: str


def list_clips(folder: Path) -> tuple[list[LabelledClip], list[Skipped]]:
    """Every clip of a folder by its class, in the order of the names.

    Args:
        folder: with a folder per class.

    Returns:
        The clips, and the files that are none by their name.

    Raises:
        TrainingError: there is no such folder, no class in it, one class only, or two classes
            whose names are the same text.
    """
    if not folder.is_dir():
        what = "a file, not a folder" if folder.exists() else "not there"
        raise TrainingError(f"{str(folder)!r} is {what}. {LAYOUT}")
    clips: list[LabelledClip] = []
    skipped: list[Skipped] = []
    for split, place in _places(folder):
        names: dict[str, Path] = {}
        for entry in _listed(place):
            if not entry.is_dir():
                continue
            label = _label(entry.name)
            if label in names:
                raise TrainingError(
                    f"The folders {one_line(names[label].name)!r} and {one_line(entry.name)!r} "
                    "give the same label. Rename one of them."
                )
            names[label] = entry
            _take(entry, label, split, clips, skipped)
    _check_classes(folder, clips)
    return clips, skipped


def _places(folder: Path) -> list[tuple[Split | None, Path]]:
    """Where class folders lie: in `train` and `val` where those are all there is, else here."""
    inner = [entry for entry in _listed(folder) if entry.is_dir()]
    names = {entry.name for entry in inner}
    if "train" in names and names <= {*_SPLIT_FOLDERS, "test"}:
        only_train = names <= {"train", "test"}
        return [
            (None if only_train else _SPLIT_FOLDERS[entry.name], entry)
            for entry in inner
            if entry.name in _SPLIT_FOLDERS
        ]
    return [(None, folder)]


def _listed(folder: Path) -> list[Path]:
    """What a folder holds, by name, without hidden entries.

    Raises:
        TrainingError: it cannot be read.
    """
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        raise TrainingError(
            f"The folder {one_line(folder)!r} cannot be read ({error.strerror})."
        ) from error
    return [entry for entry in entries if not entry.name.startswith(".")]


def _take(
    folder: Path,
    label: str,
    split: Split | None,
    clips: list[LabelledClip],
    skipped: list[Skipped],
) -> None:
    for entry in _listed(folder):
        if entry.is_dir():
            skipped.append(Skipped(entry, "a folder inside a class folder"))
        elif entry.suffix.lower() not in VIDEO_SUFFIXES:
            skipped.append(Skipped(entry, "its name does not end like a video's"))
        else:
            clips.append(LabelledClip(entry, label, split))


def _label(name: str) -> str:
    """A folder's name as a label: one line, every control character visible, not too long."""
    return one_line(name.strip() or repr(name), limit=MAX_LABEL_CHARACTERS)


def _check_classes(folder: Path, clips: Sequence[LabelledClip]) -> None:
    labels = sorted({clip.label for clip in clips})
    if not labels:
        raise TrainingError(f"There is no video below {one_line(folder)!r}. {LAYOUT}")
    if len(labels) == 1:
        raise TrainingError(
            f"{one_line(folder)!r} holds one class only, {labels[0]!r}; a model needs at least two "
            f"to tell apart. {LAYOUT}"
        )


def split_clips(
    clips: Sequence[LabelledClip], *, val_share: float, seed: int
) -> tuple[list[LabelledClip], list[str]]:
    """Choose clips for validation where the folder itself does not.

    Of every class with at least two clips, `val_share` of them, but at least one and not all, are
    for validation. Which ones depends on the seed and the names alone.

    Args:
        clips: that can be read.
        val_share: in [0,1).
        seed: of the choice.

    Returns:
        The clips, each with its split; and sentences about classes that could not be split.
    """
    if any(clip.split for clip in clips):
        return _keep_known(clips)
    chosen: list[LabelledClip] = []
    notes: list[str] = []
    for number, label in enumerate(sorted({clip.label for clip in clips})):
        mine = [clip for clip in clips if clip.label == label]
        wanted = max(1, round(len(mine) * val_share)) if val_share else 0
        n_val = min(wanted, len(mine) - 1)
        if n_val < wanted:
            notes.append(f"{label!r} has one usable clip only: it is trained on, not validated.")
        order = np.random.default_rng([seed, number]).permutation(len(mine))
        for_val = set(order[:n_val].tolist())
        chosen += [
            replace(clip, split="val" if place in for_val else "train")
            for place, clip in enumerate(mine)
        ]
    return chosen, notes


def _keep_known(clips: Sequence[LabelledClip]) -> tuple[list[LabelledClip], list[str]]:
    """The folder's own split; a class that only validation knows cannot be learned."""
    known = {clip.label for clip in clips if clip.split == "train"}
    unknown = sorted({clip.label for clip in clips} - known)
    notes = [f"{label!r} has no clip to train on and is left out." for label in unknown]
    return [clip for clip in clips if clip.label in known], notes


def count_by_class(clips: Iterable[LabelledClip], split: Split) -> dict[str, int]:
    """How many clips of every label belong to a split."""
    return dict(Counter(clip.label for clip in clips if clip.split == split))
