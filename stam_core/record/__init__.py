"""Listen to a model once: one forward pass in, its attention maps and embeddings out."""

from __future__ import annotations

from stam_core.record.clips import classify_clips
from stam_core.record.frames import FRAMES_AT_ONCE, embed_frames, recorded_at_once
from stam_core.record.listen import RecordingError, listen
from stam_core.record.protocols import (
    ChoosesFrames,
    JoinsFrames,
    ReadsDepths,
    VideoModel,
    embeds_frames,
)
from stam_core.record.subject import RECORDERS, Subject, record

__all__ = [
    "FRAMES_AT_ONCE",
    "RECORDERS",
    "ChoosesFrames",
    "JoinsFrames",
    "ReadsDepths",
    "RecordingError",
    "Subject",
    "VideoModel",
    "classify_clips",
    "embed_frames",
    "embeds_frames",
    "listen",
    "record",
    "recorded_at_once",
]
