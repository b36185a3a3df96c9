"""How good an explanation is: scores against the truth of rendered clips, and what order is worth.

None of these scores says that what a map marks changed the answer.
"""

from __future__ import annotations

from stam_core.metrics.chance import TruthScore, TruthSummary, summarise
from stam_core.metrics.order import OrderRow, time_matters
from stam_core.metrics.rendered import CONTROLS, TruthRow, score_rendered
from stam_core.metrics.truth import key_frame_recall, mass_in_mask, patch_shares, pointing_game

__all__ = [
    "CONTROLS",
    "OrderRow",
    "TruthRow",
    "TruthScore",
    "TruthSummary",
    "key_frame_recall",
    "mass_in_mask",
    "patch_shares",
    "pointing_game",
    "score_rendered",
    "summarise",
    "time_matters",
]
