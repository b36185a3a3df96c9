from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from stam_core.errors import DownloadError
from stam_core.models import download, load_model, model_info, weights_at_hand
from stam_core.models.cache import cache_folder, place
from stam_core.models.download import cached_file, fetch
from stam_core.types import ModelInfo

BODY = bytes(range(256)) * 12_000  # 3 MB: reported in three steps
DIGEST = hashlib.sha256(BODY).hexdigest()


@dataclass
class Behaviour:
    """What the server does, and what it was asked."""

    body: bytes = BODY
    etag: str = '"v1"'
    break_after: int | None = None  # bytes, then the line is cut
    ignore_range: bool = False
    status: int | None = None
    location: str | None = None  # redirects there
    with_length: bool = True
    range_offset: int = 0  # a broken server: answers from elsewhere
    ranges: list[str | None] = field(default_factory=list)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range")
        self.ranges.append(wanted)
        if self.location and not handler.path.endswith("target.pth"):
            handler.send_response(302)
            handler.send_header("Location", self.location)
            handler.end_headers()
            return
        if self.status:
            handler.send_error(self.status)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if self.ignore_range or handler.headers.get("If-Range") != self.etag:
            start = 0
        if start and start >= len(self.body):
            handler.send_error(416)
            return
        self.send(handler, start)

    def send(self, handler: BaseHTTPRequestHandler, start: int) -> None:
        handler.send_response(206 if start else 200)
        if self.etag:
            handler.send_header("ETag", self.etag)
        if start:
            first = start + self.range_offset
            total = len(self.body)
            handler.send_header("Content-Range", f"bytes {first}-{total - 1}/{total}")
        if self.with_length:
            handler.send_header("Content-Length", str(len(self.body) - start))
        handler.end_headers()
        end = len(self.body) if self.break_after is None else start + self.break_after
        handler.wfile.write(self.body[start:end])


@pytest.fixture
def server() -> Iterator[tuple[str, Behaviour]]:
    behaviour = Behaviour()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            behaviour.answer(self)

        def log_message(self, *args: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_address[1]}/zoo/stam_16.pth", behaviour
    httpd.shutdown()
    httpd.server_close()


def weights_of(url: str, *, sha256: str | None = None, n_bytes: int | None = None) -> ModelInfo:
    info = model_info("stam-16")
    weights = replace(info.weights, source=url, sha256=sha256, n_bytes=n_bytes)
    return replace(info, weights=weights)


def test_fetch_keeps_the_file_and_its_digest(server: tuple[str, Behaviour], tmp_path: Path) -> None:
    url, behaviour = server
    seen: list[tuple[int, int | None]] = []
    assert cached_file(url, cache_dir=tmp_path) is None
    path = fetch(url, progress=lambda *told: seen.append(told), cache_dir=tmp_path)
    assert path.read_bytes() == BODY
    assert path.name.startswith("stam_16-")
    assert path.suffix == ".pth"
    assert seen[0] == (0, len(BODY))
    assert seen[-1] == (len(BODY), len(BODY))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    record = json.loads((tmp_path / f"{path.name}.json").read_text())
    source = "http://127.0.0.1/zoo/stam_16.pth"
    assert record == {"source": source, "sha256": DIGEST, "n_bytes": len(BODY)}
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name, f"{path.name}.json"]
    assert fetch(url, cache_dir=tmp_path) == path == cached_file(url, cache_dir=tmp_path)
    assert behaviour.ranges == [None]  # the second time nothing was asked


def test_interrupted_download_goes_on_where_it_broke_off(
    server: tuple[str, Behaviour], tmp_path: Path
) -> None:
    url, behaviour = server
    behaviour.break_after = 2_000_000
    with pytest.raises(DownloadError, match=r"broke off; 2\.0 MB are kept.*Try again to go on"):
        fetch(url, cache_dir=tmp_path)
    assert cached_file(url, cache_dir=tmp_path) is None
    behaviour.break_after = None
    seen: list[int] = []
    path = fetch(url, progress=lambda done, _: seen.append(done), cache_dir=tmp_path)
    assert behaviour.ranges == [None, "bytes=2000000-"]
    assert seen[0] == 2_000_000
    assert path.read_bytes() == BODY
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name, f"{path.name}.json"]


def test_resume_when_the_server_ignores_ranges(
    server: tuple[str, Behaviour], tmp_path: Path
) -> None:
    url, behaviour = server
    behaviour.break_after, behaviour.ignore_range = 1_000_000, True
    with pytest.raises(DownloadError, match="broke off"):
        fetch(url, cache_dir=tmp_path)
    behaviour.break_after = None
    assert fetch(url, cache_dir=tmp_path).read_bytes() == BODY
    assert behaviour.ranges == [None, "bytes=1000000-"]


