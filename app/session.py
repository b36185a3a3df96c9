"""What the server keeps for all visitors, shared and bounded.

A visitor holds a `Visit`, which names a model and a clip; the things themselves lie in `Engines`
and `Sources`, so that no visitor's choice ever changes another's model, and memory does not grow
with the number of visitors.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from app import text
from app.serving.settings import service_settings
from app.visit import EMBEDDED
from stam_core import Engine
from stam_core.any_engine import AnyEngine
from stam_core.errors import VideoError, WeightsError
from stam_core.limits import MIB
from stam_core.models import MODELS, model_info
from stam_core.types import ModelInfo, Progress

_LOG = logging.getLogger(__name__)

# Makes a model ready: its name, a file of weights in place of its own, who is told of a download.
Build = Callable[[str, Path | None, Progress | None], AnyEngine]

ENGINES_KEPT = 3  # beside the embedded one: a Kinetics model is 0.5 GB
SOURCES_KEPT = 2000  # paths and names only
OWN_KEPT = 24  # clips of one visitor; one who sends more loses the oldest, nobody else does
LEFT_SECONDS = 300.0  # a page that lost its connection for a moment finds its clip again


@dataclass(frozen=True)
class Source:
    """Where a clip lies on the server, and what the visitor calls it (untrusted text)."""

    path: Path
    name: str
    visitor: str = ""  # whose own it is; "": nobody's
    changed: int | None = None  # when the file was written, in ns: which of its uploads this is
    size: int = 0  # bytes


class Sources:
    """Clips by an unguessable key, so that one visitor cannot ask for another's."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, own_bytes: int | None = None
    ) -> None:
        """No clip yet.

        Args:
            clock: tells seconds.
            own_bytes: of one visitor's clips; None: as the environment says.
        """
        self._own_bytes = service_settings().own_mib * MIB if own_bytes is None else own_bytes
        self._known: OrderedDict[str, Source] = OrderedDict()
        self._kept: dict[str, Source] = {}
        self._left: OrderedDict[str, float] = OrderedDict()  # visitor -> when
        self._clock = clock
        self._lock = threading.Lock()

    def add(self, path: Path, name: str, visitor: str = "") -> str:
        """Remember a clip; the visitor's oldest ones are deleted when they are too many."""
        key = secrets.token_urlsafe(16)
        changed, size = written_at(path), path.stat().st_size if path.is_file() else 0
        with self._lock:
            self._left.pop(visitor, None)
            self._known[key] = Source(path, name, visitor, changed, size)
            self._forget(self._too_many(visitor) if visitor else [])
            while len(self._known) > SOURCES_KEPT:
                self._known.popitem(last=False)
        return key

    def _too_many(self, visitor: str) -> list[str]:
        """A visitor's clips beyond what one may keep, but never the newest; the lock must be held.

        Who sends one file twice keeps it once.
        """
        own = [(key, source) for key, source in self._known.items() if source.visitor == visitor]
        counted: dict[Path, int] = {}
        for place, (_, source) in enumerate(reversed(own)):
            counted[source.path] = source.size
            if place and (place >= OWN_KEPT or sum(counted.values()) > self._own_bytes):
                return [key for key, _ in own[: len(own) - place]]
        return []

    def leave(self, visitor: str) -> None:
        """The visitor's page was closed: its clips are kept for LEFT_SECONDS only."""
        with self._lock:
            if any(source.visitor == visitor for source in self._known.values()):
                self._left[visitor] = self._clock()

    def forget_those_who_left(self) -> None:
        """Delete the clips of visitors who left and did not come back for them."""
        with self._lock:
            gone = {
                visitor
                for visitor, when in self._left.items()
                if self._clock() - when >= LEFT_SECONDS
            }
            keys = [key for key, source in self._known.items() if source.visitor in gone]
            self._forget(keys)
            for visitor in gone:
                del self._left[visitor]

    def _forget(self, keys: Iterable[str]) -> None:
        """Delete the files that nobody needs without these clips; the lock must be held.

        Who send the same file share it. One that was written anew since belongs to somebody whose
        event has not come yet: it stays.
        """
        gone = [self._known.pop(key) for key in keys]
        needed = {source.path for source in self._known.values()}
        for path in {source.path for source in gone} - needed:
            if written_at(path) in {source.changed for source in gone if source.path == path}:
                delete([path])

    def keep(self, path: Path, name: str) -> str:
        """Remember a clip that comes with the program: never forgotten."""
        key = secrets.token_urlsafe(16)
        with self._lock:
            self._kept[key] = Source(path, name)
        return key

    def get(self, key: str | None) -> Source:
        """The clip of a key.

        Raises:
            VideoError: no clip yet, or it is no longer kept.
        """
        if key is None:
            raise VideoError(text.NO_CLIP)
        with self._lock:
            source = self._kept.get(key) or self._known.get(key)
            if source is not None:  # who asks is here after all: a connection may break for a while
                self._left.pop(source.visitor, None)
        if source is None or not source.path.is_file():
            raise VideoError(text.CLIP_GONE)
        return source


