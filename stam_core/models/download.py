"""Fetching a checkpoint into the user's cache folder: resumed where it broke off, checked, kept.

Beside `NAME` stands `NAME.json` with its SHA-256, recorded when it was first fetched and checked
ever after; while a download is under way, `NAME.part` holds what arrived and `NAME.part.json` says
which version of the file that is.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit

import httpx

from stam_core.errors import DownloadError
from stam_core.models.cache import (
    CACHE_VARIABLE,
    file_sha256,
    place,
    read_json,
    record,
    shown_url,
    verify,
)
from stam_core.types import ModelInfo

TIMEOUT = httpx.Timeout(30.0, connect=10.0)  # seconds; 30 without a single byte is a dead line
PROGRESS_BYTES = 1_000_000  # between two calls of the progress callback
MAX_REDIRECTS = 5
MAX_BYTES = 8_000_000_000  # more than any model here: a wrong address must not fill the disk
SPARE_BYTES = 100_000_000  # left free on the disk
OTHER_WAYS = "Or give a local file as the weights; the embedded model works without network."

BytesProgress = Callable[[int, int | None], None]  # (bytes so far, bytes in all or None if unknown)

_locks: defaultdict[Path, Lock] = defaultdict(Lock)  # two visitors may ask for the same file


def is_url(text: str) -> bool:
    """Whether a text is an address rather than a path; fetching takes https only."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text) is not None


def cached_file(url: str, *, cache_dir: Path | None = None) -> Path | None:
    """The file fetched from `url` earlier, or None."""
    path = place(url, cache_dir)
    return path if path.is_file() else None


def fetch(
    wanted: ModelInfo | str,
    *,
    progress: BytesProgress | None = None,
    cache_dir: Path | None = None,
) -> Path:
    """The file at an https address, from the cache folder or fetched into it.

    Args:
        wanted: A model, for its published weights, or the address itself.
        progress: Called with the bytes so far and in all; an exception it raises stops the
            download, which the next call resumes.
        cache_dir: Instead of `cache_folder()`.

    Raises:
        DownloadError: The address is not https, not all arrived, or the digest is another one.
    """
    url = wanted if isinstance(wanted, str) else wanted.weights.source
    weights = None if isinstance(wanted, str) else wanted.weights
    _check_address(url)
    path = place(url, cache_dir)
    with _locks[path], _disk(path):
        if path.is_file():
            verify(path, url)
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        limit = 2 * weights.n_bytes if weights and weights.n_bytes else MAX_BYTES
        part = _Part(url, path.with_name(f"{path.name}.part"), limit)
        part.complete(progress or _silent)
        digest = file_sha256(part.path)
        if weights and weights.sha256 and digest != weights.sha256:
            part.discard()
            raise DownloadError(
                f"What {shown_url(url)} sent is not the published file and was deleted: SHA-256 "
                f"{digest}, published {weights.sha256}. Try again later. {OTHER_WAYS}"
            )
        record(path, url, digest, part.path.stat().st_size)
        part.path.replace(path)
        part.discard()
    return path


@dataclass(frozen=True)
class _Version:
    """Which state of the file a server sends, and how long it is."""

    validator: str  # strong ETag or Last-Modified; "": the server tells neither
    n_bytes: int | None


