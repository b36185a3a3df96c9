"""Two sides -> the board under them: what they say, whether they agree, what each is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from app import controls, text
from stam_core.metrics.agreement import Agreement, compare
from stam_core.metrics.faithfulness import ORDERS, REMOVAL_WORDS
from stam_core.render.strip_data import method_title

if TYPE_CHECKING:
    from app.compare.desk import SideShown
    from app.compare.judge import Judged
    from stam_core.metrics.score_records import Figure
    from stam_core.render.comparison import SharedScale
    from stam_core.types import Explanation

Row = list[str]  # heading, left, right


def board_payload(left: SideShown, right: SideShown, scale: SharedScale) -> dict[str, Any]:
    """What is known at once: the answers, the cost, whether the two agree."""
    sides = (left, right)
    return {
        "heads": ["", *(_head(side) for side in sides)],
        "rows": [
            [text.COMPARE_ANSWER, *(_answer(side) for side in sides)],
            [text.COMPARE_COST, *(_cost(side.explanation) for side in sides)],
        ],
        "notes": [
            text.COMPARE_SAME_SCALE if scale.same_units else text.COMPARE_OTHER_UNITS,
            *agreement_sentences(left, right),
        ],
        "groups": [],
        "working": True,
    }


def agreement_sentences(left: SideShown, right: SideShown) -> list[str]:
    """Whether the two rank frames and patches alike, where they speak of the same ones."""
    said = [agreement.sentence for agreement in agreements(left, right).values()]
    return said or [text.COMPARE_NO_PLACES]


def agreements(left: SideShown, right: SideShown) -> dict[str, Agreement]:
    """How alike the two rank "frames" and "patches"; only where both score the same ones."""
    if left.clip.digest != right.clip.digest:
        return {}
    a, b = left.explanation, right.explanation
    names = (_head(left), _head(right))
    if names[0] == names[1]:
        names = text.COMPARE_SIDES
    found = {}
    if a.frames is not None and b.frames is not None:
        found["frames"] = compare(a.frames, b.frames, names=names)
    if a.patches is not None and b.patches is not None and a.patches.shape == b.patches.shape:
        found["patches"] = compare(a.patches, b.patches, names=names, places="patches")
    return found


def worth_payload(
    sides: Sequence[SideShown],
    judged: Sequence[Judged],
    found: Sequence[Mapping[str, Figure] | None],
) -> dict[str, Any]:
    """Faithfulness and truth, as far as they are measured; `judged` may be short."""
    groups = [
        {
            "title": text.COMPARE_FRAMES,
            "help": text.COMPARE_FRAMES_HELP.format(orders=_orders(judged)),
            "rows": _faithful_rows(sides, judged),
        }
    ]
    names = list(dict.fromkeys(name for figures in found if figures for name in figures))
    rows = [[name.capitalize(), *(_truth(figures, name) for figures in found)] for name in names]
    about = text.COMPARE_TRUTH_HELP if rows else text.COMPARE_NO_TRUTH
    groups.append({"title": text.COMPARE_TRUTH, "help": about, "rows": rows})
    return {"groups": groups}


def _faithful_rows(sides: Sequence[SideShown], judged: Sequence[Judged]) -> list[Row]:
    rows = []
    for removal, words in REMOVAL_WORDS.items():
        cells = []
        for one in judged:
            if one.found is None:
                dear = text.COMPARE_TOO_DEAR.format(passes=one.passes)
                cells.append(dear if one.passes else text.COMPARE_NO_FRAMES)
                continue
            scores = one.found.removals[removal]
            z = "" if scores.z is None else f"z {scores.z:+.1f}, ".replace("-", "−")
            cells.append(z + text.COMPARE_VERDICTS[scores.verdict])
        cells += ["…"] * (len(sides) - len(cells))
        rows.append([words[0].upper() + words[1:], *cells])
    flips = [text.COMPARE_FLIPS if one.found and one.found.flips else "" for one in judged]
    if any(flips):
        rows.append(["", *flips, *[""] * (len(sides) - len(flips))])
    return rows


def _orders(judged: Sequence[Judged]) -> str:
    """How many random orders are the yardstick; both numbers where the sides differ."""
    counts = [one.orders for one in judged if one.orders]
    if len(set(counts)) > 1:
        return text.COMPARE_TWO_NUMBERS.format(left=counts[0], right=counts[1])
    return str(counts[0] if counts else ORDERS)


def _truth(figures: Mapping[str, Figure] | None, name: str) -> str:
    if figures is None or name not in figures:
        return "–"
    figure = figures[name]
    return f"{figure.value:.0%} ({figure.expected:.0%})"


def _head(side: SideShown) -> str:
    return method_title(side.explanation, controls.method_titles(), side.engine.info.labels)


def _answer(side: SideShown) -> str:
    label, probability = side.engine.predict(side.clip).top(1)[0]
    return f"{label}, {probability:.1%}"


def _cost(explanation: Explanation) -> str:
    return text.COMPARE_COST_VALUE.format(passes=explanation.passes, seconds=explanation.seconds)
