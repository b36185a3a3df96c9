"""A line that says a clip is on its way, for as long as it is."""

from __future__ import annotations

from typing import Any

from app.components.base import PageComponent

_SAY = "document.dispatchEvent(new CustomEvent('stam-opening', {{ detail: {change} }}));"
_BEGUN = f"(...sent) => {{ {_SAY.format(change=1)} return sent; }}"
_ENDED = f"() => {{ {_SAY.format(change=-1)} }}"


class OpeningLine(PageComponent):
    """Shown once a clip takes longer than a moment, from its choice to its first picture.

    It knows nothing of the clip and asks the server nothing, so that it also speaks while others
    are ahead in the queue.
    """

    stem = "opening"


def told_while_opening(event: Any, *arguments: Any, **settings: Any) -> None:  # noqa: ANN401 - gradio's own
    """Wire an event as gradio does; the line speaks from its beginning to its end, however it ends.

    Args:
        event: of a component, as `button.click`.
        arguments: handler, inputs and outputs.
        settings: what else gradio is told.
    """
    begun = event(*arguments, js=_BEGUN, **settings)
    for ended in (begun.success, begun.failure):  # gradio's `then` does not hear of failures
        ended(
            None, None, None, js=_ENDED,
            queue=False, api_visibility="private", show_progress="hidden",
        )  # fmt: skip
