"""Facts in two columns, with sentences below."""

from __future__ import annotations

from app.components.base import PageComponent


class FactSheet(PageComponent):
    """`value` is `{"title", "rows": [[name, text]], "notes": [text], "progress"}`.

    `progress` is a share in [0,1], or None for no bar.
    """

    stem = "facts"
