"""How good an explanation is: random rankings, truth, forgetting; and what order is worth.

None of these scores says that what a map marks changed the answer.
"""

from __future__ import annotations

from stam_core.metrics.agreement import Agreement, compare
from stam_core.metrics.chance import TruthScore, TruthSummary, summarise
from stam_core.metrics.faithfulness import (
    Faithfulness,
    frame_bands,
    frame_faithfulness,
    judge_frames,
)
from stam_core.metrics.order import OrderRow, time_matters
from stam_core.metrics.patch_faithfulness import judge_patches, patch_band
from stam_core.metrics.randomise import Randomisation, randomise
from stam_core.metrics.rendered import CONTROLS, TruthRow, score_rendered
from stam_core.metrics.truth import key_frame_recall, mass_in_mask, patch_shares, pointing_game

__all__ = [
    "CONTROLS",
    "Agreement",
    "Faithfulness",
    "OrderRow",
    "Randomisation",
    "TruthRow",
    "TruthScore",
    "TruthSummary",
    "compare",
    "frame_bands",
    "frame_faithfulness",
    "judge_frames",
    "judge_patches",
    "key_frame_recall",
    "mass_in_mask",
    "patch_band",
    "patch_shares",
    "pointing_game",
    "randomise",
    "score_rendered",
    "summarise",
    "time_matters",
]
