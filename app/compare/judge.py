"""Whether the answer follows a ranking of the frames: measured in steps, and others ask in between.

Where frames are embedded one by one only the temporal stage is asked. Of other models each question
is a whole pass, so fewer random orders are the yardstick, and of large ones none.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from cachetools import LRUCache

from stam_core.explain.game import REMOVALS, FrameGame
from stam_core.metrics.faithfulness import ORDERS, Band, Faithfulness, judge_frames, random_band

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from app.compare.desk import SideShown
    from stam_core.explain.game import Removal
    from stam_core.record import Subject
    from stam_core.types import Target

BANDS_KEPT = 60  # curves of random orders, each 14 kB
# Multiply-accumulates of one side's random orders where each is whole passes: less than a minute on
# two cores.
_WHOLE_MACS = 1.4e12
_LEAST_ORDERS = 10  # fewer are no band
_ORDERS_PER_STEP = 2  # of whole passes: an order and its reverse, two seconds of an embedded model

Curves = tuple["NDArray[np.float64]", int]  # of a Band: its curves, and what they cost


@dataclass(frozen=True, eq=False)
class Judged:
    """What a ranking is worth."""

    found: Faithfulness | None  # None: no frame is scored, or it would take too long
    orders: int = 0  # random ones it was held against
    passes: int = 0  # whole passes that it would have taken


class Judge:
    """Remembers random orders, which are nobody's own."""

    def __init__(self) -> None:
        self._curves: LRUCache[tuple[Any, ...], Curves] = LRUCache(BANDS_KEPT)
        self._judged: LRUCache[tuple[Any, ...], Judged] = LRUCache(BANDS_KEPT)
        self._lock = threading.Lock()

    def so_far(self, side: SideShown) -> Judged | None:
        """What `judge` said of the side before; None: it has not come to that yet."""
        with self._lock:
            return self._judged.get(_key(side))

    def judge(self, side: SideShown) -> Generator[None, None, Judged]:
        """The ranking of frames by one side's method; between its steps it may be ended."""
        judged = yield from self._judge(side)
        with self._lock:
            self._judged[_key(side)] = judged
        return judged

    def _judge(self, side: SideShown) -> Generator[None, None, Judged]:
        frames = side.explanation.frames
        if frames is None:
            return Judged(None)
        orders, whole = side.engine.ask(_affordable, side.clip, side.target)
        if orders < _LEAST_ORDERS:
            return Judged(None, passes=len(REMOVALS) * _LEAST_ORDERS * len(frames))
        step = _ORDERS_PER_STEP if whole else orders
        found: dict[Removal, Faithfulness] = {}
        for removal in REMOVALS:
            curves = yield from self._random(side, removal, orders, step)
            yield
            found[removal] = side.engine.ask(
                _judged, side.clip, side.target, removal, frames, curves
            )
        scores = {removal: one.removals[removal] for removal, one in found.items()}
        return Judged(Faithfulness(scores, tied=found[REMOVALS[0]].tied), orders)

    def _random(
        self, side: SideShown, removal: Removal, orders: int, step: int
    ) -> Generator[None, None, Curves]:
        """Random orders of one clip; kept without the clip itself, which is 40 MB at ViT-B."""
        weights = side.engine.report.sha256
        key = (side.engine.info.name, weights, side.clip.digest, side.target, removal)
        with self._lock:
            known = self._curves.get(key)
        if known is not None:
            return known
        parts, evaluations = [], 0
        for seed in range(orders // step):
            drawn, asked = side.engine.ask(
                _drawn, side.clip, side.target, removal, orders=step, seed=seed
            )
            parts.append(drawn)
            evaluations += asked
            yield
        # All orders, then all of them backwards, as in one band.
        half = len(parts[0]) // 2
        curves = np.concatenate(
            [*(part[:half] for part in parts), *(part[half:] for part in parts)]
        )
        with self._lock:
            self._curves[key] = curves, evaluations
        return curves, evaluations


def _key(side: SideShown) -> tuple[Any, ...]:
    found = side.explanation
    return (
        side.engine.info.name, side.engine.report.sha256, side.clip.digest, side.target,
        found.method, found.target, found.foil, tuple(sorted(found.parameters.items())),
    )  # fmt: skip


def _affordable(subject: Subject, target: Target) -> tuple[int, bool]:
    """Random orders, and whether each is whole passes."""
    return orders_affordable(FrameGame(subject, target)), not subject.embeds_frames


def _judged(
    subject: Subject,
    target: Target,
    removal: Removal,
    frames: NDArray[np.float32],
    curves: Curves,
) -> Faithfulness:
    band = Band(FrameGame(subject, target, removal), *curves)
    return judge_frames(frames, {removal: band})


def _drawn(subject: Subject, target: Target, removal: Removal, *, orders: int, seed: int) -> Curves:
    band = random_band(FrameGame(subject, target, removal), orders=orders, seed=seed)
    return band.curves, band.evaluations


def orders_affordable(game: FrameGame) -> int:
    """Random orders of a clip that a person can be asked to wait for; an even number."""
    if game.subject.embeds_frames:
        return ORDERS
    per_order = len(REMOVALS) * game.num_frames * game.macs_per_subset
    return min(ORDERS, int(_WHOLE_MACS / per_order) // 2 * 2)
