"""Every number of an edited clip, as plain JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stam_core.render.numbers import (
    FORMAT,
    Json,
    clip_numbers,
    explanation_numbers,
    json_ready,
    model_numbers,
    prediction_numbers,
    versions,
)

if TYPE_CHECKING:
    from stam_core.render.edited import EditedClip, Row
    from stam_core.types import Explanation


def edited_numbers(edited: EditedClip, *, weights_digest: str | None = None) -> Json:
    """All figures of one edited clip, ready for `json.dumps(..., allow_nan=False)`.

    Args:
        edited: the edit, its answers and what was measured of the clip as opened.
        weights_digest: SHA-256 of the weights that were used, where known.

    Returns:
        Nested dicts, lists, strings and finite numbers; null where a number was not finite or is
        not computed. Places and frames count from 0.
    """
    names = [
        {"name": name, **clip_numbers(clip)}
        for name, clip in zip(edited.clip_names, edited.clips, strict=True)
    ]
    result: Json = {
        "format": FORMAT,
        "clip": names[0],
        "second_clip": names[1] if len(names) > 1 else None,
        "model": model_numbers(edited.model, weights_digest=weights_digest),
        "edit": _edit(edited),
        "answer": _answers(edited),
        "asked": {
            "target": edited.target.index,
            "target_label": edited.target_label,
            "foil": edited.target.foil,
            "foil_label": edited.foil_label,
        },
        "effects": [_row(row) for row in edited.rows],
        "agreement": {**edited.agreement, "sentences": edited.sentences},
        "sufficient_frames": _told(edited, "sufficient", edited.sufficient),
        "decision_curve": _told(edited, "decision", edited.decision),
        "order_reliance": _told(edited, "order", edited.order),
        "versions": versions(),
    }
    ready = json_ready(result)
    assert isinstance(ready, dict)
    return ready


def _edit(edited: EditedClip) -> Json:
    seconds = [clip.seconds for clip in edited.clips]
    return {
        "places": [
            {
                "place": index,
                "clip": place.clip,
                "frame": place.frame,
                "seconds": float(seconds[place.clip][place.frame]),
                "kept": place.kept,
                "changes": edited.changes(index),
            }
            for index, place in enumerate(edited.places)
        ],
        "removal": edited.removal,
        "positions": edited.positions,
        "kept": edited.n_kept,
        "sentence": edited.edit_words,
    }


def _answers(edited: EditedClip) -> Json:
    """Both answers, of all classes in the model's order."""
    change = edited.edited.probabilities - edited.original.probabilities
    return {
        "original": prediction_numbers(edited.original),
        "edited": prediction_numbers(edited.edited),
        "change": change,
        "changed": int(edited.original.logits.argmax()) != int(edited.edited.logits.argmax()),
    }


def _row(row: Row) -> Json:
    found: Json = {"name": row.name, "title": row.title, "done": 0.0, "frames": None}
    found |= {"caveat": row.caveat, "note": row.note}
    if row.explanation is not None:
        found |= explanation_numbers(row.explanation)
        found["sum_check"] = sum_check(row.explanation)
    return found


def sum_check(explanation: Explanation) -> Json | None:
    """That the scores sum to what all frames are worth beyond none; None where none must."""
    details, frames = explanation.details, explanation.frames
    if frames is None or not {"v_all", "v_none"} <= details.keys():
        return None
    total = float(np.asarray(frames, np.float64).sum())
    whole = details["v_all"] - details["v_none"]
    return {
        "sum": total,
        "all_frames": details["v_all"],
        "no_frame": details["v_none"],
        "difference": total - whole,
    }


def _told(edited: EditedClip, name: str, explanation: Explanation | None) -> Json | None:
    if explanation is None:
        return None
    return {**explanation_numbers(explanation), "sentence": edited.told.get(name, "")}
