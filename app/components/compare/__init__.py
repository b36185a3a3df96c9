"""The parts of "Take it away" and "Compare", each with its style and script."""

from __future__ import annotations

from app.components.base import PageComponent


class TakeOffer(PageComponent):
    """Files to ask for, and the link and lines of the view, each with a button that copies it.

    `value` is made by the `offer` of a tab's desk; `making` is the kind of file being made, or "";
    `words` the texts. Event: "take" `{"kind"}`.
    """

    folder = "compare/"
    stem = "take"


class Scoreboard(PageComponent):
    """What the two sides say and what each is worth, in figures.

    `value` is made by `app.compare.payload.board_payload`, `words` the texts.
    """

    folder = "compare/"
    renewed = True
    stem = "board"
