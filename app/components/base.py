"""What every component of ours shares: constant files, data through properties.

A template that held `${...}` or `{{...}}` would be run as code over the data by the page, so the
templates are constant and empty of both; the scripts write data with `textContent`, attributes and
canvases only.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

FOLDER = Path(__file__).parent
# What the offline report draws with too belongs to the core.
SHARED_FOLDER = FOLDER.parents[1] / "stam_core" / "render" / "strip"


@cache
def component_file(name: str) -> str:
    """The text of a style sheet or script: one beside this file, or one shared with the report."""
    file = FOLDER / name
    if not file.is_file():
        file = SHARED_FOLDER / name
    return file.read_text(encoding="utf-8")


class PageComponent(gr.HTML):
    """A part of the page drawn by our own script from JSON.

    The child class names its files by `stem`: `stem.css` and `stem.js`, with `scripts` before the
    latter where one file would be too long; `begin.js` goes before them all. Files of a part with
    a `folder` of its own lie there. The script reads `props.value` and the other properties, and
    answers with `trigger(event, data)`.
    """

    folder = ""  # in the components' folder, with a slash at its end; "": that folder itself
    stem = ""
    scripts: tuple[str, ...] = ()

    def __init__(self, value: dict[str, Any] | None = None, **properties: Any) -> None:  # noqa: ANN401 - handed on to gradio
        """`properties` go to gradio, the unknown ones from there to the script as `props`."""
        own = (f"{self.folder}{name}" for name in (*self.scripts, f"{self.stem}.js"))
        scripts = ("begin.js", *own)
        super().__init__(
            value,
            html_template=f'<div class="{self.stem}" data-root></div>',
            css_template=component_file(f"{self.folder}{self.stem}.css"),
            js_on_load="\n".join(map(component_file, scripts)),
            apply_default_css=False,
            **properties,
        )

    def postprocess(self, value: dict[str, Any] | None) -> dict[str, Any] | None:  # type: ignore[override]
        """Hand the data on as it is: it never becomes HTML."""
        return value

    def preprocess(self, payload: dict[str, Any] | None) -> None:  # type: ignore[override]
        """Nothing comes back from the page this way; events carry their own data."""
        return

    def api_info(self) -> dict[str, Any]:
        """JSON, so that clients do not take it for text."""
        return {"type": "object"}

    def read_from_flag(self, payload: Any) -> Any:  # noqa: ANN401 - whatever was stored
        """As stored."""
        return payload
