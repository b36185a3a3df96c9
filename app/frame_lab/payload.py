"""The frame lab's records -> what its parts of the page draw, as JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from app import payload, text
from app.frame_lab.agreement import agreement_of
from stam_core.explain import EXPLAINERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from stam_core.edits import Edit
    from stam_core.types import Clip, Explanation, Prediction

LIKELIEST = 4  # classes shown of the clip as opened, and as many of the edited one


def frames_payload(clip: Clip, name: str) -> dict[str, Any]:
    """The frames of one clip, to be drawn and moved about; `name` is untrusted text."""
    picture, columns, tile = payload.frames_picture(clip)
    return {
        "key": clip.digest,
        "name": name,
        "sprite": picture,
        "columns": columns,
        "tile": list(tile),
        "frames": [{"seconds": round(float(seconds), 4)} for seconds in clip.seconds],
    }


def answer_payload(
    clip: Clip,
    original: Prediction,
    edited: Prediction,
    *,
    edit: Edit | None,
    serial: int,
    target: int,
) -> dict[str, Any]:
    """The answer to an edit beside that to the clip as opened; `edit` None: it is as opened."""
    before, after = original.probabilities, edited.probabilities
    shown = {target, *_likeliest(before), *_likeliest(after)}
    first, second = int(before.argmax()), int(after.argmax())
    return {
        "key": clip.digest,
        "serial": serial,
        "edited": edit is not None,
        "now": {"label": edited.labels[second], "probability": float(after[second])},
        "was": {"label": original.labels[first], "probability": float(before[first])},
        "changed": first != second,
        "rows": [
            {
                "index": index,
                "label": original.labels[index],
                "before": float(before[index]),
                "after": float(after[index]),
                "target": index == target,
            }
            for index in sorted(shown, key=lambda index: (-before[index], index))
        ],
        "note": text.LAB_NO_FRAME if edit is not None and edit.n_kept == 0 else "",
    }


def _likeliest(probabilities: NDArray[np.float32]) -> list[int]:
    order = np.argsort(-probabilities, kind="stable")[:LIKELIEST]
    return [int(index) for index in order]


def effects_payload(
    clip: Clip,
    found: Mapping[str, Explanation],
    names: Sequence[str],
    *,
    labels: tuple[str, str | None],
    state: str,
    sufficient: Explanation | None = None,
) -> dict[str, Any]:
    """One row of bars per method, as far as computed, and how far they agree.

    Args:
        clip: as opened.
        found: explanations with frames, by method; partial ones too.
        names: all rows, in their order.
        labels: of the class asked about and of the one it is held against.
        state: "running", "done" or "stopped".
        sufficient: the smallest set of frames that keeps the answer.
    """
    agreement = agreement_of(found, names) if names else None
    return {
        "key": clip.digest,
        "state": state,
        "target": labels[0],
        "foil": labels[1],
        "seconds": [round(float(seconds), 2) for seconds in clip.seconds],
        "rows": [_row(name, found.get(name)) for name in names],
        "sentences": [] if agreement is None else agreement.sentences,
        "sufficient": _sufficient(sufficient, labels),
    }


def _row(name: str, explanation: Explanation | None) -> dict[str, Any]:
    described = EXPLAINERS[name].info
    row: dict[str, Any] = {
        "name": name,
        "title": described.title,
        "caveat": described.caveat,
        "signed": described.signed,
        "values": None,
        "low": None,
        "high": None,
        "done": 0.0,
        "note": "",
    }
    if explanation is None or explanation.frames is None:
        return row
    low, high = explanation.series.get("low"), explanation.series.get("high")
    return row | {
        "values": _numbers(explanation.frames),
        "low": None if low is None else _numbers(low),
        "high": None if high is None else _numbers(high),
        "done": float(explanation.done),
        "note": sum_note(explanation),
    }


def sum_note(explanation: Explanation) -> str:
    """That the bars sum to what they must, and what the marks on them are."""
    details = explanation.details
    notes = []
    if {"v_all", "v_none"} <= details.keys() and explanation.frames is not None:
        total = float(explanation.frames.sum())
        notes.append(
            text.EFFECT_SUM.format(
                sum=_plain(total), all=_plain(details["v_all"]), none=_plain(details["v_none"])
            )
        )
    if "low" in explanation.series:
        notes.append(text.EFFECT_INTERVAL)
    return "; ".join(notes)


def _sufficient(
    explanation: Explanation | None, labels: tuple[str, str | None]
) -> dict[str, Any] | None:
    members = _members(explanation)
    if explanation is None or not members:
        return None
    return {"frames": members, "sentence": sufficient_sentence(explanation, labels)}


def _members(explanation: Explanation | None) -> list[int]:
    if explanation is None or explanation.frames is None:
        return []
    return [int(frame) for frame in np.flatnonzero(explanation.frames > 0.5)]


def sufficient_sentence(explanation: Explanation, labels: tuple[str, str | None]) -> str:
    """Which frames alone are enough, and for what; "" where none are.

    Args:
        explanation: of the smallest sufficient set; its target is the predicted class.
        labels: of the class asked about and of the one it is held against: then the set is enough
            to keep the one above the other, and a third class may lead.
    """
    members = _members(explanation)
    if not members:
        return ""
    target, foil = labels
    sentences = text.EFFECT_SUFFICIENT if foil is None else text.EFFECT_SUFFICIENT_FOIL
    frames = _listed([str(frame + 1) for frame in members])
    told = sentences[min(2, len(members))].format(frames=frames, target=target, foil=foil)
    others = int(explanation.details.get("sets_of_this_size", 0)) - 1
    if others > 0:
        told += " " + text.EFFECT_ALIKE.format(count=others)
    return told


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def curves_payload(
    clip: Clip, decision: Explanation | None, order: Explanation | None, *, foil: bool
) -> dict[str, Any]:
    """The curves that the methods left as series, each with one plain sentence."""
    return {
        "key": clip.digest,
        "unit": text.CURVE_WORDS["difference" if foil else "probability"],
        "low": -1.0 if foil else 0.0,
        "decision": None if decision is None else _decision(decision),
        "order": None if order is None else _order(order),
    }


def _decision(explanation: Explanation) -> dict[str, Any]:
    shown = {"prefix", "suffix", "depth"}
    series = {name: _numbers(row) for name, row in explanation.series.items() if name in shown}
    return {"series": series, "sentence": decision_sentence(explanation)}


def decision_sentence(explanation: Explanation) -> str:
    """From how many frames, and from which layer on, the class leads."""
    details, series = explanation.details, explanation.series
    if "prefix_decided" not in details:
        return text.CURVE_UNDECIDED
    count, frames = int(details["prefix_decided"]), len(series["prefix"]) - 1
    sentence = {0: text.CURVE_ALWAYS, 1: text.CURVE_DECIDED_AT_ONCE}.get(count, text.CURVE_DECIDED)
    lines = [sentence.format(count=count, all=frames)]
    if "depth_decided" in details:
        layer = int(details["depth_decided"])
        lines.append(text.CURVE_DEPTH.format(layer=layer, all=len(series["depth"])))
    return " ".join(lines)


def _order(explanation: Explanation) -> dict[str, Any]:
    series = {name: _numbers(row) for name, row in explanation.series.items()}
    return {"series": series, "sentence": order_sentence(explanation)}


def order_sentence(explanation: Explanation) -> str:
    """The value in other orders beside that as opened."""
    series = explanation.series
    shuffles = series["shuffles"]
    low, median, high = np.percentile(shuffles, [25, 50, 75])
    sentence = text.CURVE_ORDER.format(
        original=_percent(float(series["original"][0])),
        reversed=_percent(float(series["reversed"][0])),
        median=_percent(median),
        low=_percent(low),
        high=_percent(high),
        count=len(shuffles),
    )
    if "shuffles_on_top" in explanation.details:
        held = round(explanation.details["shuffles_on_top"] * len(shuffles))
        sentence += " " + text.CURVE_ORDER_HELD.format(held=held, count=len(shuffles))
    return sentence


def _numbers(row: NDArray[np.float32]) -> list[float]:
    return [float(value) if math.isfinite(value) else 0.0 for value in row]


def _plain(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %".replace("-", "−")
