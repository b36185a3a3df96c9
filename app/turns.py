"""Of every visitor's questions the newest counts: an older one ends at its next step."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from app.serving.jobs import current_job

Step = TypeVar("Step")
HURRIED_SECONDS = 2.0  # between two questions
VISITORS_KEPT = 512


class Turns:
    """Which question of each visitor is the newest.

    A visitor who goes on to another class or clip must not wait for sums nobody reads, nor hold
    the place of others in the queue.
    """

    def __init__(self) -> None:
        self._newest: OrderedDict[str, int] = OrderedDict()
        self._asked: dict[str, float] = {}
        self._begun: dict[str, float] = {}
        self._count = 0
        self._lock = threading.Lock()

    def begin(self, visitor: str, asked: object = None) -> Turn:
        """A new question of this visitor.

        Args:
            visitor: who.
            asked: when, by the page's own clock, where the page says so. Questions asked within a
                moment may begin in another order; one older than the newest is over as it begins.
        """
        turn = self._begin(visitor, asked)
        job = current_job()
        if job is not None:
            job.only_while(turn.is_wanted)
        return turn

    def _begin(self, visitor: str, asked: object) -> Turn:
        with self._lock:
            self._count += 1
            now = time.monotonic()
            hurried = now - self._begun.get(visitor, -HURRIED_SECONDS) < HURRIED_SECONDS
            self._begun[visitor] = now
            if isinstance(asked, int | float):
                if asked < self._asked.get(visitor, asked):
                    return Turn(self, visitor, self._count)
                self._asked[visitor] = asked
            self._newest[visitor] = self._count
            self._newest.move_to_end(visitor)
            while len(self._newest) > VISITORS_KEPT:
                forgotten, _ = self._newest.popitem(last=False)
                self._asked.pop(forgotten, None)
                self._begun.pop(forgotten, None)
            return Turn(self, visitor, self._count, hurried)

    def end(self, visitor: str) -> None:
        """Nobody waits for this visitor's question any more."""
        with self._lock:
            self._newest.pop(visitor, None)
            self._asked.pop(visitor, None)
            self._begun.pop(visitor, None)

    def newest(self, visitor: str) -> int | None:
        """The number of the visitor's newest question; None: it was ended, or there was none."""
        with self._lock:
            return self._newest.get(visitor)


@dataclass(frozen=True)
class Turn:
    """One question of one visitor."""

    turns: Turns
    visitor: str
    number: int
    hurried: bool = False  # another one had only just begun: its words may still be on their way

    def is_wanted(self) -> bool:
        """Whether it still is the newest and was not ended."""
        return self.turns.newest(self.visitor) == self.number

    def is_replaced(self) -> bool:
        """Whether the visitor has asked something else since."""
        return self.turns.newest(self.visitor) not in (None, self.number)

    def follow(self, steps: Iterator[Step]) -> Iterator[Step]:
        """The steps of the answer, for as long as this is the newest question."""
        for step in steps:
            if not self.is_wanted():
                return
            yield step
