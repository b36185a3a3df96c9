"""The predicted actions as bars."""

from __future__ import annotations

from app.components.base import PageComponent


class Predictions(PageComponent):
    """`value` is `{"rows": [{"label", "probability"}], "note"}`, likeliest first."""

    stem = "predictions"
