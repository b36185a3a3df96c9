"""A choice with its parameters, drawn from their descriptions."""

from __future__ import annotations

from app.components.base import PageComponent


class ParameterPanel(PageComponent):
    """`value` is made by `app.controls`; event "adjust" `{"choice", "parameters"}`."""

    stem = "panel"
