"""One of several that answer: ordinary engines, made from models that are sent to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import torch
from cachetools import LRUCache

from stam_core.any_engine import CACHE_BYTES, remember
from stam_core.engine import Engine
from stam_core.errors import StamError
from stam_core.models import LoadedModel
from stam_core.remote.work import Refused, Sent, Work
from stam_core.types import Clip

ENGINES_KEPT = 4  # a Kinetics model is 0.5 GB
CLIP_BYTES = 64 * 2**20  # of decoded clips; what the model made of them is the engines' to keep


class Replica:
    """Answers questions; safe to use from several threads."""

    def __init__(
        self,
        fetch: Callable[[Any], Any],
        *,
        device: str = "auto",
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """No model yet.

        Args:
            fetch: Gives what a caller has `put`.
            device: For the models.
            cache_bytes: Bound on the memory kept for the clips of one model.
        """
        self._fetch = fetch
        self._device = device
        self._cache_bytes = cache_bytes
        self._engines: LRUCache[str, Engine] = LRUCache(ENGINES_KEPT)
        self._clips: LRUCache[str, Clip] = LRUCache(
            CLIP_BYTES, getsizeof=lambda clip: clip.frames.nbytes
        )
        self._lock = threading.Lock()

    def answer(self, work: Work) -> Any:  # noqa: ANN401 - whatever the question returns
        """What the question returns; `Refused` where it was not one that can be answered."""
        try:
            return self._begin(work)
        except StamError as error:
            return Refused(error)

    def parts(self, work: Work) -> Iterator[Any]:
        """What the question's iterator gives; `Refused` as the last where it cannot go on."""
        try:
            yield from self._begin(work)
        except StamError as error:
            yield Refused(error)

    def _begin(self, work: Work) -> Any:  # noqa: ANN401
        engine = self._engine(work.model)
        clips = [self._clip(clip) for clip in work.clips]
        return work.question(engine, *clips, *work.arguments, **work.named)

    def _engine(self, model: Sent) -> Engine:
        with self._lock:
            if model.name not in self._engines:
                loaded: LoadedModel = self._fetch(model.place)
                self._engines[model.name] = Engine(
                    loaded, device=self._device, cache_bytes=self._cache_bytes
                )
            return self._engines[model.name]

    def _clip(self, sent: Sent) -> Clip:
        with self._lock:
            known = self._clips.get(sent.name)
        if known is not None:
            return known
        clip: Clip = self._fetch(sent.place)
        with self._lock:
            remember(self._clips, sent.name, clip)
        return clip


def facts(engine: Engine) -> tuple[str, torch.dtype]:
    """A question: where the model runs, and in which numbers."""
    return str(engine.device), engine.dtype
