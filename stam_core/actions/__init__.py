"""The rendered-actions dataset: figures doing 23 actions, with the truth about their motion."""

from __future__ import annotations

from stam_core.actions.dataset import (
    RenderedClips,
    RenderSpec,
    join_clips,
    render_clip,
    render_clips,
    rendered_batches,
)
from stam_core.actions.motions import ACTIONS, LABELS, TIME_PAIRS

__all__ = [
    "ACTIONS",
    "LABELS",
    "TIME_PAIRS",
    "RenderSpec",
    "RenderedClips",
    "join_clips",
    "render_clip",
    "render_clips",
    "rendered_batches",
]
