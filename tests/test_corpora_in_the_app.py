"""Every file of both corpora through the running app: shown, or refused with a sentence."""

from __future__ import annotations

import asyncio
import csv
import html
import re
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks.page_client import Client, Told, complaint, open_page, read_page, records_in
from tests.service_toys import RunningApp, running_app

AT_ONCE = 6  # visitors; more than the app opens at a time, so that files also wait for each other
UNCLEAR = re.compile(r"crash|malicious|unexpected|gone wrong|went wrong|Traceback|Error\b")


def every_input(shared: Path, folder: Path) -> Iterator[tuple[Path, str]]:
    """(path, what is to become of it) of every row of both manifests."""
    with tarfile.open(shared / "badclips" / "odd_names.tar") as archive:
        archive.extractall(folder, filter="data")
    with (shared / "badclips" / "manifest.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            plain = shared / "badclips" / row["file"]
            yield plain if plain.exists() else folder / row["file"], row["expect"]
    with (shared / "clips" / "manifest.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            yield shared / "clips" / row["file"], "works"


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


@pytest.mark.skipif(sys.platform == "win32", reason="file names that Windows has not")
def test_every_file_is_shown_or_refused_with_a_sentence(shared: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd"
    odd.mkdir()
    inputs = list(every_input(shared, odd))
    assert len(inputs) >= 150
    with running_app(tmp_path, "--log-json") as app:
        app.wait_until_ready()
        answers = asyncio.run(send_all(app, [path for path, _ in inputs]))
        health = app.health()
        code = app.stop()
    wrong = [
        (path.name, expected, outcome, told if outcome == "clear error" else "")
        for (path, expected), (outcome, told) in zip(inputs, answers, strict=True)
        if expected not in ("either", outcome)
    ]
    assert wrong == []
    unclear = [
        (path.name, words)
        for (path, _), (outcome, told) in zip(inputs, answers, strict=True)
        for words in complaints_about(path.name, outcome, told)
    ]
    assert unclear == []
    assert (health["status"], health["queue"], health["running"]) == (200, 0, 0)
    log = app.log.read_text()
    assert "Traceback" not in log
    assert '"outcome": "failed"' not in log
    assert code == 0
