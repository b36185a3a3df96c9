"""What every component of ours shares: constant files, data through properties.

A template that held `${...}` or `{{...}}` would be run as code over the data by the page, so the
templates are constant and empty of both; the scripts write data with `textContent`, attributes and
canvases only.

Records travel as JSON text. At each event gradio copies all properties of all parts of the page,
value by value: 100 ms for the heat maps of one clip, at every click anywhere. A text is one value.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr
import orjson

RECORD = "json:"  # before a record's text; `unpack.js` knows it too
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


def packed(value: Any) -> Any:  # noqa: ANN401 - any property of a component
    """A record as text; whatever else it is, as it is."""
    if not isinstance(value, dict | list):
        return value
    return RECORD + orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def update(**properties: Any) -> dict[str, Any]:  # noqa: ANN401 - any property of a component
    """What a handler yields to change some properties of one of our components."""
    changed: dict[str, Any] = gr.update(
        **{name: packed(value) for name, value in properties.items()}
    )
    return changed


@cache
def quoted_names(script: str) -> frozenset[str]:
    """The words between quotes in a script, its events among them."""
    return frozenset(re.findall(r"""(?<=['"`])\w+(?=['"`])""", script))


class PageComponent(gr.HTML):
    """A part of the page drawn by our own script from JSON.

    The child class names its files by `stem`: `stem.css` and `stem.js`, with `scripts` before the
    latter where one file would be too long; `unpack.js` and `begin.js` go before them all. Files of
    a part with a `folder` of its own lie there. The script reads `props.value` and the other
    properties, and answers with `trigger(event, data)`.
    """

    renewed = False  # whether the script asks with `trigger("renew")` when "Inspect" shows a clip
    folder = ""  # in the components' folder, with a slash at its end; "": that folder itself
    stem = ""
    scripts: tuple[str, ...] = ()

    def __init__(self, value: dict[str, Any] | None = None, **properties: Any) -> None:  # noqa: ANN401 - handed on to gradio
        """`properties` go to gradio, the unknown ones from there to the script as `props`."""
        own = (f"{self.folder}{name}" for name in (*self.scripts, f"{self.stem}.js"))
        shared = ("unpack.js", "begin.js", *(("renew.js",) if self.renewed else ()))
        scripts = (*shared, *own)
        super().__init__(
            value,
            html_template=f'<div class="{self.stem}" data-root></div>',
            css_template=component_file(f"{self.folder}{self.stem}.css"),
            js_on_load="\n".join(map(component_file, scripts)),
            apply_default_css=False,
            **{name: packed(value) for name, value in properties.items()},
        )

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - an event, or there is none
        """The event `name`, as gradio has it, if the script says that word.

        Gradio asks for what is not there many times per event and component, and reads through the
        whole script each time: a third of what a visit costs beside the model.
        """
        if name not in quoted_names(self.__dict__.get("js_on_load") or ""):
            raise AttributeError(f"{type(self).__name__!r} has no attribute or event {name!r}.")
        return super().__getattr__(name)

    def postprocess(self, value: dict[str, Any] | str | None) -> str | None:  # type: ignore[override]
        """The record as text; it never becomes HTML."""
        text: str | None = packed(value)
        return text

    def preprocess(self, payload: dict[str, Any] | None) -> None:  # type: ignore[override]
        """Nothing comes back from the page this way; events carry their own data."""
        return

    def api_info(self) -> dict[str, Any]:
        """JSON, so that clients do not take it for text."""
        return {"type": "object"}

    def read_from_flag(self, payload: Any) -> Any:  # noqa: ANN401 - whatever was stored
        """As stored."""
        return payload