@dataclass(frozen=True)
class _Part:
    """A download under way."""

    url: str
    path: Path
    limit: int  # bytes

    @property
    def note(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def complete(self, progress: BytesProgress) -> None:
        """Fetch what is still missing, from the start if the file has changed meanwhile."""
        # A proxy named in the environment cannot reach this machine's own loopback.
        with httpx.Client(timeout=TIMEOUT, trust_env=not _is_loopback(self.url)) as client:
            if not self._try(client, progress):
                self.discard()
                if not self._try(client, progress):
                    raise DownloadError(_broke_off(self))

    def _try(self, client: httpx.Client, progress: BytesProgress) -> bool:
        """One request; False: what was begun does not fit what the server holds now."""
        begun = self._begun()
        start = self.path.stat().st_size if begun else 0
        headers = {"Accept-Encoding": "identity", "User-Agent": "stam-demo"}
        if begun:
            headers |= {"Range": f"bytes={start}-", "If-Range": begun.validator}
        with _line(self), _open(client, self.url, headers) as response:
            if begun and response.status_code == 416:  # nothing after `start`: longer than the file
                return False
            _check_status(response, self.url)
            resumed = response.status_code == 206
            version = _version(response)
            if resumed and not (begun and _continues(response, start, begun)):
                return False
            start = start if resumed else 0
            self._check_size(version.n_bytes, start)
            self._write_note(version)
            self._receive(response, start, version.n_bytes, progress)
        return True

    def _begun(self) -> _Version | None:
        """The version of which a part is here, if it can be resumed."""
        if not self.path.is_file() or self.path.stat().st_size == 0:
            return None
        note = read_json(self.note)
        validator, n_bytes = note.get("validator"), note.get("n_bytes")
        if not isinstance(validator, str) or not validator or not isinstance(n_bytes, int):
            return None
        return _Version(validator, n_bytes)

    def _write_note(self, version: _Version) -> None:
        self.note.write_text(
            json.dumps({"validator": version.validator, "n_bytes": version.n_bytes}),
            encoding="utf-8",
        )

    def _check_size(self, n_bytes: int | None, start: int) -> None:
        if n_bytes is not None and n_bytes > self.limit:
            raise DownloadError(
                f"{shown_url(self.url)} is {n_bytes / 1e6:,.0f} MB; at most "
                f"{self.limit / 1e6:,.0f} were expected. Check the address. {OTHER_WAYS}"
            )
        free = shutil.disk_usage(self.path.parent).free
        needed = (n_bytes or 0) - start + SPARE_BYTES
        if free < needed:
            raise DownloadError(
                f"The cache folder has {free / 1e6:,.0f} MB free, {needed / 1e6:,.0f} MB are "
                f"needed. Make room, or set {CACHE_VARIABLE} to a folder on another disk."
            )

    def _receive(
        self, response: httpx.Response, start: int, n_bytes: int | None, progress: BytesProgress
    ) -> None:
        done = told = start
        with self.path.open("ab" if start else "wb") as file:
            progress(done, n_bytes)
            for chunk in response.iter_raw():  # as it comes: all of it is kept
                file.write(chunk)
                done += len(chunk)
                if done > self.limit:
                    raise DownloadError(
                        f"{shown_url(self.url)} sent over {self.limit / 1e6:,.0f} MB; stopped. "
                        f"Check the address. {OTHER_WAYS}"
                    )
                if done - told >= PROGRESS_BYTES:
                    progress(done, n_bytes)
                    told = done
        progress(done, n_bytes)
        on_disk = self.path.stat().st_size
        if on_disk != done:  # another process wrote into it
            self.discard()
            raise DownloadError(
                "Two downloads of the same file ran at once and spoilt each other; both parts were "
                "deleted. Try again, once."
            )
        if n_bytes is not None and done < n_bytes:
            raise DownloadError(_broke_off(self))


def _is_loopback(url: str) -> bool:
    return urlsplit(url).hostname == "127.0.0.1"


def _check_address(url: str, *, from_loopback: bool = True) -> None:
    """Only https: anyone on the way could swap what plain http carries. Loopback has no way."""
    parts = urlsplit(url)
    loopback = parts.scheme == "http" and _is_loopback(url) and from_loopback
    if not parts.hostname or not (parts.scheme == "https" or loopback):
        raise DownloadError(
            f"Only https addresses are fetched, not {shown_url(url)[:200]!r}. "
            "Check the address, or fetch the file yourself and give its path."
        )


@contextmanager
def _open(client: httpx.Client, url: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
    """The response after redirects, each of them checked."""
    for _ in range(MAX_REDIRECTS + 1):
        with client.stream("GET", url, headers=headers) as response:
            if response.next_request is None:
                yield response
                return
            target = str(response.next_request.url)
        _check_address(target, from_loopback=_is_loopback(url))
        url = target
    raise DownloadError(f"{shown_url(url)} redirects in circles. Check the address. {OTHER_WAYS}")


@contextmanager
def _line(part: _Part) -> Iterator[None]:
    """Turns what can happen to a connection into a DownloadError."""
    host = urlsplit(part.url).hostname
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
        raise DownloadError(
            f"No connection to {host}: is this machine online? What arrived so far is kept for the "
            f"next try. {OTHER_WAYS}"
        ) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DownloadError(_broke_off(part)) from error


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DownloadError(
            f"The cache folder {str(path.parent)!r} cannot be used ({error.strerror}). "
            f"Mend that, or set {CACHE_VARIABLE} to another folder."
        ) from error


def _broke_off(part: _Part) -> str:
    arrived = part.path.stat().st_size if part.path.is_file() else 0
    return (
        f"The download from {urlsplit(part.url).hostname} broke off; {arrived / 1e6:,.1f} MB are "
        f"kept. Try again to go on from there. {OTHER_WAYS}"
    )


def _check_status(response: httpx.Response, url: str) -> None:
    if response.status_code in (200, 206):
        return
    raise DownloadError(
        f"The server answered {response.status_code} {response.reason_phrase[:60]} for "
        f"{shown_url(url)}. Check the address or try later. {OTHER_WAYS}"
    )


def _version(response: httpx.Response) -> _Version:
    tag = response.headers.get("ETag", "")
    strong = "" if tag.startswith("W/") else tag  # a weak one does not promise the same bytes
    validator = strong or response.headers.get("Last-Modified", "")
    total = re.fullmatch(r"bytes \d+-\d+/(\d+)", response.headers.get("Content-Range", ""))
    length = total[1] if total else response.headers.get("Content-Length", "")
    return _Version(validator, int(length) if length.isdecimal() else None)


def _continues(response: httpx.Response, start: int, begun: _Version) -> bool:
    """Whether a partial answer starts where the part ends and is of the same version."""
    version = _version(response)
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return (
        found is not None
        and int(found[1]) == start
        and version.n_bytes == begun.n_bytes
        and version.validator in ("", begun.validator)
    )


def _silent(done: int, total: int | None) -> None:
    """No one is listening."""
