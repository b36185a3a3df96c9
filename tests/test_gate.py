"""Nobody can have the server fetch an address, through whatever door."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
import safehttpx
from gradio import processing_utils, routes
from starlette.exceptions import HTTPException

from app.components.quick import FileButton
from app.serving import gate
from stam_core.limits import VideoLimits
from tests.small_page import behind_doors

AWAY = "http://198.51.100.7/clip.mp4"  # a documentation address: nobody lives there
FETCHERS = (
    "async_ssrf_protected_get", "async_ssrf_protected_download", "ssrf_protected_download",
    "save_url_to_cache", "unsafe_download",
)  # fmt: skip


@pytest.fixture(scope="module")
def asked_for() -> Iterator[list[str]]:
    """Hosts and addresses that anybody asked for; none of them is reached."""
    found: list[str] = []

    async def note(address: str, *_: object, **__: object) -> Any:
        found.append(address)
        raise ValueError(address)

    with pytest.MonkeyPatch.context() as patch:
        for name in FETCHERS:  # gradio's own again after these tests
            patch.setattr(processing_utils, name, getattr(processing_utils, name))
        patch.setattr(routes, "secure_url_stream_response", routes.secure_url_stream_response)
        patch.setattr(safehttpx, "get", note)
        patch.setattr(safehttpx, "async_validate_url", note)
        yield found


@pytest.fixture(scope="module")
def served(asked_for: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A page with the app's own button for files, asked with and without the queue."""
    got: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        with gr.Blocks(analytics_enabled=False) as page:
            button = FileButton("open")
            button.upload(got.append, button, None, api_name="queued")
            button.upload(got.append, button, None, queue=False, api_name="direct")
        page.queue(api_open=False)
        with behind_doors(page) as client:
            yield SimpleNamespace(client=client, got=got, asked_for=asked_for)


@pytest.fixture
def front(served: Any) -> Any:
    """The page, of which nothing was asked yet."""
    served.got.clear()
    served.asked_for.clear()
    return served


def event(path: str, **more: object) -> dict[str, Any]:
    file = {"path": path, "orig_name": "clip.mp4", "meta": {"_type": "gradio.FileData"}, **more}
    return {"data": [file], "fn_index": 0, "session_hash": "me"}


def direct(path: str, **more: object) -> dict[str, Any]:
    return {**event(path, **more), "fn_index": 1}


EVENT_DOORS = (
    "queue/join", "run/direct", "run/direct/", "api/direct", "call/queued", "call/v2/queued",
    "component_server",
)  # fmt: skip


@pytest.mark.parametrize("door", EVENT_DOORS)
def test_no_event_makes_the_server_fetch_an_address(front: Any, door: str) -> None:
    asked = (direct if "direct" in door else event)(AWAY)
    answer = front.client.post(f"/gradio_api/{door}", json=asked)
    if door == "queue/join" and answer.status_code == 200:  # as it was: accepted, then fetched
        front.client.get("/gradio_api/queue/data?session_hash=me")
    assert answer.status_code == 403
    assert "fetches nothing from addresses" in answer.json()["detail"]
    assert (front.asked_for, front.got) == ([], [])


@pytest.mark.parametrize(
    "path",
    [
        f"/gradio_api/file={AWAY}",
        "/gradio_api/file=https%3A%2F%2F198.51.100.7%2Fclip.mp4",
        "/gradio_api/file=HTTPS:/198.51.100.7/clip.mp4",
        f"/gradio_api/file/{AWAY}",
        f"/gradio_api/proxy={AWAY}",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_no_page_elsewhere_is_shown_as_ours(front: Any, path: str, method: str) -> None:
    assert front.client.request(method, path).status_code == 403
    assert front.asked_for == []


@pytest.mark.parametrize(
    "disguise",
    [
        json.dumps(event("A")).replace('"A"', r'"\u0068ttp://198.51.100.7/clip.mp4"').encode(),
        json.dumps(event("A")).replace('"A"', r'"http:\/\/198.51.100.7\/clip.mp4"').encode(),
        json.dumps(event(AWAY)).encode("utf-16"),
        json.dumps({"data": [[{"deep": event(AWAY)}]], "fn_index": 0}).encode(),
        json.dumps(event("/tmp/a", url=AWAY)).encode(),
        json.dumps(event("/tmp/a", url=f"{AWAY}/gradio_api/file=/tmp/b")).encode(),
        b'{"data": ' + b"[" * 200_000 + b'"http://"' + b"]" * 200_000 + b"}",
    ],
)
def test_an_address_in_disguise_is_one(disguise: bytes) -> None:
    assert gate.names_an_address(disguise)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no JSON with http://",
        json.dumps({"data": ["http://a.example/", {"note": "http://b.example"}]}).encode(),
        json.dumps(event("C:/clips/http.mp4")).encode(),
        json.dumps(
            event("/tmp/x y", url="https://clips.example.org/gradio_api/file=/tmp/x%20y?sign=1")
        ).encode(),
    ],
)
def test_what_names_no_file_elsewhere_passes(body: bytes) -> None:
    assert not gate.names_an_address(body)


