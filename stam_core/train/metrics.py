"""How a training went, as one JSON object a line: appended while it runs, cut back on resume."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from stam_core.train.errors import TrainingError
from stam_core.train.files import write_whole

Record = dict[str, Any]  # "stage", "step", figures by name, "lr", "seconds", "examples_per_second"
TIMING = ("seconds", "examples_per_second")  # the only keys that two equal runs differ in


class MetricsFile:
    """Records in the order of training, stage after stage."""

    def __init__(self, path: Path) -> None:
        """A file that need not exist yet."""
        self.path = path

    def append(self, record: Record) -> None:
        """Add one line.

        Raises:
            TrainingError: the disc is full or the file cannot be written.
        """
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            raise TrainingError(
                f"Cannot write {str(self.path)!r}: {error.strerror}. "
                "Make room, then run the same command again."
            ) from error

    def sync(self) -> None:
        """Force the lines to the disc: a saved state must never be ahead of them."""
        if self.path.exists():
            with self.path.open("rb+") as file:
                os.fsync(file.fileno())

    def read(self) -> list[Record]:
        """Every whole record; a last line that a kill cut short is left out."""
        return read_metrics(self.path)

    def cut(self, stage: str, step: int) -> None:
        """Forget what came after `step` of `stage`, later stages included."""
        records = self.read()
        kept: list[Record] = []
        reached = False
        for record in records:
            mine = record["stage"] == stage
            if (mine and record["step"] > step) or (reached and not mine):
                break
            reached = reached or mine
            kept.append(record)
        if self.path.exists():
            text = "".join(json.dumps(record) + "\n" for record in kept)
            if text != self.path.read_text(encoding="utf-8", errors="replace"):
                write_whole(self.path, lambda part: part.write_text(text, encoding="utf-8"))


def read_metrics(path: Path) -> list[Record]:
    """The records of a metrics file, up to the first line that is none."""
    if not path.exists():
        return []
    records: list[Record] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            break
        if not isinstance(record, dict) or not {"stage", "step"} <= record.keys():
            break
        records.append(record)
    return records
