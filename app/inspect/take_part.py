"""The part of the page that hands out files, the link and the lines to copy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app import text
from app.backstage import Backstage
from app.components import update
from app.components.compare import TakeOffer
from app.guard import guarded
from app.visit import Visit

FILE_BUTTON = "take-file"
# A file is made for one who waits; it must not hold up those who only look.
TAKE_QUEUE: dict[str, Any] = {
    "concurrency_id": "fetch",
    "concurrency_limit": 2,
    "api_visibility": "private",
    "show_progress": "hidden",
}
# The browser saves what the hidden button holds, once it has been drawn with it.
PRESS = f"() => {{ setTimeout(() => document.querySelector('#{FILE_BUTTON}').click(), 60); }}"


@dataclass(frozen=True)
class TakeAway:
    """The offer, and the hidden button through which a file reaches the browser."""

    offer: TakeOffer
    file: gr.DownloadButton

    def wire(self, visit: gr.State, backstage: Backstage) -> None:
        """Connect the parts; `visit` names the view."""

        def take(visit: Visit, event: gr.EventData) -> Iterator[dict[Any, Any]]:
            data = getattr(event, "_data", None)
            kind = data.get("kind") if isinstance(data, dict) else None
            yield {self.offer: update(making=kind if isinstance(kind, str) else "")}
            try:
                with backstage.analyst.take.file(visit, kind) as path:
                    yield {self.file: str(path), self.offer: update(making="")}
            # Whatever it was, `guarded` tells it; here the button must stop saying "being made".
            except Exception:
                yield {self.offer: update(making="")}
                raise

        offer: Any = self.offer  # gradio finds the names of its events in the script
        made = offer.take(guarded(take), [visit], [self.offer, self.file], **TAKE_QUEUE)
        made.success(
            None, None, None, js=PRESS,
            queue=False, api_visibility="private", show_progress="hidden",
        )  # fmt: skip


def build_take_away() -> TakeAway:
    """Lay the part out, closed.

    It opens by its own script: gradio forgets the words of a part inside a closed accordion.
    """
    with gr.Column(elem_id="take", elem_classes="pane"):
        offer = TakeOffer(elem_id="take-offer", making="", words=text.TAKE_WORDS)
        file = gr.DownloadButton("", visible="hidden", elem_id=FILE_BUTTON)
    return TakeAway(offer, file)