def test_file_changed_on_the_server_is_not_pasted_together(
    server: tuple[str, Behaviour], tmp_path: Path
) -> None:
    url, behaviour = server
    behaviour.break_after = 1_000_000
    with pytest.raises(DownloadError, match="broke off"):
        fetch(url, cache_dir=tmp_path)
    behaviour.break_after, behaviour.etag, behaviour.body = None, '"v2"', BODY[::-1]
    assert fetch(url, cache_dir=tmp_path).read_bytes() == BODY[::-1]


def test_nothing_is_resumed_without_a_version_to_hold_it_to(
    server: tuple[str, Behaviour], tmp_path: Path
) -> None:
    url, behaviour = server
    behaviour.break_after, behaviour.etag = 1_000_000, ""
    with pytest.raises(DownloadError, match="broke off"):
        fetch(url, cache_dir=tmp_path)
    behaviour.break_after = None
    assert fetch(url, cache_dir=tmp_path).read_bytes() == BODY
    assert behaviour.ranges == [None, None]


@pytest.mark.parametrize("trouble", ["wrong offset", "part longer than the file"])
def test_part_that_does_not_fit_is_dropped(
    server: tuple[str, Behaviour], tmp_path: Path, trouble: str
) -> None:
    url, behaviour = server
    behaviour.break_after = 1_000_000
    with pytest.raises(DownloadError, match="broke off"):
        fetch(url, cache_dir=tmp_path)
    behaviour.break_after = None
    if trouble == "wrong offset":
        behaviour.range_offset = 7
    else:
        (part,) = tmp_path.glob("*.part")
        part.write_bytes(b"x" * (len(BODY) + 1))
    assert fetch(url, cache_dir=tmp_path).read_bytes() == BODY
    assert behaviour.ranges[-1] is None


def test_stopped_by_its_caller_and_resumed(server: tuple[str, Behaviour], tmp_path: Path) -> None:
    url, behaviour = server

    class StoppedError(Exception):
        pass

    def stop(done: int, total: int | None) -> None:
        if done > 0:
            raise StoppedError

    with pytest.raises(StoppedError):
        fetch(url, progress=stop, cache_dir=tmp_path)
    assert fetch(url, cache_dir=tmp_path).read_bytes() == BODY
    assert behaviour.ranges[1] is not None


def test_length_unknown(server: tuple[str, Behaviour], tmp_path: Path) -> None:
    url, behaviour = server
    behaviour.with_length = False
    seen: list[int | None] = []
    path = fetch(url, progress=lambda _, total: seen.append(total), cache_dir=tmp_path)
    assert path.read_bytes() == BODY
    assert set(seen) == {None}


