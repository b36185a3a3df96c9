"""The figures of `embedded_model` as the tables of the model card, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Figures = dict[str, Any]


def tables(figures: Figures) -> str:
    """All tables, one after another."""
    parts = [accuracy_table(figures), _order(figures["order"])]
    if "roaming" in figures:
        parts.append(_roaming(figures["roaming"]))
    if "truth" in figures:
        parts.append(truth_table(figures["truth"]))
    if "real" in figures:
        parts.append(real_table(figures["real"]))
    seconds = ", ".join(f"{name} {value:g} s" for name, value in figures["seconds"].items())
    return "\n\n".join([*parts, f"Took: {seconds}."])


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(head)
    lines = [names, ["---"] * len(names), *map(list, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.1f} %"


def accuracy_table(figures: Figures) -> str:
    """Accuracy, size and work of one model."""
    found, size = figures["accuracy"], figures["size"]
    weakest = sorted(found["per_class"].items(), key=lambda entry: entry[1]["top1"])
    bytes_said = "unknown" if size["file_bytes"] is None else f"{size['file_bytes'] / 1e6:.2f} MB"
    rows = [
        ("top-1", f"**{_percent(found['top1'])}** of {found['clips']:,}"),
        ("top-5", _percent(found["top5"])),
        (
            "time pairs played backwards, recognised as the other action",
            f"**{_percent(found['reversed_pairs'])}** of {found['reversed_clips']:,}",
        ),
        ("by label, weakest first", _each((k, _percent(v["top1"])) for k, v in weakest)),
        (
            "commonest mistakes",
            _each((f"{shown} as {said}", str(n)) for shown, said, n in found["confusions"]),
        ),
        ("file", bytes_said),
        ("parameters", f"{size['parameters']:,}"),
        ("work", _work(size)),
    ]
    if found.get("clips_of_unknown_actions"):
        rows.append(
            ("clips of actions that it does not know", f"{found['clips_of_unknown_actions']:,}")
        )
    return f"### {figures['model']}, seed {figures['seed']}\n\n" + _table(("", ""), rows)


def _work(size: Figures) -> str:
    said = f"{size['gmacs']:.2f} GMAC a clip"
    over_time = size.get("gmacs_temporal_stage")
    return said if over_time is None else f"{said}, {over_time:.4f} of it over time"


def _each(pairs: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {value}" for name, value in pairs) or "none"


def _roaming(found: Figures) -> str:
    rows = [
        (name, _percent(v["top1"]), str(v["clips"]))
        for name, v in [("all", found), *found["per_class"].items()]
    ]
    mistakes = _each((f"{shown} as {said}", str(n)) for shown, said, n in found["confusions"])
    table = _table(("who", "top-1", "clips"), rows)
    return f"### Past a camera that stands\n\n{table}\n\nCommonest mistakes: {mistakes}."


def _order(rows: list[Figures]) -> str:
    head = ("answer from", "knows the order", "top-1", "top-1 on time pairs", "direction")
    body = [
        (
            row["name"] + (" (trained here)" if row["trained_here"] else ""),
            "yes" if row["knows_order"] else "no",
            _percent(row["top1"]),
            _percent(row["pairs_top1"]),
            _percent(row["direction"]),
        )
        for row in rows
    ]
    clips, pairs = rows[0]["clips"], rows[0]["pair_clips"]
    note = (
        f"{clips:,} clips, {pairs:,} of time pairs. Direction: which of the pair's two actions; "
        "chance is 50 %."
    )
    return f"### Does time matter?\n\n{_table(head, body)}\n\n{note}"


def truth_table(rows: list[Figures]) -> str:
    """What its maps find."""
    head = ("score", "method", "mean [95 %]", "random [95 %]", "z", "another clip's truth", "clips")
    body = [
        (
            row["name"],
            row["method"],
            f"{row['mean']:.3f} [{row['interval'][0]:.3f}, {row['interval'][1]:.3f}]",
            f"{row['expected']:.3f} [{row['band'][0]:.3f}, {row['band'][1]:.3f}]",
            "none" if row["z"] is None else f"{row['z']:+.0f}",
            "none" if row["other_clip"] is None else f"{row['other_clip']:.3f}",
            f"{row['clips']}, {row['clips_left_out']} left out",
        )
        for row in rows
    ]
    return f"### What its maps find\n\n{_table(head, body)}"


def real_table(real: Figures) -> str:
    """Its answers for clips of real people."""
    head = ("real clips", "top-1", "top-3", "top-1, mean over files", "rows", "files")
    groups = {name.replace("_", " "): real[name] for name in ("all", "whole_clips", "spans")}
    body = [
        (
            name,
            _percent(found["top1"]),
            _percent(found["top3"]),
            _percent(found["top1_mean_over_files"]),
            str(found["clips"]),
            str(found["files"]),
        )
        for name, found in (groups | real["per_label"]).items()
    ]
    each = [
        (
            row["clip"],
            " or ".join(row["expected"]),
            row["problem"] or str(row["rank"]),
            _each((label, f"{share:.2f}") for label, share in row["top5"]),
        )
        for row in real["rows"]
    ]
    return f"### Real people\n\n{_table(head, body)}\n\n" + _table(
        ("clip", "expected", "place", "five likeliest"), each
    )
