"""Explanations that were asked for, remembered for all visitors within a bound."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache

from app import controls
from stam_core.explain import EXPLAINERS

if TYPE_CHECKING:
    from app.visit import Visit
    from stam_core import Engine
    from stam_core.types import Clip, Explanation, ModelInfo, Prediction

KEPT_BYTES = 32 * 2**20  # of explanations: 16 frames of 16 x 16 patches are 16 kB
PARTS_BYTES = 4 * 2**20
RECORD_BYTES = 2048  # of an explanation's other fields, about
BETWEEN_PARTS_SECONDS = 0.2  # the page need not be told of every step
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Ask:
    """A method with its parameters and classes."""

    method: str
    parameters: Mapping[str, Any]
    target: int | None = None
    foil: int | None = None


class Explained:
    """Asks engines, and remembers what they said."""

    def __init__(self) -> None:
        self._known: LRUCache[Key, Explanation] = LRUCache(KEPT_BYTES, getsizeof=size_of)
        # The last part of those that were never finished, or are still growing.
        self._parts: LRUCache[Key, Explanation] = LRUCache(PARTS_BYTES, getsizeof=size_of)
        self._lock = threading.Lock()

    def get(self, engine: Engine, clip: Clip, ask: Ask) -> Explanation:
        """The whole explanation.

        Raises:
            StamError: the method cannot answer; see `Engine.explain`.
        """
        for found in self.stream(engine, clip, ask):
            last = found
        return last

    def so_far(self, engine: Engine, clip: Clip, ask: Ask) -> Explanation | None:
        """What is known without asking: the whole explanation, or else the last part of it."""
        key = _key(engine, clip, ask)
        with self._lock:
            return self._known.get(key) or self._parts.get(key)

    def stream(
        self, engine: Engine, clip: Clip, ask: Ask, *, pause_seconds: float | None = None
    ) -> Iterator[Explanation]:
        """Partial explanations first where the method has any, the whole one last.

        Args:
            engine: is asked where the explanation is not known yet.
            clip: from `engine.open`.
            ask: the method, its parameters and classes.
            pause_seconds: at least, between two parts; None: BETWEEN_PARTS_SECONDS.

        Raises:
            StamError: the method cannot answer; see `Engine.explain`.
        """
        key = _key(engine, clip, ask)
        pause = BETWEEN_PARTS_SECONDS if pause_seconds is None else pause_seconds
        with self._lock:
            known = self._known.get(key)
        if known is not None:
            yield known
            return
        told = 0.0
        for found in engine.stream(
            clip, method=ask.method, target=ask.target, foil=ask.foil, **ask.parameters
        ):
            last = found
            if found.done < 1 and time.monotonic() - told >= pause:
                told = time.monotonic()
                self._keep(self._parts, key, found)
                yield found
        self._keep(self._known, key, last)
        yield last

    def _keep(self, kept: LRUCache[Key, Explanation], key: Key, found: Explanation) -> None:
        """Remember it unless it alone is larger than the whole cache."""
        with self._lock:
            if size_of(found) <= kept.maxsize:
                kept[key] = found


def _key(engine: Engine, clip: Clip, ask: Ask) -> Key:
    return (
        engine.info.name, engine.report.sha256, clip.digest, ask.method,
        tuple(sorted(ask.parameters.items())), ask.target, ask.foil,
    )  # fmt: skip


def size_of(explanation: Explanation) -> int:
    """Bytes of an explanation, to be kept within a bound."""
    arrays = (explanation.frames, explanation.patches, explanation.pairs)
    rows = [*(array for array in arrays if array is not None), *explanation.series.values()]
    return RECORD_BYTES + sum(row.nbytes for row in rows)


def with_methods(visit: Visit, info: ModelInfo | None = None) -> Visit:
    """The visit with the first methods filled in where none were chosen yet.

    Nor may one stay that cannot speak about the model of `info`.
    """
    if visit.heat not in controls.methods_for("patches", info):
        heat = controls.default_method("patches", info)
        visit = replace(visit, heat=heat, heat_parameters={})
    if visit.bars not in controls.methods_for("frames", info):
        bars = controls.default_method("frames", info)
        visit = replace(visit, bars=bars, bars_parameters={})
    return visit


def without_idle_foil(visit: Visit, prediction: Prediction) -> Visit:
    """The visit without a class that the predicted one would be held against: itself.

    A contrast chosen for one clip may meet another clip, of just that class.
    """
    if visit.target is None and visit.foil == int(prediction.logits.argmax()):
        return replace(visit, foil=None)
    return visit


def asks(visit: Visit) -> tuple[Ask, Ask]:
    """What the map and the bars ask of the engine; the visit has its methods."""
    return (
        _ask(visit, visit.heat, visit.heat_parameters),
        _ask(visit, visit.bars, visit.bars_parameters),
    )


def _ask(visit: Visit, method: str, parameters: dict[str, Any]) -> Ask:
    if not EXPLAINERS[method].info.uses_target:
        return Ask(method, parameters)
    return Ask(method, parameters, visit.target, visit.foil)
