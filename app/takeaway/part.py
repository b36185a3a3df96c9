"""The part of a page that hands out files, the link and the lines to copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from app.components import update
from app.components.compare import TakeOffer
from app.events import event_data
from app.guard import guarded
from app.visit import Visit

# What a tab makes of an address, for the clip in view: changes, and reasons for what is not here.
Linked = Callable[[Visit, dict[str, str]], tuple[dict[Any, Any], list[str]]]

# A file is made for one who waits; it must not hold up those who only look.
TAKE_QUEUE: dict[str, Any] = {
    "concurrency_id": "fetch",
    "concurrency_limit": 2,
    "api_visibility": "private",
    "show_progress": "hidden",
}


@dataclass(frozen=True)
class TakeAway:
    """The offer, and the hidden button through which a file reaches the browser."""

    offer: TakeOffer
    file: gr.DownloadButton

    def wire(self, handler: Callable[..., Iterator[Any]], inputs: list[gr.State]) -> None:
        """Connect the parts.

        Args:
            handler: takes the inputs and the event, and yields what `hand_out` does.
            inputs: what names the view.
        """
        offer: Any = self.offer  # gradio finds the names of its events in the script
        made = offer.take(guarded(handler), inputs, [self.offer, self.file], **TAKE_QUEUE)
        # The browser saves what the hidden button holds, once it has been drawn with it.
        press = f"document.querySelector('#{self.file.elem_id}').click()"
        made.success(
            None, None, None, js=f"() => {{ setTimeout(() => {press}, 60); }}",
            queue=False, api_visibility="private", show_progress="hidden",
        )  # fmt: skip

    def hand_out(
        self, event: gr.EventData, file: Callable[[object], AbstractContextManager[Path]]
    ) -> Iterator[dict[Any, Any]]:
        """The file that an event asks for; `file` makes one of a kind.

        Raises:
            StamError: there is no such kind, or the file cannot be made.
        """
        kind = event_data(event).get("kind")
        yield {self.offer: update(making=kind if isinstance(kind, str) else "")}
        try:
            with file(kind) as path:
                yield {self.file: str(path), self.offer: update(making="")}
        # Whatever it was, `guarded` tells it; here the button must stop saying "being made".
        except Exception:
            yield {self.offer: update(making="")}
            raise


def build_take_away(words: dict[str, Any], elem_id: str) -> TakeAway:
    """Lay the part out, closed.

    It opens by its own script: gradio forgets the words of a part inside a closed accordion.

    Args:
        words: what it offers and says.
        elem_id: of the part in the page.
    """
    with gr.Column(elem_id=elem_id, elem_classes="pane take-away"):
        offer = TakeOffer(elem_id=f"{elem_id}-offer", making="", words=words)
        file = gr.DownloadButton("", visible="hidden", elem_id=f"{elem_id}-file")
    return TakeAway(offer, file)
