"""The user's cache folder for fetched checkpoints, the digest of each recorded beside it."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from stam_core.errors import DownloadError

_LOG = logging.getLogger(__name__)

CACHE_VARIABLE = "STAM_CACHE"


def cache_folder() -> Path:
    """Where fetched checkpoints are kept: $STAM_CACHE, or .cache/stam-demo in the home folder."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "stam-demo"


def shown_url(url: str) -> str:
    """An address without what may be secret in it: user, password, query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"


def place(url: str, cache_dir: Path | None) -> Path:
    """The cache path of an address: its file name made safe, with a mark of the whole address."""
    name = Path(
        re.sub(r"[^\w.-]", "_", urlsplit(url).path.rsplit("/", 1)[-1])[-80:] or "checkpoint"
    )
    mark = hashlib.sha256(url.encode()).hexdigest()[:8]
    return (cache_dir or cache_folder()) / f"{name.stem}-{mark}{name.suffix}"


def record(path: Path, url: str, digest: str, n_bytes: int) -> None:
    """Write the digest of a fetched file beside its future place, whole or not at all."""
    note = path.with_name(f"{path.name}.json")
    draft = note.with_name(f"{note.name}.new")
    values = {"source": shown_url(url), "sha256": digest, "n_bytes": n_bytes}
    draft.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    draft.replace(note)


def verify(path: Path, url: str) -> None:
    """Hold a kept file against the digest recorded when it was fetched."""
    digest = file_sha256(path)
    recorded = read_json(path.with_name(f"{path.name}.json")).get("sha256")
    if recorded is None:
        _LOG.warning("%s had no recorded digest; its SHA-256 %s is recorded now", path.name, digest)
        record(path, url, digest, path.stat().st_size)
    elif recorded != digest:
        raise DownloadError(
            f"The kept file {str(path)!r} is no longer what was fetched: its SHA-256 differs from "
            "the recorded one. Delete it to fetch it again, or give another file."
        )


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes; computed once while size and time stay the same."""
    state = path.stat()
    return _sha256(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=32)
def _sha256(path: Path, _n_bytes: int, _changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: Path) -> dict[str, object]:
    """The object in a JSON file; empty where there is none or it is spoilt."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
