"""The comparison to take away: a figure, its numbers, its link and lines that give it again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from app import text
from app.compare.asks import side_ask
from app.compare.desk import scale_of
from app.compare.links import TAB, write_pair
from app.compare.payload import agreements, board_payload, worth_payload
from app.takeaway.files import checked_kind, handed_out, kinds_of, question_of, write_json
from stam_core.gather import gather_evidence
from stam_core.render.comparison_figure import Comparison, Group, render_comparison
from stam_core.render.numbers import json_ready, numbers
from stam_core.render.repeat import command_line, compared_python_lines
from stam_core.render.sheet import save_figure

if TYPE_CHECKING:
    from pathlib import Path

    from app.analysis import Analyst
    from app.compare.desk import SideShown
    from app.compare.judge import Judged
    from app.compare.state import Pair
    from stam_core.metrics.faithfulness import RemovalScores
    from stam_core.render.evidence import Evidence

KINDS = kinds_of(text.COMPARE_TAKE_WORDS)


class CompareTakeDesk:
    """Files, links and lines of the comparisons; holds nothing of the visitors'."""

    def __init__(self, analyst: Analyst) -> None:
        """`analyst` has the models and the clips."""
        self._analyst = analyst

    def offer(self, pair: Pair) -> dict[str, Any]:
        """The link and the lines of both sides, for the page."""
        asked = [question_of(self._analyst, side, side_ask(side)) for side in pair.sides]
        return {
            "link": write_pair(self._analyst, pair),
            "python": compared_python_lines(asked[0], asked[1]),
            "command": "\n".join(
                command_line(question, out=f"results/{name.lower()}")
                for question, name in zip(asked, text.COMPARE_SIDES, strict=True)
            ),
        }

    @contextmanager
    def file(self, pair: Pair, kind: object) -> Iterator[Path]:
        """Both sides as a file of that kind, gone when the block ends.

        What each ranking is worth is taken as far as it was measured.

        Raises:
            ParameterError: there is no such kind.
            StamError: a clip or model cannot be had.
        """
        suffix = checked_kind(kind, KINDS)
        sides = self._analyst.compare.sides(pair)
        evidence = [self._evidence(side) for side in sides]

        def write(path: Path) -> None:
            if suffix == "json":
                write_json(path, self._numbers(sides, evidence))
            else:
                save_figure(render_comparison(self._comparison(sides, evidence)), path)

        with handed_out(evidence[0].clip_name, TAB, suffix, write) as path:
            yield path

    def _evidence(self, side: SideShown) -> Evidence:
        name = self._analyst.sources.get(side.visit.source).name
        return gather_evidence(side.engine, side.clip, clip_name=name, explanation=side.explanation)

    def _judged(self, sides: Sequence[SideShown]) -> list[Judged]:
        """What is measured, from the left on: as the page shows it."""
        found = [self._analyst.compare.judge.so_far(side) for side in sides]
        left = [] if found[0] is None else [found[0]]
        return left if not left or found[1] is None else [*left, found[1]]

    def _comparison(
        self, sides: tuple[SideShown, SideShown], evidence: Sequence[Evidence]
    ) -> Comparison:
        scale = scale_of(*sides)
        board = board_payload(*sides, scale)
        truth = [self._analyst.compare.truth(side) for side in sides]
        worth = worth_payload(sides, self._judged(sides), truth)["groups"]
        groups = [Group("", "", board["rows"])]
        groups += [Group(group["title"], group["help"], group["rows"]) for group in worth]
        return Comparison(
            sides=(evidence[0], evidence[1]),
            names=text.COMPARE_SIDES,
            scale=scale,
            heads=board["heads"],
            groups=groups,
            notes=board["notes"],
        )

    def _numbers(
        self, sides: tuple[SideShown, SideShown], evidence: Sequence[Evidence]
    ) -> dict[str, Any]:
        """Every number of both sides, what each is worth and how far they agree."""
        scale = scale_of(*sides)
        found: dict[str, Any] = {}
        for name, side, one in zip(("left", "right"), sides, evidence, strict=True):
            truth = self._analyst.compare.truth(side)
            found[name] = {
                **numbers(one, weights_digest=side.engine.report.sha256),
                "faithfulness": _worth(self._analyst.compare.judge.so_far(side)),
                "truth": None
                if truth is None
                else {score: asdict(figure) for score, figure in truth.items()},
            }
        found["scale"] = asdict(scale)
        found["agreement"] = {
            places: asdict(agreement) for places, agreement in agreements(*sides).items()
        }
        found["sentences"] = board_payload(*sides, scale)["notes"]
        ready = json_ready(found)
        assert isinstance(ready, dict)
        return ready


def _worth(judged: Judged | None) -> dict[str, Any] | None:
    """Whether the answer follows the ranking; None: not measured, or not measured yet."""
    if judged is None or judged.found is None:
        return None
    return {
        "random_orders": judged.orders,
        "tied": judged.found.tied,
        "flips": judged.found.flips,
        "sentence": judged.found.sentence,
        "removals": {
            removal: _removal(scores) for removal, scores in judged.found.removals.items()
        },
    }


def _removal(scores: RemovalScores) -> dict[str, Any]:
    measures = {
        name: {**asdict(measure), "z": measure.z, "verdict": measure.verdict}
        for name, measure in scores.measures.items()
    }
    return {
        "z": scores.z,
        "verdict": scores.verdict,
        "measures": measures,
        "insertion": scores.insertion,
        "deletion": scores.deletion,
    }
