"""Whoever leaves, asks something newer or waits too long frees the place at once."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio.context import LocalContext

from app import guard
from app.analysis import Analyst
from app.serving.jobs import Jobs, current_job
from app.serving.presence import Presence
from app.turns import Turns
from app.visit import Visit
from stam_core.errors import OpeningCancelledError
from stam_core.limits import VideoLimits
from stam_core.video.apart import DecoderPool
from tests.conftest import ROOT
from tests.small_page import behind_doors

PATIENCE = 20.0  # seconds after which what is tested here has failed
CLIP = min((ROOT / "assets/examples").glob("*.mp4"), key=lambda file: file.stat().st_size)


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Jobs:
    known = Jobs(60)
    monkeypatch.setattr(guard, "all_jobs", lambda: known)
    return known


def outcomes(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.facts["outcome"] for record in caplog.records if hasattr(record, "facts")]  # type: ignore[attr-defined]


def until(true: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


class SlowEngine:
    """Opens no clip, but waits as one that is busy with others does."""

    info = None

    def __init__(self) -> None:
        self.asked = threading.Event()

    def open(self, path: Path, *, cancel: Any = None, **options: Any) -> None:
        self.asked.set()
        assert cancel is not None
        assert until(cancel.is_set), "nobody said that the clip is not wanted any more"
        raise OpeningCancelledError("cancelled")


@pytest.fixture
def analyst() -> Analyst:
    """With a model that never gets to open a clip."""
    made = Analyst()
    made.engines._ready[Visit().model] = SlowEngine()  # type: ignore[assignment]
    return made


def shown(analyst: Analyst) -> Callable[[], Iterator[Any]]:
    visit = Visit(source=analyst.sources.add(CLIP, "clip"))
    return guard.guarded(lambda: analyst.show(visit))


def test_who_leaves_while_a_clip_is_opened_is_not_waited_for(
    analyst: Analyst, jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    LocalContext.request.set(gr.Request(session_hash="me"))
    threading.Timer(0.2, jobs.leave, ["me"]).start()
    with caplog.at_level(logging.INFO, "app"):
        assert list(shown(analyst)()) == [gr.skip()]  # in silence: nobody hears it
    assert outcomes(caplog) == ["left"]
    assert jobs.running == 0


def test_who_leaves_ends_nobody_elses_job(analyst: Analyst, jobs: Jobs) -> None:
    with jobs.begin("a", visitor="you") as yours, jobs.begin("b") as nobodys:
        jobs.leave("me")
        jobs.leave("")
        assert not yours.is_set()
        assert not nobodys.is_set()


def test_a_newer_question_gives_up_the_opening_for_the_older_one(
    analyst: Analyst, jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    turns = Turns()
    visit = Visit(source=analyst.sources.add(CLIP, "clip"))

    def ask() -> Iterator[Any]:
        turn = turns.begin("me")
        return turn.follow(analyst.show(visit))

    threading.Timer(0.2, turns.begin, ["me"]).start()

    def handler() -> Iterator[Any]:
        yield from ask()

    with caplog.at_level(logging.INFO, "app"):
        assert list(guard.guarded(handler)()) == [gr.skip()]
    assert outcomes(caplog) == ["done"]


def test_an_opening_ends_at_the_deadline_of_its_job_with_a_sentence(
    analyst: Analyst, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(guard, "all_jobs", lambda: Jobs(0.3))
    with caplog.at_level(logging.INFO, "app"), pytest.raises(gr.Error, match="ended; what you see"):
        list(shown(analyst)())
    assert outcomes(caplog) == ["overdue"]


def test_an_opening_ends_when_the_app_stops(analyst: Analyst, jobs: Jobs) -> None:
    engine: Any = analyst.engines._ready[Visit().model]

    def stop() -> None:
        engine.asked.wait()
        jobs.drain(0.1, PATIENCE)

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(gr.Error, match="being stopped"):
        list(shown(analyst)())
    stopper.join()


def test_an_answer_without_the_queue_gives_up_too(analyst: Analyst, jobs: Jobs) -> None:
    LocalContext.request.set(gr.Request(session_hash="me"))
    visit = Visit(source=analyst.sources.add(CLIP, "clip"))
    threading.Timer(0.2, jobs.leave, ["me"]).start()
    with pytest.raises(gr.Error):
        guard.guarded_answer(lambda: analyst.opened(visit))()


def test_the_examples_that_all_share_are_not_lost_with_who_asked_first(jobs: Jobs) -> None:
    """They are read once: one that was given up would be missing for everybody."""
    analyst = Analyst()
    seen: list[bool] = []

    class Engine:
        def open(self, path: Path, *, cancel: Any, **options: Any) -> Any:
            seen.append(cancel.is_set())
            raise OpeningCancelledError("left out, for this test")

    analyst.engines._ready[Visit().model] = Engine()  # type: ignore[assignment]
    with jobs.begin("a", visitor="me") as job, job.at_work():
        jobs.leave("me")
        assert analyst.example_cards == {"items": []}
    assert seen
    assert not any(seen)


def test_a_step_is_of_its_own_job_only(jobs: Jobs) -> None:
    found: list[Any] = []

    def work() -> Iterator[int]:
        found.append(current_job())
        yield 1
        found.append(current_job())

    steps = guard.guarded(work)()
    next(steps)
    assert current_job() is None
    assert list(steps) == []
    assert found[0] is found[1] is not None


# --- who is there: connections ---


def connection(path: str, query: str, sent: list[dict[str, Any]], *, breaks: bool) -> list[str]:
    """Who is said to have left after an answer in these parts."""
    left: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in sent:
            await send(message)
        if breaks:
            assert (await receive())["type"] == "http.disconnect"

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        del message

    scope = {"type": "http", "path": path, "query_string": query.encode()}
    asyncio.run(Presence(app, left.append)(scope, receive, send))
    return left


def part(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


@pytest.mark.parametrize(
    ("path", "query", "sent", "left"),
    [
        ("/gradio_api/queue/data", "session_hash=me", [part(b"data: {}")], ["me"]),
        ("/gradio_api/queue/data", "a=b&session_hash=me", [], ["me"]),
        ("/gradio_api/heartbeat/me", "", [part(b"data: ALIVE")], ["me"]),
        # The page closes the connection when it is told that there is nothing left to hear; a
        # question that it asks right then is another one.
        ("/gradio_api/queue/data", "session_hash=me",
         [part(b"data: {}"), part(b'data: {"msg":"close_stream"}')], []),
        ("/gradio_api/queue/data", "session_hash=me", [part(b"", more=False)], []),
        ("/gradio_api/queue/join", "session_hash=me", [], []),
        ("/gradio_api/queue/data", "", [], []),
    ],
)  # fmt: skip
def test_a_broken_connection_tells_who_left(
    path: str, query: str, sent: list[dict[str, Any]], left: list[str]
) -> None:
    assert connection(path, query, sent, breaks=True) == left
    assert connection(path, query, sent, breaks=False) == []


# --- the whole way: a page, a queue, a decoding process that hangs ---


@pytest.fixture
def served(jobs: Jobs) -> Iterator[Any]:
    """A page whose one handler opens a clip; one clip at a time."""
    pool = DecoderPool(VideoLimits(workers=1, deadline_seconds=120))
    pool.open_clip(CLIP, num_frames=2)
    begun = threading.Semaphore(0)

    def open_clip() -> Iterator[str]:
        begun.release()
        yield str(pool.open_clip(CLIP, num_frames=4, cancel=current_job()).num_frames)

    with gr.Blocks(analytics_enabled=False) as blocks:
        button, words = gr.Button(), gr.Textbox()
        button.click(guard.guarded(open_clip), None, words, concurrency_limit=3)
    blocks.queue(api_open=False)
    with behind_doors(blocks, jobs=jobs) as client:
        yield SimpleNamespace(client=client, pool=pool, begun=begun)
    pool.close()


def join(client: httpx.Client, visitor: str) -> None:
    asked = {"data": [], "fn_index": 0, "session_hash": visitor}
    assert client.post("/gradio_api/queue/join", json=asked).status_code == 200


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGSTOP")
@pytest.mark.parametrize("held", ["queue/data?session_hash=me", "heartbeat/me"])
def test_a_page_that_is_closed_frees_line_and_process(
    served: Any, jobs: Jobs, held: str, caplog: pytest.LogCaptureFixture
) -> None:
    (worker,) = served.pool.process_ids()
    os.kill(worker, signal.SIGSTOP)  # as one that decodes for long
    join(served.client, "me")
    assert until(lambda: bool(served.pool._busy))  # so it is mine that is being decoded
    for visitor in ("me", "you"):  # the others wait in line
        join(served.client, visitor)
    with (
        caplog.at_level(logging.INFO, "app"),
        served.client.stream("GET", f"/gradio_api/{held}") as stream,
    ):
        lines = stream.iter_lines()
        if "heartbeat" in held:
            assert "ALIVE" in next(lines)
        for _ in range(3):
            assert served.begun.acquire(timeout=PATIENCE)
        assert jobs.running == 3
        stream.close()
        assert until(lambda: jobs.running <= 1), outcomes(caplog)
        assert until(lambda: "left" in outcomes(caplog))
    # The other visitor's clip opens: in the process that is free again, or in a fresh one.
    told = served.client.get("/gradio_api/queue/data?session_hash=you").text
    assert '"success":true' in told
    assert sorted(outcomes(caplog)) in (["done", "left", "left"], ["left", "left"])