def test_published_digest(server: tuple[str, Behaviour], tmp_path: Path) -> None:
    url, _ = server
    with pytest.raises(DownloadError, match=f"not the published file.*{DIGEST}.*{'0' * 64}"):
        fetch(weights_of(url, sha256="0" * 64), cache_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert fetch(weights_of(url, sha256=DIGEST), cache_dir=tmp_path).read_bytes() == BODY


def test_kept_file_that_changed_is_refused(server: tuple[str, Behaviour], tmp_path: Path) -> None:
    url, _ = server
    path = fetch(url, cache_dir=tmp_path)
    path.write_bytes(BODY[:-1] + b"\0")
    with pytest.raises(DownloadError, match=r"no longer what was fetched.*Delete it"):
        fetch(url, cache_dir=tmp_path)


def test_kept_file_without_a_record_gets_one(
    server: tuple[str, Behaviour], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url, _ = server
    path = fetch(url, cache_dir=tmp_path)
    record = tmp_path / f"{path.name}.json"
    record.write_text("{spoilt")
    assert fetch(url, cache_dir=tmp_path) == path
    assert json.loads(record.read_text())["sha256"] == DIGEST
    assert "recorded now" in caplog.text


def test_absent_on_the_server(server: tuple[str, Behaviour], tmp_path: Path) -> None:
    url, behaviour = server
    behaviour.status = 404
    with pytest.raises(DownloadError, match=r"answered 404 Not Found .*local file.*embedded model"):
        fetch(url, cache_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_far_larger_than_stated(
    server: tuple[str, Behaviour], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, behaviour = server
    with pytest.raises(DownloadError, match="is 3 MB; at most 2 were expected"):
        fetch(weights_of(url, n_bytes=1_000_000), cache_dir=tmp_path)
    behaviour.with_length = False
    monkeypatch.setattr(download, "MAX_BYTES", 2_000_000)
    with pytest.raises(DownloadError, match="sent over 2 MB; stopped"):
        fetch(url, cache_dir=tmp_path)


def test_full_disk(
    server: tuple[str, Behaviour], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = server
    monkeypatch.setattr(download, "SPARE_BYTES", 10**18)
    with pytest.raises(DownloadError, match=r"MB free.*Make room, or set STAM_CACHE"):
        fetch(url, cache_dir=tmp_path)


def test_cache_folder_that_is_a_file(server: tuple[str, Behaviour], tmp_path: Path) -> None:
    url, _ = server
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(DownloadError, match=r"cache folder .* cannot be used"):
        fetch(url, cache_dir=tmp_path / "taken")


def test_redirect_is_followed(server: tuple[str, Behaviour], tmp_path: Path) -> None:
    url, behaviour = server
    behaviour.location = url.replace("stam_16", "target")
    assert fetch(url, cache_dir=tmp_path).read_bytes() == BODY


@pytest.mark.parametrize("location", ["http://example.org/x.pth", "ftp://example.org/x.pth"])
def test_redirect_away_from_https_is_refused(
    server: tuple[str, Behaviour], tmp_path: Path, location: str
) -> None:
    url, behaviour = server
    behaviour.location = location
    with pytest.raises(DownloadError, match=r"Only https|broke off"):
        fetch(url, cache_dir=tmp_path)
    assert len(behaviour.ranges) == 1


def test_redirects_in_circles(server: tuple[str, Behaviour], tmp_path: Path) -> None:
    url, behaviour = server
    behaviour.location = url
    with pytest.raises(DownloadError, match="redirects in circles"):
        fetch(url, cache_dir=tmp_path)


@pytest.mark.parametrize(
    "url",
    ["http://example.org/x.pth", "ftp://example.org/x", "file:///etc/passwd", "https:///x.pth"],
)
def test_only_https(tmp_path: Path, url: str) -> None:
    with pytest.raises(DownloadError, match="Only https addresses are fetched"):
        fetch(url, cache_dir=tmp_path)
    with pytest.raises(DownloadError, match="Only https addresses are fetched"):
        load_model("stam-16", weights=url)


def test_no_network(tmp_path: Path) -> None:
    with socket.socket() as taken:  # a port where no one listens
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/x.pth"
        with pytest.raises(DownloadError, match=r"is this machine online.*without network"):
            fetch(url, cache_dir=tmp_path)


def test_secrets_in_an_address_are_not_shown_or_kept(
    server: tuple[str, Behaviour], tmp_path: Path
) -> None:
    url, behaviour = server
    secret = url.replace("http://", "http://user:hunter2@") + "?token=hunter2"
    path = fetch(secret, cache_dir=tmp_path)
    assert "hunter2" not in (tmp_path / f"{path.name}.json").read_text()
    assert "hunter2" not in path.name
    behaviour.status = 403
    with pytest.raises(DownloadError, match="answered 403") as caught:
        fetch(f"{secret}2", cache_dir=tmp_path)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "start"),
    [("/a/../../evil.pth", "evil-"), ("/%2e%2e/x y.pth", "x_y-"), ("/", "checkpoint-")],
)
def test_file_names_stay_inside_the_cache(tmp_path: Path, path: str, start: str) -> None:
    url = f"https://example.org{path}"
    placed = place(url, tmp_path)
    assert placed.parent == tmp_path
    assert placed.name.startswith(start)


def test_two_at_once_fetch_once(server: tuple[str, Behaviour], tmp_path: Path) -> None:
    url, behaviour = server
    paths: list[Path] = []
    threads = [
        threading.Thread(target=lambda: paths.append(fetch(url, cache_dir=tmp_path)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paths) == 4
    assert behaviour.ranges == [None]


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STAM_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("STAM_CACHE")
    assert cache_folder() == Path.home() / ".cache" / "stam-demo"


def test_model_is_loaded_from_an_address(
    server: tuple[str, Behaviour], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the address to the error about what is in the file, with every message on the way."""
    url, behaviour = server
    monkeypatch.setenv("STAM_CACHE", str(tmp_path))
    torch.save({"model": {"x": torch.zeros(2)}}, tmp_path / "source.pth")
    behaviour.body = (tmp_path / "source.pth").read_bytes()
    told: list[tuple[str, float]] = []
    with pytest.raises(Exception, match=r"does not belong to stam-16.*1 unexpected: x\."):
        load_model("stam-16", weights=url, progress=lambda *args: told.append(args))
    assert told[0][0].startswith("Fetching 0")
    assert all(0.0 <= fraction <= 1.0 for _, fraction in told)


def test_weights_at_hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STAM_CACHE", str(tmp_path))
    info = model_info("stam-16")
    assert weights_at_hand(info) is None
    place(info.weights.source, None).write_bytes(b"x")
    assert weights_at_hand(info) == place(info.weights.source, None)
