"""A running `python app.py` for tests of the service, spoken to over plain HTTP."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

START_SECONDS = 240  # a busy machine imports torch slowly
STOP_SECONDS = 40
Answer = tuple[int, dict[str, str], bytes]


@dataclass
class RunningApp:
    """One process of the app."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path
    folder: Path  # above its temporary folder
    seen: list[dict[str, Any]] = field(default_factory=list)  # answers of /health while it woke up

    def get(self, path: str, **headers: str) -> Answer:
        """Status, headers and body."""
        return self.send(urllib.request.Request(self.address + path, headers=headers))

    def post(self, path: str, body: bytes, kind: str = "application/json") -> Answer:
        """The same, after sending something."""
        headers = {"Content-Type": kind}
        return self.send(urllib.request.Request(self.address + path, body, headers))

    def send(self, request: urllib.request.Request) -> Answer:
        """Errors are answers too."""
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()

    def health(self) -> dict[str, Any]:
        """What `/health` says, with its status."""
        status, _, body = self.get("/health")
        return {**json.loads(body), "status": status}

    def wait_until_ready(self) -> None:
        """Return when `/health` says so; what it said before is kept in `seen`."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            try:
                self.seen.append(self.health())
            except OSError:
                time.sleep(0.1)
                continue
            if self.seen[-1]["ready"]:
                return
            time.sleep(0.1)
        raise AssertionError(f"never ready:\n{self.log.read_text()[-3000:]}")

    def stop(self) -> int:
        """End it as a service manager does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=STOP_SECONDS)


@contextmanager
def running_app(folder: Path, *words: str, **variables: str) -> Iterator[RunningApp]:
    """`python app.py` with these words and variables; ended with the block, if not before."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "log.txt"
    environment = {
        **os.environ,
        "GRADIO_TEMP_DIR": str(folder / "temporary"),
        "STAM_CACHE": str(folder / "weights"),
        **variables,
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py", "--port", str(port), *words],
            cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        app = RunningApp(process, f"http://127.0.0.1:{port}", log, folder)
        try:
            yield app
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def multipart(name: str, content: bytes) -> tuple[bytes, str]:
    """A file as a browser's form sends it, and the kind of that body."""
    edge = "edge-of-a-part"
    head = (
        f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode() + content + f"\r\n--{edge}--\r\n".encode()
    return body, f"multipart/form-data; boundary={edge}"
