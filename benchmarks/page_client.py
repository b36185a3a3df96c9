"""A visitor's browser without the browser: the requests that the page's script makes, and no more.

Used by the load script and by tests that talk to a running app.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

RECORD = "json:"  # before the text of a record on its way to the page
LAST_MESSAGES = ("process_completed", "close_stream")
BUSY_WORDS = ("queue is full", "too many people")
Told = Any  # JSON


@dataclass
class Page:
    """What a browser knows of the page: its parts and their events."""

    parts: dict[str, int]
    events: dict[tuple[int, str], dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, config: dict[str, Any]) -> Page:
        """From the server's own description of the page."""
        parts = {
            part["props"]["elem_id"]: part["id"]
            for part in config["components"]
            if part["props"].get("elem_id")
        }
        events = {
            (target, name): event
            for event in config["dependencies"]
            for target, name in event["targets"]
            if target is not None
        }
        return cls(parts, events)

    def question(
        self, part: str, event: str, session: str, data: dict[str, Any] | None, **inputs: Told
    ) -> tuple[bool, dict[str, Any]]:
        """Whether it goes through the queue, and its body; `inputs` by part, others are empty."""
        trigger = self.parts[part]
        found = self.events[trigger, event]
        values = {self.parts[name.replace("_", "-")]: value for name, value in inputs.items()}
        return found["queue"] is not False, {
            "data": [values.get(part_id) for part_id in found["inputs"]],
            "event_data": data,
            "fn_index": found["id"],
            "session_hash": session,
            "trigger_id": trigger,
        }


@dataclass
class Client:
    """One open page; `open_page` makes one."""

    http: httpx.AsyncClient
    page: Page
    session: str

    async def send(self, content: bytes, name: str) -> Told:
        """What the upload button holds once a file is on the server; the name as a form sends it.

        Raises:
            httpx.HTTPStatusError: the server does not take it.
        """
        files = {"files": (name, content, "video/mp4")}
        answer = await self.http.post("/gradio_api/upload", files=files)
        return {
            "path": answer.raise_for_status().json()[0],
            "orig_name": name,
            "meta": {"_type": "gradio.FileData"},
        }

    async def ask(self, part: str, event: str, data: dict[str, Any] | None, **inputs: Told) -> Told:
        """What the page would be told; None: the server is busy and said so.

        Raises:
            httpx.HTTPStatusError: the server does not take the question, or fails at it.
        """
        queued, body = self.page.question(part, event, self.session, data, **inputs)
        if not queued:
            answer = await self.http.post("/gradio_api/run/predict", json=body)
            return None if is_busy(answer.text) else answer.raise_for_status().json()
        joined = await self.http.post("/gradio_api/queue/join", json=body)
        if is_busy(joined.text):
            return None
        messages = await self._follow(joined.raise_for_status().json()["event_id"])
        return None if is_busy(json.dumps(messages[-1:])) else messages

    async def _follow(self, wanted: str) -> list[dict[str, Any]]:
        messages = []
        address = f"/gradio_api/queue/data?session_hash={self.session}"
        async with self.http.stream("GET", address) as stream:
            async for line in stream.aiter_lines():
                if not line.startswith("data:"):
                    continue
                message = json.loads(line[5:])
                if message.get("event_id") not in (wanted, None):
                    continue
                messages.append(message)
                if message["msg"] in LAST_MESSAGES:
                    break
        return messages


@asynccontextmanager
async def open_page(http: httpx.AsyncClient, page: Page, session: str) -> AsyncIterator[Client]:
    """A page for as long as the block lasts; its end is what the server takes for leaving.

    A browser holds one connection per page, over which the server says every few seconds that it is
    there. Closing the page closes it, and nothing else tells that a visitor has gone.

    Raises:
        httpx.HTTPStatusError: the server does not take the connection.
    """
    async with http.stream(
        "GET", f"/gradio_api/heartbeat/{session}", timeout=httpx.Timeout(60, read=None)
    ) as beats:
        beats.raise_for_status()
        lines = beats.aiter_lines()
        await anext(lines)  # the server knows of this page
        reading = asyncio.create_task(_read(lines))
        try:
            yield Client(http, page, session)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def _read(lines: AsyncIterator[str]) -> None:
    async for _ in lines:
        pass


def is_busy(answer: str) -> bool:
    """Whether the server said that it has too much to do."""
    return any(words in answer.lower() for words in BUSY_WORDS)


def complaint(told: Told) -> str | None:
    """The sentence of the message box that a person would see; None: there is none."""
    for message in told:
        if message["msg"] == "process_completed" and not message["success"]:
            return str(message["output"].get("error"))
    return None


def records_in(told: Told) -> Iterator[dict[str, Any]]:
    """All records that are packed somewhere in an answer."""
    if isinstance(told, str) and told.startswith(RECORD):
        record = json.loads(told[len(RECORD) :])
        if isinstance(record, dict):
            yield record
    elif isinstance(told, dict | list):
        for part in told.values() if isinstance(told, dict) else told:
            yield from records_in(part)


def read_page(address: str) -> Page:
    """The page that is served at an address."""
    return Page.read(httpx.get(f"{address}/config", timeout=60).raise_for_status().json())
