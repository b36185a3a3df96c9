"""The two corpora of clips beside the project: every file, and what is to become of it."""

from __future__ import annotations

import csv
import tarfile
from dataclasses import dataclass
from pathlib import Path

NO_INPUTS = "canary/"  # rows of the manifest: files that hostile ones point to
# Files that no second decoder can be compared on, and why.
NOT_COMPARABLE = {
    "flips_": "damaged on purpose: two decoders repair lost pictures each in its own way",
    "size_change": "changes its size midway: ffmpeg begins to scale by a filter of its own there",
}


@dataclass(frozen=True)
class Entry:
    """One file."""

    path: Path
    name: str  # in the manifest
    expect: str  # "works", "clear error" or "either"

    @property
    def not_comparable(self) -> str | None:
        """Why its frames cannot be held against another decoder's; None: they can."""
        whys = (why for start, why in NOT_COMPARABLE.items() if self.name.startswith(start))
        return next(whys, None)


def read_corpora(badclips: Path, clips: Path, unpacked: Path) -> list[Entry]:
    """All files of both, the hostile ones first.

    Args:
        badclips: folder of edge and hostile files, with a manifest.
        clips: folder of real clips, with a manifest; all are to work.
        unpacked: where those go whose names are the test; they travel in an archive.
    """
    with tarfile.open(badclips / "odd_names.tar") as archive:
        archive.extractall(unpacked, filter="data")
    entries = []
    for row in _rows(badclips):
        if not row["file"].startswith(NO_INPUTS):
            plain = badclips / row["file"]
            path = plain if plain.exists() else unpacked / row["file"]
            entries.append(Entry(path, row["file"], row["expect"]))
    return entries + [Entry(clips / row["file"], row["file"], "works") for row in _rows(clips)]


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
