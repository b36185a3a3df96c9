"""Every file of both corpora through the running app: shown, or refused with a sentence."""

from __future__ import annotations

import asyncio
import html
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.ui import QUEUE_LENGTH
from benchmarks.corpora import read_corpora
from benchmarks.page_client import Client, Told, complaint, open_page, read_page, records_in
from tests.conftest import ROOT
from tests.service_toys import RunningApp, running_app

AT_ONCE = 6  # visitors; more than the app opens at a time, so that files also wait for each other
UNCLEAR = re.compile(r"crash|malicious|unexpected|gone wrong|went wrong|Traceback|Error\b")


async def outcome_of(visitor: Client, path: Path) -> tuple[str, Told]:
    """("works", the records shown) or ("clear error", the sentence), as the page is told it."""
    file = await visitor.send(path.read_bytes(), path.name)
    told = await visitor.ask("upload", "upload", None, upload=file)
    said = complaint(told)
    return ("works", list(records_in(told))) if said is None else ("clear error", said)


async def send_all(app: RunningApp, paths: list[Path]) -> list[tuple[str, Told]]:
    """What becomes of each; every file is another visitor's."""
    page = read_page(app.address)
    places = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(base_url=app.address, timeout=120) as http:

        async def visit(number: int, path: Path) -> tuple[str, Told]:
            async with places, open_page(http, page, f"visitor{number}") as visitor:
                return await outcome_of(visitor, path)

        return await asyncio.gather(*(visit(i, path) for i, path in enumerate(paths)))


def complaints_about(name: str, outcome: str, told: Told) -> Iterator[str]:
    """What is wrong with an answer, whatever the manifest expects."""
    if outcome == "works":
        if not any(len(record.get("rows", ())) >= 5 for record in told):
            yield "no prediction"
        if not any("sprite" in record for record in told):
            yield "no frames"
    else:
        sentence = html.unescape(told)
        if not sentence.endswith(".") or "\n" in sentence or not 30 < len(sentence) < 400:
            yield f"not a readable sentence: {sentence}"
        if UNCLEAR.search(sentence.replace(name, "")):
            yield f"not a clear sentence: {sentence}"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """The app; at its end it must be well, and must have met nothing that it did not expect."""
    if sys.platform == "win32":
        pytest.skip("needs SIGTERM, and file names that Windows has not")
    with running_app(tmp_path_factory.mktemp("app"), "--log-json") as running:
        running.wait_until_ready()
        yield running
        assert running.stop() == 0


def assert_well(app: RunningApp) -> None:
    health = app.health()
    assert (health["status"], health["queue"], health["running"]) == (200, 0, 0)
    log = app.log.read_text()
    assert "Traceback" not in log
    assert '"outcome": "failed"' not in log


def test_every_file_is_shown_or_refused_with_a_sentence(
    app: RunningApp, shared: Path, tmp_path: Path
) -> None:
    inputs = read_corpora(shared / "badclips", shared / "clips", tmp_path)
    assert len(inputs) >= 147
    answers = asyncio.run(send_all(app, [entry.path for entry in inputs]))
    wrong = [
        (entry.name, entry.expect, outcome, told if outcome == "clear error" else "")
        for entry, (outcome, told) in zip(inputs, answers, strict=True)
        if entry.expect not in ("either", outcome)
    ]
    assert wrong == []
    unclear = [
        (entry.name, words)
        for entry, (outcome, told) in zip(inputs, answers, strict=True)
        for words in complaints_about(entry.path.name, outcome, told)
    ]
    assert unclear == []
    assert_well(app)


async def ask_all_at_once(app: RunningApp, count: int) -> tuple[list[Told], Told]:
    """What each of many visitors is told (None: busy), and one of the refused who asks again."""
    page = read_page(app.address)
    film = min((ROOT / "assets/examples").glob("*.mp4"), key=lambda file: file.stat().st_size)
    limits = httpx.Limits(max_connections=3 * count)
    async with httpx.AsyncClient(base_url=app.address, timeout=120, limits=limits) as http:
        visitors = [Client(http, page, f"crowd{number}") for number in range(count)]
        # Bytes after the last box are nobody's: each is another clip with the same pictures.
        files = [
            await visitor.send(film.read_bytes() + f"{number}".encode(), "clip.mp4")
            for number, visitor in enumerate(visitors)
        ]
        asking = [
            visitor.ask("upload", "upload", None, upload=file)
            for visitor, file in zip(visitors, files, strict=True)
        ]
        told = await asyncio.gather(*asking)
        again = told.index(None) if None in told else 0
        return told, await visitors[again].ask("upload", "upload", None, upload=files[again])


def test_a_crowd_is_answered_or_told_that_it_is_busy_and_nobody_is_lost(app: RunningApp) -> None:
    told, again = asyncio.run(ask_all_at_once(app, QUEUE_LENGTH + 20))
    answered = [one for one in told if one is not None]
    refused = len(told) - len(answered)
    assert refused > 0  # more came at once than there are places
    assert len(answered) >= QUEUE_LENGTH
    clips = {record["key"] for one in answered for record in records_in(one) if "sprite" in record}
    assert len(clips) == len(answered)  # each an answer, and each their own
    assert any("sprite" in record for record in records_in(again))
    assert_well(app)