def test_an_upload_still_comes_through_both_ways(front: Any, tmp_path: Path) -> None:
    sent = front.client.post("/gradio_api/upload", files={"files": ("my clip.mp4", b"x" * 100)})
    (path,) = sent.json()
    address = f"{front.client.base_url}/gradio_api/file={path}"
    answer = front.client.post("/gradio_api/run/direct", json=direct(path, url=address))
    assert answer.status_code == 200, answer.text
    joined = front.client.post("/gradio_api/queue/join", json=event(path, url=address))
    assert joined.status_code == 200, joined.text
    told = front.client.get("/gradio_api/queue/data?session_hash=me").text
    assert '"success":true' in told
    assert front.got == [path, path]
    assert front.client.get(f"/gradio_api/file={path}").content == b"x" * 100


def test_an_event_of_megabytes_is_turned_away_unread(front: Any) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(3 * gate.EVENT_BYTES // 2**20):
            yield b" " * 2**20

    answer = front.client.post("/gradio_api/queue/join", content=endless())
    assert answer.status_code == 413


def test_many_files_in_one_upload_are_no_way_around_the_limit(
    front: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "default_limits", lambda: VideoLimits(max_upload_mib=1))
    files = [("files", (f"{number}.mp4", b"x" * 900_000)) for number in range(5)]
    answer = front.client.post("/gradio_api/upload", files=files)
    assert answer.status_code == 413
    assert "one clip at a time" in answer.json()["detail"]
    assert front.client.post("/gradio_api/upload", files=files[:1]).status_code == 200


@pytest.mark.parametrize(
    ("method", "door"),
    [
        ("POST", "process_recording"), ("GET", "deep_link?session_hash=me"),
        ("POST", "vibe-edit"), ("GET", "run-history/records"),
    ],
)  # fmt: skip
def test_doors_that_the_page_does_not_use_are_closed(front: Any, method: str, door: str) -> None:
    answer = front.client.request(method, f"/gradio_api/{door}", files={"video": b"x"})
    assert answer.status_code == 403
    assert "does not use" in answer.json()["detail"]


def test_gradios_own_functions_refuse_where_a_request_was_overlooked(
    asked_for: list[str], tmp_path: Path
) -> None:
    gate.never_fetch()
    asked_for.clear()
    block = FileButton("open")
    with pytest.raises(gr.Error, match="fetches nothing"):
        asyncio.run(block.async_move_resource_to_block_cache(AWAY))
    with pytest.raises(gr.Error, match="fetches nothing"):
        block.move_resource_to_block_cache(AWAY)

    async def fetch(name: str) -> None:
        found = getattr(processing_utils, name)(AWAY, cache_dir=str(tmp_path))
        await found

    for name in FETCHERS:
        with pytest.raises(gr.Error, match="fetches nothing"):
            asyncio.run(fetch(name))
    with pytest.raises(HTTPException, match="fetches nothing"):
        asyncio.run(routes.secure_url_stream_response(AWAY, None))  # type: ignore[arg-type]
    assert asked_for == []
    assert list(tmp_path.iterdir()) == []


def test_what_is_replaced_is_what_gradio_has(
    asked_for: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    gate.never_fetch()
    assert "this version of gradio has no" not in caplog.text


def test_an_ordinary_event_is_let_through_in_no_time() -> None:
    body = json.dumps({"data": [None], "event_data": {"frames": list(range(16))}}).encode()
    begun = time.perf_counter()
    for _ in range(1000):
        gate.names_an_address(body)
    assert time.perf_counter() - begun < 0.5  # of an edit's 80 ms less than a hundredth
