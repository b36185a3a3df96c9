"""A real server and a real browser: the system's Chromium, nothing downloaded, nothing outside."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opened_page import Ui, watch
from playwright.sync_api import Page, expect

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
START_SECONDS = 240  # a busy machine imports torch slowly
expect.set_options(timeout=30_000)  # milliseconds; for busy machines too
NO_SERVER = "http://127.0.0.1:9"  # nothing listens there: every download fails at once


def find_browser() -> str | None:
    """The system's Chromium, or None."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@pytest.fixture(scope="session", autouse=True)
def _browser_is_there() -> None:
    if find_browser() is not None:
        return
    reason = "browser tests need a Chromium: none of " + ", ".join(BROWSERS) + " is on the PATH"
    if os.environ.get("STAM_REQUIRE_BROWSER") == "1":
        pytest.fail(reason + ", and STAM_REQUIRE_BROWSER=1 asks for it")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser_type_launch_args(_browser_is_there: None) -> dict[str, Any]:
    """What pytest-playwright starts."""
    return {"executable_path": find_browser(), "args": FLAGS}


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def server(_browser_is_there: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `python app.py`, started for this session with a network that is not there."""
    folder = tmp_path_factory.mktemp("server")
    port = free_port()
    environment = {
        **os.environ,
        "GRADIO_TEMP_DIR": str(folder / "uploads"),
        "STAM_CACHE": str(folder / "weights"),
        **dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"), NO_SERVER),
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
    log = folder / "log.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "app.py"), "--port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            wait_until_served(address, process, log)
            yield address
        finally:
            process.terminate()
            code = process.wait(timeout=60)
    assert code == 0  # it ends in good order
    assert "Traceback" not in log.read_text(), log.read_text()[-3000:]


def wait_until_served(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the page is served; fail with the log when it never is."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the app did not start:\n{log.read_text()[-3000:]}")


@pytest.fixture
def ui(page: Page, server: str) -> Iterator[Ui]:
    """A page that must stay free of errors and of requests to anywhere but this computer."""
    opened = Ui(page, server)
    watch(page, opened)
    yield opened
    assert opened.problems == []
