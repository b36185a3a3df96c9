"""The whole program as a service: it wakes up, works, logs and ends in good order."""

from __future__ import annotations

import json
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import ROOT
from tests.service_toys import RunningApp, multipart, running_app

SECRET = "my-secret-holiday"


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The app, started with a JSON log, asked for two clips and ended by SIGTERM."""
    if sys.platform == "win32":
        pytest.skip("needs SIGTERM and /proc")
    place = tmp_path_factory.mktemp("service")
    with running_app(place, "--log-json") as app:
        app.wait_until_ready()
        answers = [
            upload_and_show(app, f"{SECRET}-{number}.mp4", content)
            for number, content in enumerate([b"no video at all", example_clip()])
        ]
        workers = children(app.process.pid)
        kept = list(place.joinpath("temporary").rglob("*.mp4"))
        begun = time.monotonic()
        code = app.stop()
        yield SimpleNamespace(
            app=app, answers=answers, workers=workers, kept=kept, code=code, place=place,
            seconds=time.monotonic() - begun, lines=app.log.read_text().splitlines(),
        )  # fmt: skip


def example_clip() -> bytes:
    return min(
        (ROOT / "assets/examples").glob("*.mp4"), key=lambda f: f.stat().st_size
    ).read_bytes()


def upload_and_show(app: RunningApp, name: str, content: bytes) -> str:
    """All that the page's script would be told after a visitor chose this file."""
    status, _, answer = app.post("/gradio_api/upload", *multipart(name, content))
    assert status == 200
    config = json.loads(app.get("/config")[2])
    button = next(c["id"] for c in config["components"] if c["props"].get("elem_id") == "upload")
    event = next(d for d in config["dependencies"] if [button, "upload"] in d["targets"])
    file = {"path": json.loads(answer)[0], "orig_name": name, "meta": {"_type": "gradio.FileData"}}
    session = urllib.parse.quote(name)
    asked = {
        "data": [None, file],
        "fn_index": event["id"],
        "session_hash": session,
        "trigger_id": button,
    }
    status, _, answer = app.post("/gradio_api/queue/join", json.dumps(asked).encode())
    assert status == 200, answer
    status, _, told = app.get(f"/gradio_api/queue/data?session_hash={session}")
    assert status == 200
    return told.decode()


def children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def test_the_app_is_not_ready_at_once_and_says_so(ended: SimpleNamespace) -> None:
    seen = ended.app.seen
    assert (seen[0]["status"], seen[0]["ready"]) == (503, False)
    assert (seen[-1]["status"], seen[-1]["device"]) == (200, "cpu") or seen[-1]["device"] != "cpu"


def test_a_clip_is_shown_and_a_file_that_is_none_is_complained_about(
    ended: SimpleNamespace,
) -> None:
    assert "That did not work" in ended.answers[0]
    assert "probability" in ended.answers[1]  # a record within the answer, as text


def test_every_line_of_the_log_is_json_without_the_visitors_file_name(
    ended: SimpleNamespace,
) -> None:
    assert SECRET not in "\n".join(ended.lines)
    records = [json.loads(line) for line in ended.lines]
    told = [(r["kind"], r["outcome"]) for r in records if r["message"] == "job"]
    assert told == [("inspect.upload", "complained"), ("inspect.upload", "done")]
    assert [r["message"] for r in records if r["logger"] == "app.serving.service"] == [
        "serving", "stopping", "stopped"
    ]  # fmt: skip


def test_sigterm_ends_all_with_code_0_and_leaves_nothing(ended: SimpleNamespace) -> None:
    assert ended.code == 0
    assert ended.seconds < 30
    assert len(ended.kept) >= 2  # so it is not by chance that nothing is left
    assert list((ended.place / "temporary").rglob("*")) == []
    assert ended.workers
    assert not any(Path(f"/proc/{worker}").exists() for worker in ended.workers)
