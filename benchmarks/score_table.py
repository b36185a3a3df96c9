"""The table of all methods for the README, from the scores of many clips.

    python -m stam_core score --rendered 200 --patches mean --randomise 10 --out results
    python -m benchmarks.score_table results/scores.json [more/scores.json ...]

The first command takes the time and goes on where it was stopped; this one prints its scores as
Markdown, best first, and keeps them with the machine in benchmarks/results/. Scores of other
methods on the same clips, from runs beside the first one, become one table.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.machine import write_result

REMOVALS = ("drop", "mean", "hold")
TRUTHS = {
    "key-frame recall": "key frames",
    "deciding-frame recall": "deciding frames",
    "pointing game": "pointing game",
    "mass in mask": "mass on limbs",
}
EMPTY = "–"


def faithfulness(row: dict[str, Any] | None) -> str:
    """Mean z with its 95 % interval, bold where it beats random."""
    if row is None or row["z"] is None:
        return EMPTY
    mean, (low, high) = row["z"]["mean"], row["z"]["interval"]
    text = f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]"
    return f"**{text}**" if row["standing"] == "better" else text


def truth(row: dict[str, Any] | None) -> str:
    """Mean share, bold where it is surely above chance; chance in brackets."""
    if row is None:
        return EMPTY
    text = f"{row['value']['mean']:.2f}"
    text = f"**{text}**" if row["standing"] == "better" else text
    return f"{text} ({row['expected']:.2f})"


def shuffled(row: dict[str, Any]) -> str:
    """Rank correlation with the original after every weight was shuffled."""
    if not row["randomised"]:
        return EMPTY
    last = row["randomised"][-1]
    rho = last["frames"] if last["patches"] is None else last["patches"]
    return EMPTY if rho is None else f"{rho:+.2f}"


def markdown(scores: dict[str, Any]) -> list[str]:
    """The table's lines: methods by their mean z when frames are dropped, then references."""
    rows = scores["methods"]
    truths = [name for name in TRUTHS if any(name in row["truth"] for row in rows)]
    patches = any(row["patches"] is not None for row in rows)
    forgetful = any(row["randomised"] for row in rows)
    head = ["method", *(f"frames, {removal}: z" for removal in REMOVALS), "flips"]
    head += ["patches: z"] * patches + [TRUTHS[name] for name in truths]
    head += ["all weights shuffled"] * forgetful + ["seconds"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in sorted(rows, key=_place):
        cells = [f"`{row['method']}`" if row["seconds"] is not None else row["method"]]
        cells += [faithfulness(row["frames"].get(removal)) for removal in REMOVALS]
        cells.append(EMPTY if row["flips"] is None else f"{row['flips']:.0%}")
        cells += [faithfulness(row["patches"])] * patches
        cells += [truth(row["truth"].get(name)) for name in truths]
        cells += [shuffled(row)] * forgetful
        cells.append(EMPTY if row["seconds"] is None else f"{row['seconds']:.2f}")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _place(row: dict[str, Any]) -> tuple[bool, float]:
    """References last; methods that rank no frames after those that do."""
    drop = row["frames"].get("drop")
    return row["seconds"] is None, -drop["z"]["mean"] if drop and drop["z"] else float("inf")


# What two runs must have in common to stand in one table.
SAME = ("format", "model", "weights_sha256", "clips", "used", "seed", "orders", "patches")


def joined(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """One run's scores from those of several, each of other methods on the same clips.

    Raises:
        ValueError: they are not of the same clips, model or yardstick.
    """
    first = runs[0]
    for other in runs[1:]:
        odd = [name for name in SAME if other[name] != first[name]]
        if odd:
            raise ValueError(f"The runs differ in {', '.join(odd)}: they do not fit in one table.")
    rows = {row["method"]: row for run in reversed(runs) for row in run["methods"]}
    said = dict.fromkeys(sentence for run in runs for sentence in run["findings"])
    return {**first, "methods": list(rows.values()), "findings": list(said)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "scores", type=Path, nargs="+", metavar="SCORES.JSON", help="of `score --out`"
    )
    parser.add_argument("--name", help="of the file in benchmarks/results (score-MODEL)")
    arguments = parser.parse_args()
    scores = joined([json.loads(file.read_text()) for file in arguments.scores])
    for line in markdown(scores):
        print(line)
    print()
    for sentence in scores["findings"]:
        print(f"- {sentence}")
    write_result(arguments.name or f"score-{scores['model']}", scores)
    return 0


if __name__ == "__main__":
    sys.exit(main())
