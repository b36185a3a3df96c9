"""The app as a service: doors, password, log, jobs, temporary files, and how it ends."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import httpx
import numpy as np
import pytest

from app import explained, guard, session
from app.backstage import Backstage
from app.serving import logs, temporary
from app.serving.door import password_check
from app.serving.headers import safe_headers
from app.serving.jobs import Jobs
from app.serving.service import close_decoders, stop
from app.serving.settings import ServiceSettings
from app.serving.temporary import TemporaryFolder
from app.session import LEFT_SECONDS, Sources
from app.ui import _free_when_closed, build_page
from stam_core.errors import ParameterError, VideoError
from stam_core.types import Explanation
from tests.conftest import ROOT
from tests.small_page import behind_doors

SECRET = "my-secret-holiday"
PASSWORD = "a:long pass:word"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


# --- settings ---


def test_settings_come_from_variables_and_have_defaults() -> None:
    found = ServiceSettings.from_environment(
        {"STAM_JOB_SECONDS": "30", "STAM_LOG": "JSON", "STAM_AUTH": f"class:{PASSWORD}"}
    )
    assert (found.job_seconds, found.log, found.auth) == (30, "json", ("class", PASSWORD))
    assert ServiceSettings.from_environment({}) == ServiceSettings()
    assert PASSWORD not in repr(found)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("STAM_JOB_SECONDS", "soon", "STAM_JOB_SECONDS must be a number between 1 and 86400"),
        ("STAM_JOB_SECONDS", "0", "between 1 and"),
        ("STAM_KEPT_MIB", "1.5", "whole number"),
        ("STAM_LOG", "xml", "must be one of text, json; got 'xml'"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str, complaint: str) -> None:
    with pytest.raises(ParameterError, match=complaint):
        ServiceSettings.from_environment({name: value})


@pytest.mark.parametrize("value", ["hunter2", "hunter2:", ":hunter2", " :hunter2", "a:hunter2\x01"])
def test_a_malformed_password_is_never_repeated(value: str) -> None:
    with pytest.raises(ParameterError, match="must be name:password") as caught:
        ServiceSettings.from_environment({"STAM_AUTH": value})
    assert "hunter2" not in str(caught.value)


def test_the_program_ends_with_code_2_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import runpy

    monkeypatch.setenv("STAM_AUTH", "hunter2")
    from app.serving.settings import service_settings

    service_settings.cache_clear()
    try:
        assert runpy.run_path(str(ROOT / "app.py"))["main"]([]) == 2
    finally:
        service_settings.cache_clear()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "hunter2" not in said


def test_without_a_place_for_its_files_the_program_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import runpy

    (tmp_path / "file").touch()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "file" / "below"))
    monkeypatch.setattr("app.serving.logs.begin_log", lambda form, level: None)
    assert runpy.run_path(str(ROOT / "app.py"))["main"]([]) == 2
    assert "Set GRADIO_TEMP_DIR to another" in capfd.readouterr().err


# --- doors: a page of one line, behind the app's own doors ---


@pytest.fixture
def front() -> Iterator[Any]:
    """Opens small pages as the app opens its own; (client, backstage, jobs, page) of each."""
    with ExitStack() as opened:

        def open_page(auth: Any = None, *, frees: bool = False) -> Any:
            backstage, jobs = Backstage(), Jobs(60)
            with gr.Blocks(analytics_enabled=False) as page:
                gr.Markdown("hello")
                if frees:
                    _free_when_closed(page, backstage)
            page.queue(max_size=7)
            client = opened.enter_context(
                behind_doors(page, backstage=backstage, jobs=jobs, auth=auth)
            )
            return SimpleNamespace(client=client, backstage=backstage, jobs=jobs, page=page)

        yield open_page


def test_health_says_503_until_the_model_is_ready_and_again_at_the_end(front: Any) -> None:
    app = front()
    waking = app.client.get("/health")
    assert waking.status_code == 503
    assert waking.json()["state"] == "waking"
    app.backstage.state, app.backstage.device = "ready", "cpu"
    ready = app.client.get("/health")
    assert ready.status_code == 200
    assert ready.headers["cache-control"] == "no-store"
    told = ready.json()
    uptime, version = told.pop("uptime_seconds"), told.pop("version")
    assert uptime >= 0
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert told == {
        "ready": True, "state": "ready", "model": "stam-actions", "device": "cpu", "queue": 0,
        "queue_limit": 7, "running": 0,
    }  # fmt: skip
    with app.jobs.begin("test"):
        assert app.client.get("/health").json()["running"] == 1
    app.jobs.close()
    assert app.client.get("/health").status_code == 503
    assert app.client.get("/health").json()["state"] == "stopping"


def test_health_needs_no_model_and_waits_for_no_lock(front: Any) -> None:
    app = front()
    with app.backstage._lock:  # as while the core is being imported
        assert app.client.get("/health", timeout=5).json()["state"] == "waking"
    assert "_analyst" not in app.backstage.__dict__


def test_a_model_that_cannot_be_made_ready_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    backstage = Backstage()

    def broken() -> str:
        raise OSError("no disk")

    backstage.__dict__["_analyst"] = SimpleNamespace(warm_up=broken)
    backstage._wake()
    assert backstage.state == "failed"
    assert "could not be made ready" in caplog.text


@pytest.mark.parametrize("path", ["/", "/health", "/config", "/nothing-here", "/gradio_api/info"])
def test_every_answer_has_the_headers(front: Any, path: str) -> None:
    answer = front().client.get(path)
    for name, value in safe_headers({}).items():
        assert answer.headers[name] == value
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "http" not in policy  # no other server


def test_in_a_space_the_page_may_stand_in_the_sites_own() -> None:
    headers = safe_headers({"SPACE_ID": "x/y"})
    assert "frame-ancestors 'self' https://huggingface.co" in headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in headers


def test_with_a_password_only_health_is_open(front: Any) -> None:
    app = front(password_check("class", PASSWORD))
    assert app.client.get("/health").status_code == 503  # not ready, but answered
    assert app.client.get("/config").status_code == 401
    assert app.client.post("/gradio_api/upload").status_code == 401
    begun = time.monotonic()
    wrong = app.client.post("/login", data={"username": "class", "password": "guess"})
    assert wrong.status_code == 400
    assert time.monotonic() - begun > 0.9  # trying many takes long
    assert app.client.get("/config").status_code == 401
    right = app.client.post("/login", data={"username": " class ", "password": PASSWORD})
    assert right.status_code == 200
    assert app.client.get("/config").status_code == 200


# --- jobs ---


def handler_of(steps: int, clock: Clock, cost: float = 1.0, closed: list[str] | None = None) -> Any:
    def work() -> Iterator[int]:
        try:
            for step in range(steps):
                clock.now += cost
                yield step
        finally:
            if closed is not None:
                closed.append("closed")

    return work


@pytest.fixture
def clocked(monkeypatch: pytest.MonkeyPatch) -> tuple[Jobs, Clock]:
    clock = Clock()
    known = Jobs(10, clock)
    monkeypatch.setattr(guard, "all_jobs", lambda: known)
    return known, clock


def facts(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [record.facts for record in caplog.records if hasattr(record, "facts")]  # type: ignore[attr-defined]


def test_a_job_is_told_with_its_kind_seconds_and_outcome(
    clocked: tuple[Jobs, Clock], caplog: pytest.LogCaptureFixture
) -> None:
    known, clock = clocked
    with caplog.at_level(logging.INFO, "app"):
        assert list(guard.guarded(handler_of(3, clock))()) == [0, 1, 2]
    assert facts(caplog) == [{"kind": "test_service.work", "seconds": 3.0, "outcome": "done"}]
    assert known.running == 0


def test_a_job_beyond_its_time_ends_at_its_next_step_with_a_sentence(
    clocked: tuple[Jobs, Clock], caplog: pytest.LogCaptureFixture
) -> None:
    known, clock = clocked
    closed: list[str] = []
    steps = guard.guarded(handler_of(100, clock, 4, closed))()
    with caplog.at_level(logging.INFO, "app"):
        assert [next(steps) for _ in range(3)] == [0, 1, 2]  # 12 s: what it found is still shown
        with pytest.raises(gr.Error, match="longer than 10 s and was ended"):
            next(steps)
    assert closed == ["closed"]
    assert facts(caplog)[-1]["outcome"] == "overdue"
    assert known.running == 0


def test_a_download_may_take_any_time(clocked: tuple[Jobs, Clock]) -> None:
    _, clock = clocked
    assert len(list(guard.guarded(handler_of(9, clock, 100), timed=False)())) == 9


def test_a_visitor_who_leaves_frees_the_place_at_once(
    clocked: tuple[Jobs, Clock], caplog: pytest.LogCaptureFixture
) -> None:
    known, clock = clocked
    closed: list[str] = []
    steps: Any = guard.guarded(handler_of(100, clock, 0.1, closed))()
    next(steps)
    assert known.running == 1
    with caplog.at_level(logging.INFO, "app"):
        steps.close()
    assert (closed, known.running) == (["closed"], 0)
    assert facts(caplog)[-1]["outcome"] == "left"


def test_a_complaint_and_a_bug_are_told_apart(
    clocked: tuple[Jobs, Clock], caplog: pytest.LogCaptureFixture
) -> None:
    def complain() -> Iterator[int]:
        raise VideoError(f"{SECRET} is no video")
        yield 0

    def fail() -> Iterator[int]:
        raise KeyError(SECRET)
        yield 0

    for handler in (complain, fail):
        with caplog.at_level(logging.INFO, "app"), pytest.raises(gr.Error):
            list(guard.guarded(handler)())
    assert [fact["outcome"] for fact in facts(caplog)] == ["complained", "failed"]


def test_when_the_app_stops_new_jobs_are_refused_and_old_ones_may_finish(
    clocked: tuple[Jobs, Clock],
) -> None:
    known, clock = clocked
    steps = guard.guarded(handler_of(2, clock))()
    next(steps)
    threading.Timer(0.2, lambda: list(steps)).start()
    assert known.drain(10)  # waits for it
    with pytest.raises(gr.Error, match="being stopped"):
        next(guard.guarded(handler_of(1, clock))())


def test_a_job_that_does_not_finish_is_ended_at_its_next_step(clocked: tuple[Jobs, Clock]) -> None:
    known, clock = clocked
    steps = guard.guarded(handler_of(100, clock, 0.01))()
    next(steps)
    assert not known.drain(0.1, 0.1)  # it makes no step
    with pytest.raises(gr.Error, match="being stopped"):
        next(steps)
    assert known.running == 0


def test_stopping_closes_the_page(front: Any) -> None:
    app = front()
    assert stop(app.page, app.jobs, 1)
    with pytest.raises(httpx.HTTPError):
        app.client.get("/health")


def test_decoders_are_ended_only_where_there_are_any() -> None:
    ended: list[str] = []
    pool = SimpleNamespace(close=lambda: ended.append("pool"))
    close_decoders({})
    close_decoders({"stam_core.video.apart.pool": SimpleNamespace(default_pool=lambda: pool)})
    assert ended == ["pool"]


@pytest.mark.parametrize(
    "module",
    ["inspect", "frame_lab", "compare", "learn"],
)
def test_every_event_that_works_is_a_job(module: str) -> None:
    page = build_page(Backstage())
    free = {"halt", "left", "<lambda>"}  # they compute nothing
    for event in page.fns.values():
        name = getattr(event.fn, "__name__", "")
        if event.fn is not None and name not in free:
            assert event.fn.__code__.co_name == "run", name  # what `guarded` makes
    kinds = {guard.kind_of(event.fn) for event in page.fns.values() if event.fn is not None}
    assert any(kind.startswith(module) for kind in kinds)


# --- log ---


def json_line(record: logging.LogRecord) -> dict[str, Any]:
    return json.loads(logs.JsonLines().format(record))


def raised() -> Any:
    try:
        try:
            raise FileNotFoundError(2, "No such file", f"/tmp/{SECRET}.mp4")
        except OSError as error:
            raise VideoError(f"{SECRET} is no video") from error
    except VideoError:
        return sys.exc_info()


def test_a_json_line_tells_an_errors_kind_and_place_but_not_its_words() -> None:
    record = logging.LogRecord("app.guard", 40, "f", 1, "failed: %s", ("a.b",), raised())
    line = json_line(record)
    assert line["message"] == "failed: a.b"
    assert [error["kind"] for error in line["error"]] == ["VideoError", "FileNotFoundError"]
    assert line["error"][0]["at"][0].startswith("tests/test_service.py:")
    assert SECRET not in json.dumps(line)


def test_of_a_librarys_message_only_the_fixed_part_is_told() -> None:
    words = f"Task exception was never retrieved\nfuture: FileNotFoundError('{SECRET}')"
    assert json_line(logging.LogRecord("asyncio", 40, "f", 1, words, (), None))["message"] == (
        "Task exception was never retrieved"
    )
    record = logging.LogRecord("some.library", 30, "f", 1, "no %s", (SECRET,), None)
    assert json_line(record)["message"] == "no %s"


def test_what_libraries_print_is_told_at_level_debug_only(caplog: pytest.LogCaptureFixture) -> None:
    printed = logs.PrintedLines()
    with caplog.at_level(logging.INFO, "app"):
        print(f"Traceback (most recent call last):\n  {SECRET}", file=printed)
    assert SECRET not in caplog.text
    assert "a library printed a trace" in caplog.text
    with caplog.at_level(logging.DEBUG, "app"):
        print(SECRET, file=printed)
    assert SECRET in caplog.text


def test_a_line_for_a_person_has_the_facts_behind_it() -> None:
    record = logging.LogRecord("app.serving.jobs", 20, "f", 1, "job", (), None)
    record.facts = {"kind": "a.b", "seconds": 0.5}
    assert logs.PlainLines().format(record) == "INFO app.serving.jobs: job kind=a.b seconds=0.5"


# --- temporary files ---


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TemporaryFolder]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    made = TemporaryFolder(kept_bytes=100, kept_seconds=50)
    yield made
    made.remove()


def put(folder: TemporaryFolder, name: str, size: int, changed: float) -> Path:
    file = folder.path / "uploads" / name / "clip.mp4"
    file.parent.mkdir()
    file.write_bytes(bytes(size))
    os.utime(file, (changed, changed))
    return file


def test_old_files_go_then_the_oldest_beyond_the_bound(folder: TemporaryFolder) -> None:
    old, early, late = (put(folder, str(at), 60, at) for at in (10, 970, 990))
    assert folder.sweep(now=1000) == 2
    assert [file.exists() for file in (old, early, late)] == [False, False, True]
    assert [file.parent.exists() for file in (old, early, late)] == [False, False, True]
    assert folder.sweep(now=1000) == 0


def test_what_an_upload_is_too_much_for_goes_at_once(
    folder: TemporaryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporary, "REST_SECONDS", 0.0)
    now = time.time()
    early, late = put(folder, "early", 60, now - 2), put(folder, "late", 60, now - 1)
    folder.keep_swept(lambda: None)
    folder.sweep_soon()
    end = time.monotonic() + 30
    while early.exists() and time.monotonic() < end:
        time.sleep(0.01)
    assert (early.exists(), late.exists()) == (False, True)


def test_everything_of_ours_lies_in_one_private_folder_that_goes(folder: TemporaryFolder) -> None:
    uploads, others = Path(os.environ["GRADIO_TEMP_DIR"]), Path(tempfile.gettempdir())
    assert uploads.parent == others.parent == folder.path
    assert uploads != others  # else gradio would not copy a made file before it is deleted
    if os.name == "posix":
        assert folder.path.stat().st_mode & 0o077 == 0
    put(folder, "x", 1, 0)
    folder.remove()
    assert not folder.path.exists()


def test_closing_a_page_frees_its_clips_after_a_while(tmp_path: Path) -> None:
    clock = Clock()
    sources = Sources(clock)
    files = [tmp_path / name for name in ("mine", "yours")]
    for file in files:
        file.write_bytes(b"clip")
    mine = sources.add(files[0], "mine", "me")
    sources.add(files[1], "yours", "you")
    sources.leave("me")
    clock.now = LEFT_SECONDS - 1
    sources.forget_those_who_left()
    assert files[0].exists()
    clock.now = LEFT_SECONDS
    sources.forget_those_who_left()
    assert [file.exists() for file in files] == [False, True]
    with pytest.raises(VideoError, match="no longer kept"):
        sources.get(mine)


def test_one_who_leaves_does_not_take_the_same_file_from_others(tmp_path: Path) -> None:
    """Gradio stores a file once, whoever sends it: a class all sends the teacher's clip."""
    clock = Clock()
    sources = Sources(clock)
    file = tmp_path / "homework"
    file.write_bytes(b"clip")
    sources.add(file, "homework", "me")
    yours = sources.add(file, "homework", "you")
    sources.leave("me")
    clock.now = LEFT_SECONDS
    sources.forget_those_who_left()
    assert sources.get(yours).path == file


