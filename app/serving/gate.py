"""What is turned away before gradio sees it: whatever would have this server fetch an address.

Gradio downloads files that an event names by address, before any handler of ours is asked, and
hands on any public page under `/gradio_api/file=`. Nobody here needs either. Two walls: requests
are looked at as they come (`Gate`), and gradio's own functions that fetch are replaced by one that
refuses (`never_fetch`), so that a way in that was overlooked leads nowhere either.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn
from urllib.parse import unquote

import gradio as gr
from gradio import processing_utils, routes
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import text
from stam_core.limits import MIB, default_limits

_LOG = logging.getLogger(__name__)

EVENT_BYTES = 8 * MIB  # of one event; the page's own take a few kB
FORM_BYTES = MIB  # beside the file in an upload
FORBIDDEN, TOO_LARGE = 403, 413
_WITHOUT_BODY = ("GET", "HEAD", "OPTIONS")
_UPLOAD = "/gradio_api/upload"  # files: they pass as a stream, and are never read as an event
# Two letters at least: "C:/" is a folder.
_ADDRESS = re.compile(r"[a-z][a-z0-9+.\-]+:/", re.IGNORECASE)
# What the page does not use. The recorder runs ffmpeg on a visitor's file in reach of everything
# that the server can reach; deep links write a visitor's frames to a file that others can open.
_CLOSED = re.compile(
    r"(?:/[^/=]+)*?/gradio_api/"
    r"(?:proxy=|process_recording|deep_link|vibe-|undo-vibe-|run-history/|runs/?$)"
)
# Without one of these no text of a JSON body can begin with "http": the letters themselves, an
# escape that may stand for one of them, or the zero bytes of another coding than UTF-8.
_SIGNS = (b"http", b"\\u", b"\0")


class Gate:
    """Turns requests away, with a sentence; what it lets pass is unchanged."""

    def __init__(self, app: ASGIApp, uploaded: Callable[[], None]) -> None:
        """`app` answers what passes; `uploaded` is called after each upload, taken or not."""
        self._app = app
        self._uploaded = uploaded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        closed = _CLOSED.match(path)
        if closed or _ADDRESS.search(path):
            words = text.CLOSED_DOOR if closed else text.NO_ADDRESSES
            await _refuse(FORBIDDEN, words)(scope, receive, send)
            return
        if scope["method"] in _WITHOUT_BODY:
            await self._app(scope, receive, send)
            return
        if path.rstrip("/").endswith(_UPLOAD):
            await self._upload(scope, receive, send)
            return
        body = await _read(receive, EVENT_BYTES)
        if body is None:
            await _refuse(TOO_LARGE, text.EVENT_TOO_LARGE)(scope, receive, send)
        elif names_an_address(body):
            await _refuse(FORBIDDEN, text.NO_ADDRESSES)(scope, receive, send)
        else:
            await self._app(scope, _once_more(body, receive), send)

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One file and its form at a time: gradio alone would take a thousand in one request."""
        most, size, begun = default_limits().max_upload_mib * MIB + FORM_BYTES, 0, False

        async def receive_counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > most:
                raise _TooLargeError
            return message

        async def send_and_notice(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive_counted, send_and_notice)
        except _TooLargeError:
            if not begun:
                await _refuse(TOO_LARGE, text.UPLOAD_TOO_LARGE)(scope, receive, send)
        finally:
            self._uploaded()


class _TooLargeError(Exception):
    """More was sent than is taken."""


def names_an_address(body: bytes) -> bool:
    """Whether an event holds a file that lies at an address.

    The page itself sends, beside the path of an upload, the address under which it shows it; that
    one is fine.

    Args:
        body: of the request; what is no JSON holds no file.
    """
    if not any(sign in body for sign in _SIGNS):
        return False
    try:
        waiting: list[Any] = [json.loads(body)]
    except ValueError:
        return False
    except RecursionError:  # nested as no page of ours does
        return True
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            path, url = found.get("path"), found.get("url")
            if _is_address(path) or (_is_address(url) and not _is_own(url, path)):
                return True
            waiting.extend(found.values())
        elif isinstance(found, list):
            waiting.extend(found)
    return False


def never_fetch() -> None:
    """Have all of gradio's functions that fetch an address refuse, in this whole process."""

    async def refuse_file(url: str, *_: object, **__: object) -> NoReturn:
        raise gr.Error(text.NO_ADDRESSES, title=text.PROBLEM, print_exception=False)

    def refuse_at_once(url: str, *_: object, **__: object) -> NoReturn:
        raise gr.Error(text.NO_ADDRESSES, title=text.PROBLEM, print_exception=False)

    async def refuse_answer(url: str, *_: object, **__: object) -> NoReturn:
        raise HTTPException(FORBIDDEN, text.NO_ADDRESSES)

    refusals: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
        (processing_utils, "async_ssrf_protected_get", refuse_file),
        (processing_utils, "async_ssrf_protected_download", refuse_file),
        (processing_utils, "ssrf_protected_download", refuse_at_once),
        (processing_utils, "save_url_to_cache", refuse_at_once),
        (processing_utils, "unsafe_download", refuse_at_once),
        (routes, "secure_url_stream_response", refuse_answer),
    )
    for module, name, refusal in refusals:
        if not hasattr(module, name):  # `Gate` still stands
            _LOG.warning("this version of gradio has no %s.%s", module.__name__, name)
        setattr(module, name, refusal)


def _is_address(value: object) -> bool:
    return isinstance(value, str) and _ADDRESS.match(value.strip()) is not None


def _is_own(url: str, path: object) -> bool:
    """Whether it is where this server shows the upload of that path; never fetched in any case."""
    shown = url.partition("/gradio_api/file=")[2].partition("?")[0]
    return bool(shown) and path in (shown, unquote(shown))


def _refuse(code: int, words: str) -> JSONResponse:
    return JSONResponse({"detail": words}, code, headers={"Cache-Control": "no-store"})


async def _read(receive: Receive, most: int) -> bytes | None:
    """The whole body; None as soon as it is larger than `most`."""
    pieces, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break  # nobody waits for the answer; what came so far is no event
        piece = message.get("body", b"")
        size += len(piece)
        if size > most:
            return None
        pieces.append(piece)
        more = message.get("more_body", False)
    return b"".join(pieces)


def _once_more(body: bytes, receive: Receive) -> Callable[[], Awaitable[Message]]:
    """The body again, as one piece, and after it whatever comes."""
    handed_on = False

    async def again() -> Message:
        nonlocal handed_on
        if handed_on:
            return await receive()
        handed_on = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
