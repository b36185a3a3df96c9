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
        self._lock = threading.Lock()

    def get(self, engine: Engine, clip: Clip, ask: Ask) -> Explanation:
        """The whole explanation.

        Raises:
            StamError: the method cannot answer; see `Engine.explain`.
        """
        for found in self.stream(engine, clip, ask):
            last = found
        return last

    def stream(self, engine: Engine, clip: Clip, ask: Ask) -> Iterator[Explanation]:
        """Partial explanations first where the method has any, the whole one last.

        Raises:
            StamError: the method cannot answer; see `Engine.explain`.
        """
        key = (
            engine.info.name, engine.report.sha256, clip.digest, ask.method,
            tuple(sorted(ask.parameters.items())), ask.target, ask.foil,
        )  # fmt: skip
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
            if found.done < 1 and time.monotonic() - told >= BETWEEN_PARTS_SECONDS:
                told = time.monotonic()
                yield found
        with self._lock:
            if size_of(last) <= KEPT_BYTES:
                self._known[key] = last
        yield last


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