def test_a_file_that_is_sent_again_is_not_taken_from_whom_has_just_sent_it(tmp_path: Path) -> None:
    """It lies at the same place as the one that goes; its own event comes a moment later."""
    clock = Clock()
    sources = Sources(clock)
    file = tmp_path / "homework"
    file.write_bytes(b"clip")
    os.utime(file, (1000, 1000))
    sources.add(file, "homework", "me")
    sources.leave("me")
    clock.now = LEFT_SECONDS
    os.utime(file, (2000, 2000))  # gradio has put the second one there
    sources.forget_those_who_left()
    yours = sources.add(file, "homework", "you")
    assert sources.get(yours).path == file


def test_clips_are_forgotten_and_deleted_in_one_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one who comes between the two would lose the file."""
    clock = Clock()
    sources = Sources(clock)
    file = tmp_path / "homework"
    file.write_bytes(b"clip")
    sources.add(file, "homework", "me")
    sources.leave("me")
    clock.now = LEFT_SECONDS
    held: list[bool] = []
    monkeypatch.setattr(session, "delete", lambda files: held.append(sources._lock.locked()))
    sources.forget_those_who_left()
    assert held == [True]


def test_a_closed_page_is_told_to_the_sources_by_gradios_own_hook() -> None:
    backstage = Backstage()
    left: list[str] = []
    backstage.__dict__["_analyst"] = SimpleNamespace(sources=SimpleNamespace(leave=left.append))
    page = build_page(backstage)
    (event,) = (
        event for event in page.fns.values() if any(name == "unload" for _, name in event.targets)
    )
    assert not event.queue
    event.fn(gr.Request(session_hash="me"))
    assert left == ["me"]


def test_a_page_whose_connection_ends_is_told_to_the_sources(front: Any) -> None:
    """As a browser does it: each page holds one connection for as long as it is open."""
    app = front(frees=True)
    left: list[str] = []
    app.backstage.__dict__["_analyst"] = SimpleNamespace(sources=SimpleNamespace(leave=left.append))
    with (
        app.client.stream("GET", "/gradio_api/heartbeat/staying") as staying,
        app.client.stream("GET", "/gradio_api/heartbeat/leaving") as leaving,
    ):
        beats = [page.iter_lines() for page in (staying, leaving)]  # to drop one ends its stream
        assert all("ALIVE" in next(lines) for lines in beats)
        leaving.close()
        end = time.monotonic() + 60
        while not left and time.monotonic() < end:
            time.sleep(0.05)
        assert left == ["leaving"]


def test_who_comes_back_in_time_keeps_the_clip(tmp_path: Path) -> None:
    clock = Clock()
    sources = Sources(clock)
    file = tmp_path / "mine"
    file.write_bytes(b"clip")
    key = sources.add(file, "mine", "me")
    sources.leave("me")
    clock.now = LEFT_SECONDS - 1
    sources.get(key)
    clock.now = 2 * LEFT_SECONDS
    sources.forget_those_who_left()
    assert file.exists()


# --- caches ---


def test_the_caches_of_all_models_together_keep_to_the_setting() -> None:
    kept = ServiceSettings().cache_mib * 2**20
    assert kept // 2 < session.cache_bytes() * (session.ENGINES_KEPT + 1) <= kept


def test_remembered_explanations_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = explained.RECORD_BYTES + 1000 * 4
    monkeypatch.setattr(explained, "KEPT_BYTES", 2 * whole)
    known = explained.Explained()
    asked: list[str] = []

    def stream(clip: Any, **asks: Any) -> Iterator[Explanation]:
        asked.append(clip.digest)
        frames = np.zeros(1000 * clip.size, np.float32)
        yield Explanation("a", None, frames, None, False, None, {}, 1.0, 0.0)

    engine: Any = SimpleNamespace(
        info=SimpleNamespace(name="m"), report=SimpleNamespace(sha256="s"), stream=stream
    )

    def ask(digest: str, size: int = 1) -> None:
        clip: Any = SimpleNamespace(digest=digest, size=size)
        known.get(engine, clip, explained.Ask("a", {}))

    for digest in ("one", "two", "two", "three", "one"):  # "one" made room for "three"
        ask(digest)
    ask("huge", 9)  # larger than the whole cache: answered, not kept
    ask("one")  # and nothing was thrown out for it
    assert asked == ["one", "two", "three", "one", "huge"]
