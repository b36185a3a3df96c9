"""The parts of the frame lab's page, each with its style and script."""

from __future__ import annotations

from app.components.base import PageComponent


class LabStrip(PageComponent):
    """Frames as things to take away, move, repeat and replace; the edit lives in the page.

    Properties: `clip` and `second` are made by `app.frame_lab.payload.frames_payload` or empty,
    `sources` lists `[name, title]` of the embedded clips, `words` the texts. Events: "arrange"
    `{"keys", "slots": [[clip, frame, kept]], "removal", "places", "serial"}`, "operate"
    `{"removal", "places"}`, "splice" `{"name"}`.
    """

    folder = "frame_lab/"
    renewed = True
    stem = "lab"
    scripts = ("lab_begin.js", "lab_edits.js", "lab_tiles.js", "lab_drag.js")


class AnswerBars(PageComponent):
    """The answer to the edited clip, class by class, beside that to the clip as opened.

    `value` is made by `app.frame_lab.payload.answer_payload`; `aim` is `{"key", "classes",
    "predicted", "target", "foil"}`, `words` the texts; event "aim" `{"target", "foil"}`.
    """

    folder = "frame_lab/"
    stem = "answer"


class EffectBars(PageComponent):
    """Per method a row of one bar per frame, and whether they agree.

    `value` is made by `app.frame_lab.payload.effects_payload`, `words` the texts; event "halt".
    """

    folder = "frame_lab/"
    stem = "effects"


class DecisionCurves(PageComponent):
    """When it decided, and whether order matters.

    `value` is made by `app.frame_lab.payload.curves_payload`, `words` the texts.
    """

    folder = "frame_lab/"
    stem = "curves"
    scripts = ("curves_draw.js",)


__all__ = ["AnswerBars", "DecisionCurves", "EffectBars", "LabStrip"]
