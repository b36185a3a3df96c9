"""The parts of the lessons' page, each with its style and script."""

from __future__ import annotations

from app.components.base import PageComponent


class LessonNav(PageComponent):
    """The row of chapters, back and next, free mode; keys, progress and the address.

    Properties: `words` the texts with the chapters, `example` the name of the embedded clip in
    view, or "". What chapter and step the page shows lies in the page alone: on the attributes
    `data-chapter`, `data-step` and `data-free` of `#learn-book`, which the styles follow.
    """

    folder = "learn/"
    stem = "nav"


class LessonFigure(PageComponent):
    """The live figure of the chapter in view, and the question at its end.

    Properties: `clip` is made by `app.learn.desk`, `lesson1` to `lesson8` by the lessons, `words`
    the texts. Events: "ask" `{"key", "chapter", "serial", "first", ...}` with what the chapter's
    lesson reads, "reckon" the same for what takes a pass of a large model (`clip["queued"]`),
    "attempt" for what takes seconds, "example" for the first example in place of the visitor's
    clip.
    """

    folder = "learn/"
    renewed = True
    stem = "lesson"
    scripts = (
        "lesson_begin.js",
        "lesson_frames.js",
        "lesson_1.js",
        "lesson_2.js",
        "lesson_3.js",
        "lesson_4.js",
        "lesson_5.js",
        "lesson_6.js",
        "lesson_7.js",
        "lesson_8.js",
    )


__all__ = ["LessonFigure", "LessonNav"]
