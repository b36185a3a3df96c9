"""Headers of every answer: a browser loads nothing from elsewhere and shows us in no other page."""

from __future__ import annotations

import os
from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Gradio compiles the components' scripts in the page, hence 'unsafe-eval', and has styles and
# scripts in it, hence 'unsafe-inline'; the webcam's part makes scripts and files in the page and
# fetches them there (blob:). What the policy takes away is every other server.
POLICY = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval' blob:",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
}
# A Space's page is shown inside the site's own.
SPACE_FRAMES = "'self' https://huggingface.co https://*.hf.space"


def safe_headers(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Names and values.

    Args:
        environment: None: this process's own; in a Space the page may stand in the site's.
    """
    in_space = "SPACE_ID" in (os.environ if environment is None else environment)
    policy = POLICY | ({"frame-ancestors": SPACE_FRAMES} if in_space else {})
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "camera=(self), microphone=(self), geolocation=(), usb=()",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    if not in_space:
        headers["X-Frame-Options"] = "SAMEORIGIN"
    return headers


class SafeHeaders:
    """Adds them to each answer as it begins; the answer itself passes unread."""

    def __init__(self, app: ASGIApp) -> None:
        """`app` answers."""
        self._app = app
        self._headers = safe_headers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, send_with_headers)