def written_at(path: Path) -> int | None:
    """When, in ns; None: there is no such file."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def delete(files: Iterable[Path]) -> None:
    """Take files off the disc."""
    for file in files:
        with contextlib.suppress(OSError):  # deleted already, or held open on Windows
            file.unlink()


def cache_bytes() -> int:
    """Of decoded clips and recordings for each model, so that all together keep to the setting."""
    return service_settings().cache_mib * MIB // (ENGINES_KEPT + 1)


def build_here(name: str, weights: Path | None, progress: Progress | None) -> Engine:
    """A model in this process.

    Raises:
        StamError: its weights cannot be had.
    """
    return Engine(
        name, weights=weights, cache_bytes=cache_bytes(), decoding="apart", progress=progress
    )


class Engines:
    """Ready models by key: a model's name, or `file:...` for a checkpoint somebody opened."""

    def __init__(self, build: Build | None = None) -> None:
        """None is ready yet.

        Args:
            build: makes a model ready; None: in this process.
        """
        self._build = build or build_here
        self._ready: OrderedDict[str, AnyEngine] = OrderedDict()
        self._files: dict[str, tuple[str, Path]] = {}  # key -> (model it is meant for, file)
        self._building: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: str, *, progress: Progress | None = None) -> AnyEngine:
        """The model of a key, made ready if need be; two visitors wait for one and the same.

        Raises:
            StamError: there is no such model, or its weights cannot be had.
        """
        with self._lock:
            building = self._building.setdefault(key, threading.Lock())
        with building:
            with self._lock:
                if key in self._ready:
                    self._ready.move_to_end(key)
                    return self._ready[key]
            engine = self._make(key, progress)
            with self._lock:
                self._ready[key] = engine
                self._forget_oldest()
        return engine

    def add_file(self, name: str, path: Path) -> str:
        """The key under which a checkpoint file for the model `name` can be had.

        Raises:
            WeightsError: the file cannot be read.
        """
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise WeightsError(
                f"The file cannot be read ({error.strerror}). Check the path and try again."
            ) from error
        key = f"file:{name}:{digest[:16]}"
        with self._lock:
            self._files[key] = (name, path)
            while len(self._files) > SOURCES_KEPT:
                del self._files[next(iter(self._files))]
        return key

    def info(self, key: str) -> ModelInfo:
        """What is known about a key's model, without building it where that can be avoided."""
        return model_info(key) if key in MODELS else self.get(key).info

    def _make(self, key: str, progress: Progress | None) -> AnyEngine:
        if key in MODELS:
            return self._build(key, None, progress)
        with self._lock:
            entry = self._files.get(key)
        if entry is None or not entry[1].is_file():
            raise WeightsError(text.MODEL_GONE)
        return self._build(entry[0], entry[1], progress)

    def _forget_oldest(self) -> None:
        others = [key for key in self._ready if key != EMBEDDED]
        for key in others[: max(0, len(others) - ENGINES_KEPT)]:
            _LOG.info("forgetting the model %s", key)
            del self._ready[key]
