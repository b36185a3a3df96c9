"""A video file or array becomes a `Clip`: T chosen frames, upright, scaled down, timed."""

from __future__ import annotations

from stam_core.video.clip import clip_from_array, open_clip
from stam_core.video.decode import probe
from stam_core.video.preprocess import crop_box, preprocess
from stam_core.video.sample import (
    SAMPLING_POLICIES,
    official_indices,
    span_indices,
    uniform_indices,
)

__all__ = [
    "SAMPLING_POLICIES",
    "clip_from_array",
    "crop_box",
    "official_indices",
    "open_clip",
    "preprocess",
    "probe",
    "span_indices",
    "uniform_indices",
]
