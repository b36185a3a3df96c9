"""What the web framework does with uploads, where `Sources` relies on it: its real routes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest

from app.components.quick import FileButton
from app.events import CLIP_TYPES
from app.session import LEFT_SECONDS, Sources
from stam_core.errors import VideoError
from tests.service_toys import multipart

CONTENT = b"the same pictures"


class Visitors:
    """A small page with the app's own button; whoever sends a file gets the key of their clip."""

    def __init__(self, uploads: Path) -> None:
        self.now = 0.0
        self.sources = Sources(lambda: self.now)
        with gr.Blocks(analytics_enabled=False) as self.page:
            button = FileButton("send", file_types=CLIP_TYPES)
            button.upload(self._take, button, gr.Textbox(), api_name="take", queue=False)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.page.launch(
            prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", server_port=port,
            _frontend=False, ssr_mode=False,
        )  # fmt: skip
        address = f"http://127.0.0.1:{port}/gradio_api"
        self._client = httpx.Client(base_url=address, timeout=60, trust_env=False)
        self._uploads = uploads

    def _take(self, path: str, request: gr.Request) -> str:
        return self.sources.add(Path(path), Path(path).name, str(request.session_hash))

    def upload(self, name: str, content: bytes) -> Path:
        """Where the server put a file."""
        body, kind = multipart(name, content)
        answer = self._client.post("/upload", content=body, headers={"Content-Type": kind})
        assert answer.status_code == 200
        path = Path(answer.json()[0])
        assert path.is_relative_to(self._uploads)
        assert path.read_bytes() == content
        return path

    def send(self, visitor: str, name: str, content: bytes) -> str:
        """The key of a clip that a visitor sends through the page."""
        file = {"path": str(self.upload(name, content)), "meta": {"_type": "gradio.FileData"}}
        asked: dict[str, Any] = {"data": [file], "session_hash": visitor}
        answer = self._client.post("/run/take", json=asked)
        assert answer.status_code == 200
        return str(answer.json()["data"][0])

    def leave(self, visitor: str) -> None:
        """The visitor's page is closed, and stays so."""
        self.sources.leave(visitor)
        self.now += LEFT_SECONDS
        self.sources.forget_those_who_left()


@pytest.fixture
def visitors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Visitors]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    made = Visitors(tmp_path)
    yield made
    made.page.close(verbose=False)


def test_only_the_same_bytes_of_the_same_name_are_one_file(visitors: Visitors) -> None:
    path = visitors.upload("clip.mp4", CONTENT)
    assert visitors.upload("clip.mp4", CONTENT) == path
    assert visitors.upload("another name.mp4", CONTENT) != path
    assert visitors.upload("clip.mp4", CONTENT[::-1]) != path
    assert path.read_bytes() == CONTENT


def test_a_file_that_two_visitors_sent_stays_until_both_have_left(visitors: Visitors) -> None:
    first, second = (visitors.send(who, "clip.mp4", CONTENT) for who in ("a", "b"))
    other = visitors.send("a", "other.mp4", CONTENT)
    assert first != second
    path = visitors.sources.get(first).path
    assert visitors.sources.get(second).path == path  # one file, as the framework stores it
    own = visitors.sources.get(other).path
    assert own.parent == path.parent
    visitors.leave("a")
    assert visitors.sources.get(second).path.read_bytes() == CONTENT
    assert not own.exists()
    for key in (first, other):
        with pytest.raises(VideoError, match="no longer kept"):
            visitors.sources.get(key)
    visitors.leave("b")
    assert not path.exists()
