"""Who has left: the connection on which a page hears its answers, or is known to be open, broke."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ANSWERS = "/gradio_api/queue/data"  # a page's answers come here
_OPEN = "/gradio_api/heartbeat/"  # held for as long as a page is open
_ENDED = b'"close_stream"'  # the page closes the connection then: there is nothing left to hear
_SHORT = 200  # bytes; answers themselves are longer, and need not be searched


class Presence:
    """Tells when a visitor's connection breaks before it was told all; changes nothing."""

    def __init__(self, app: ASGIApp, left: Callable[[str], None]) -> None:
        """`app` answers; `left` hears who."""
        self._app = app
        self._left = left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        visitor = _visitor(scope)
        if not visitor:
            await self._app(scope, receive, send)
            return
        told_all = False

        async def receive_and_notice() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect" and not told_all:
                self._left(visitor)
            return message

        async def send_and_notice(message: Message) -> None:
            nonlocal told_all
            if message["type"] == "http.response.body":
                body = message.get("body", b"")
                ended = len(body) < _SHORT and _ENDED in body
                told_all = told_all or ended or not message.get("more_body", False)
            await send(message)

        await self._app(scope, receive_and_notice, send_and_notice)


def _visitor(scope: Scope) -> str:
    """Whose connection it is; "": another kind of request."""
    if scope["type"] != "http":
        return ""
    path: str = scope["path"]
    if path.endswith(_ANSWERS):
        asked = parse_qs(scope["query_string"].decode("latin-1"))
        return asked.get("session_hash", [""])[0]
    return path.partition(_OPEN)[2].strip("/")
