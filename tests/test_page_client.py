"""The browser without a browser, which the load script and tests use, does what a browser does."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gradio as gr
import httpx
import pytest

from app.backstage import Backstage
from app.ui import _free_when_closed
from benchmarks.page_client import Page, complaint, is_busy, open_page, records_in


@pytest.fixture
def served() -> Iterator[tuple[str, list[str]]]:
    """(address of a small page that frees as the app's does, the visitors who left it)."""
    backstage = Backstage()
    left: list[str] = []
    backstage.__dict__["_analyst"] = SimpleNamespace(sources=SimpleNamespace(leave=left.append))
    with gr.Blocks(analytics_enabled=False) as page:
        gr.Markdown("hello")
        _free_when_closed(page, backstage)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    page.launch(
        prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", server_port=port,
        _frontend=False, ssr_mode=False,
    )  # fmt: skip
    yield f"http://127.0.0.1:{port}", left
    page.close(verbose=False)


def test_a_visitor_is_there_until_the_page_is_closed(served: tuple[str, list[str]]) -> None:
    address, left = served

    async def visit() -> None:
        async with (
            httpx.AsyncClient(base_url=address, trust_env=False) as http,
            open_page(http, Page({}), "staying"),
        ):
            async with open_page(http, Page({}), "leaving"):
                await asyncio.sleep(0.3)
                assert left == []
            end = time.monotonic() + 60
            while not left and time.monotonic() < end:
                await asyncio.sleep(0.05)
            assert left == ["leaving"]

    asyncio.run(visit())


def test_refusals_are_told_from_answers() -> None:
    assert is_busy('{"detail":"Queue is full. Max size is 32 and size is 32."}')
    assert is_busy("Too many people ask at this moment. Nothing is lost: try again.")
    assert not is_busy('{"event_id": "7"}')


def test_a_complaint_is_the_sentence_of_a_failed_answer() -> None:
    failed: list[dict[str, Any]] = [
        {"msg": "process_starts"},
        {"msg": "process_completed", "success": False, "output": {"error": "It is empty."}},
    ]
    assert complaint(failed) == "It is empty."
    assert complaint([{"msg": "process_completed", "success": True, "output": {}}]) is None


def test_records_are_found_wherever_they_lie() -> None:
    told = [{"output": {"data": ['json:{"key": "a"}', None, {"value": 'json:{"key": "b"}'}]}}]
    assert [record["key"] for record in records_in(told)] == ["a", "b"]
