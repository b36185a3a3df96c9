"""The predicted actions as bars."""

from __future__ import annotations

from app.components.base import PageComponent


class Predictions(PageComponent):
    """`value` is `{"rows": [{"label", "probability"}], "note"}`, likeliest first.

    Other properties: `old`: these are not yet of the clip in view; `words` the texts.
    """

    stem = "predictions"
