"""Hold the project against golden numbers of the official codes.

    python benchmarks/parity.py DIR [--only stam] [--json]

DIR holds fixtures: NAME.json says what an official code was asked, NAME.safetensors (or the JSON
itself, for frame indices) what it answered. Everything here goes through the project's own models,
recording, rollout, preprocessing and sampling. Exit code 0: all within tolerance; 1: something is
not; 2: nothing could be compared.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, from anywhere

from benchmarks.parity_fixtures import Comparison, Fixture, find_fixtures
from benchmarks.parity_inputs import compare_preprocessing, compare_sampling
from benchmarks.parity_models import compare_stam, compare_timesformer
from stam_core.errors import StamError

COMPARE: dict[str, Callable[[Fixture], Iterator[Comparison]]] = {
    "stam": compare_stam,
    "timesformer": compare_timesformer,
    "hf_timesformer": compare_timesformer,
    "preprocessing": compare_preprocessing,
    "frame sampling": compare_sampling,
}


def compare_fixture(fixture: Fixture) -> list[Comparison]:
    """Every comparison that a fixture allows; one saying "not implemented" where none is."""
    if fixture.family not in COMPARE:
        return [fixture.missing(fixture.family, "all outputs")]
    try:
        return list(COMPARE[fixture.family](fixture))
    except (StamError, KeyError) as error:
        text = f"fixture lacks {error}" if isinstance(error, KeyError) else str(error)
        return [Comparison(fixture.name, fixture.family, "all outputs", error=text)]


def summary(comparisons: list[Comparison]) -> str:
    """How many of what, in a sentence."""
    compared = [entry for entry in comparisons if entry.implemented]
    beyond = sum(not entry.ok for entry in compared)
    missing = len(comparisons) - len(compared)
    return (
        f"{len(compared)} outputs compared, {beyond} beyond tolerance, {missing} not implemented."
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Hold the project against golden numbers.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of fixtures")
    parser.add_argument("--only", metavar="FAMILY", help="compare this family alone, such as stam")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # tiny models: more threads only wait for each other
    try:
        fixtures = find_fixtures(options.folder)
    except (OSError, ValueError) as error:
        print(f"A fixture in {options.folder} cannot be read: {error}.", file=sys.stderr)
        return 2
    comparisons = [entry for fixture in fixtures for entry in compare_fixture(fixture)]
    families = sorted({entry.family for entry in comparisons})
    if options.only:
        comparisons = [entry for entry in comparisons if entry.family == options.only]
    if not comparisons:
        found = f"it has: {', '.join(families)}" if families else "expected NAME.json files"
        what = f"no fixture of {options.only!r}" if options.only else "no fixture"
        print(f"There is {what} in {options.folder}; {found}.", file=sys.stderr)
        return 2
    if options.json:
        entries = [asdict(entry) | {"ok": entry.ok} for entry in comparisons]
        print(json.dumps({"torch": torch.__version__, "comparisons": entries}, indent=1))
    else:
        print(*comparisons, summary(comparisons), sep="\n")
    if not any(entry.implemented for entry in comparisons):
        return 2
    return 0 if all(entry.ok for entry in comparisons) else 1


if __name__ == "__main__":
    sys.exit(main())
