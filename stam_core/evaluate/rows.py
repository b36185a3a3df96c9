"""What a folder or a list says, before the model's classes are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One clip as it is listed."""

    path: Path
    shown: str  # its path as the list or the folder has it
    label: str  # as the list or the folder has it
    reason: str = ""  # why it cannot be used although it is listed


@dataclass(frozen=True)
class ListedClips:
    """Everything that was listed."""

    root: Path
    rows: tuple[Row, ...]
    notes: tuple[str, ...]  # sentences for the person
