"""The strip of frames: heat map over each, attention bar under it, a large view on a click."""

from __future__ import annotations

from app.components.base import PageComponent


class FrameStrip(PageComponent):
    """Frames come once per clip (`clip`), scores on every change (`value`); the page does the rest.

    Properties: `value` is `app.payload.scores_payload`, `clip` is `app.payload.clip_payload`,
    `words` holds the texts.
    """

    stem = "strip"
    scripts = ("strip_begin.js", "strip_draw.js", "strip_large.js")
