"""What gradio works out anew for every visitor and event, worked out once.

Gradio describes every part of the page to itself when a visitor comes, and each part that an event
changes twice more. The descriptions rest on signatures and schemas that never change, and working
them out took more than half of the time of the thread that speaks to all visitors.
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.data_classes import FileData


class FileButton(gr.UploadButton):
    """Gradio's button for one file, with its description for clients worked out once."""

    is_template = True  # drawn in the page by gradio's own upload button

    def preprocess(self, payload: Any) -> str | None:  # noqa: ANN401 - gradio checks its form
        """The file's path, whatever its name ends with.

        The original goes by the end of the name and shows Python's list of those it knows. What a
        file is, its bytes tell: the handlers look at them, and refuse in a sentence.
        """
        return payload.path if isinstance(payload, FileData) else None

    def api_info(self) -> dict[str, Any]:
        """As the original's; shared, so not to be written to."""
        return _described(self.file_count)


@cache
def _described(file_count: str) -> dict[str, Any]:
    described: dict[str, Any] = gr.UploadButton(file_count=file_count, render=False).api_info()
    return described


def remember_signatures(page: gr.Blocks) -> None:
    """Keep what `inspect.signature` finds for all parts of a page; it looks there first."""
    kinds = {kind for block in page.blocks.values() for kind in type(block).__mro__}
    for kind in kinds:
        begin = kind.__dict__.get("__init__")
        if issubclass(kind, Block) and inspect.isfunction(begin):
            begin.__signature__ = inspect.signature(begin)  # type: ignore[attr-defined]
