"""Two explanations on one scale, where that means anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stam_core.render.strip_data import is_share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stam_core.types import Explanation


@dataclass(frozen=True)
class SharedScale:
    """The scores that full colour and a full bar stand for on both sides."""

    same_units: bool
    heat_peak: float | None  # None: each side has its own
    bars_peak: float | None


def same_units(a: Explanation, b: Explanation, *, same_model: bool) -> bool:
    """Whether equal numbers mean the same on both sides.

    Shares of a whole do, whoever gives them. So do scores of one method set alike on one model,
    about whatever class or clip. Anything else counts in units of its own.
    """
    if is_share(a) and is_share(b):
        return True
    return same_model and a.method == b.method and a.parameters == b.parameters


def shared_scale(a: Explanation, b: Explanation, *, same_model: bool) -> SharedScale:
    """One scale for two explanations; none where their units differ."""
    if not same_units(a, b, same_model=same_model):
        return SharedScale(False, None, None)
    return SharedScale(True, _peak(a.patches, b.patches), _peak(a.frames, b.frames))


def on_scale(scores: dict[str, Any], scale: SharedScale) -> dict[str, Any]:
    """The payload of `strip_data.scores_payload`, drawn on the shared scale."""
    drawn = dict(scores)
    for part, peak in (("heat", scale.heat_peak), ("bars", scale.bars_peak)):
        if drawn[part] is not None and peak is not None:
            drawn[part] = {**drawn[part], "peak": peak}
    return drawn


def _peak(*scores: NDArray[np.float32] | None) -> float | None:
    found = [float(np.abs(array).max()) for array in scores if array is not None]
    return max(found) or None if found else None
