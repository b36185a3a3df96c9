"""A model's answers for clips of real people whose action is one of its labels.

The table `real_clips.csv` names them: file, span in seconds (empty: all of the clip), the labels
that would be right (joined by |), and what is seen. Rows were chosen by what the frames show inside
the central square, not by what a model answers. Clips that show none of the actions are not in it.

Rows that share a file show the same place and partly the same people: they are not independent, so
the mean over files stands beside the share of rows.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from stam_core.engine import Engine
from stam_core.errors import StamError

TABLE = Path(__file__).with_name("real_clips.csv")


@dataclass(frozen=True)
class RealClip:
    """One row of the table."""

    file: str
    span_seconds: tuple[float, float] | None  # None: all of the clip
    labels: tuple[str, ...]  # each of which would be right
    why: str

    @property
    def name(self) -> str:
        """File and span, to be read."""
        if self.span_seconds is None:
            return self.file
        return f"{self.file} {self.span_seconds[0]:g}-{self.span_seconds[1]:g} s"


def read_table(path: Path = TABLE) -> list[RealClip]:
    """The rows of the table, in its order."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    clips = []
    for row in rows:
        start, end = row["start_seconds"], row["end_seconds"]
        span = (float(start), float(end)) if start or end else None
        labels = tuple(label.strip() for label in row["labels"].split("|"))
        clips.append(RealClip(row["file"], span, labels, row["why"]))
    return clips


def answer(engine: Engine, clip: RealClip, folder: Path) -> dict[str, Any]:
    """What the model says about one clip: the place of the first right label, the five likeliest.

    `rank` counts from 1; None with `problem` where the clip cannot be scored.
    """
    result: dict[str, Any] = {
        "clip": clip.name,
        "file": clip.file,
        "whole": clip.span_seconds is None,
        "expected": list(clip.labels),
        "why": clip.why,
        "rank": None,
        "top5": [],
        "problem": None,
    }
    try:
        opened = engine.open(folder / clip.file, span_seconds=clip.span_seconds)
        ranking = engine.predict(opened).top(len(engine.info.labels))
    except StamError as error:
        return result | {"problem": str(error)}
    result["top5"] = [[label, round(share, 4)] for label, share in ranking[:5]]
    names = [label for label, _ in ranking]
    ranks = [names.index(label) + 1 for label in clip.labels if label in names]
    if not ranks:
        return result | {"problem": "the model does not know the label"}
    return result | {"rank": min(ranks)}


def score_real(engine: Engine, folder: Path, table: Path = TABLE) -> dict[str, Any]:
    """Top-1 and top-3 over whole clips, spans and all rows, each also as a mean over files."""
    rows = [answer(engine, clip, folder) for clip in read_table(table)]
    scored = [row for row in rows if row["rank"] is not None]
    return {
        "all": _shares(scored),
        "whole_clips": _shares([row for row in scored if row["whole"]]),
        "spans": _shares([row for row in scored if not row["whole"]]),
        "per_label": {
            label: _shares([row for row in scored if row["expected"][0] == label])
            for label in sorted({row["expected"][0] for row in scored})
        },
        "not_scored": [[row["clip"], row["problem"]] for row in rows if row["rank"] is None],
        "rows": rows,
    }


def _shares(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Shares in [0,1] of rows whose right label is first, or among three; None without rows."""
    by_file: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        by_file[row["file"]].append(row["rank"])
    return {
        "clips": len(rows),
        "files": len(by_file),
        **{f"top{k}": mean(row["rank"] <= k for row in rows) if rows else None for k in (1, 3)},
        **{
            f"top{k}_mean_over_files": mean(
                mean(rank <= k for rank in ranks) for ranks in by_file.values()
            )
            if rows
            else None
            for k in (1, 3)
        },
    }
