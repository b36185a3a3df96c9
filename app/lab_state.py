"""What the frame lab remembers of a visitor: names and numbers, never arrays.

The edit itself lives in the page and comes along with each question, as frame numbers only.
Nothing of the core is imported here: the page is laid out while the core is still being loaded.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

VISITORS_KEPT = 512


@dataclass(frozen=True)
class Lab:
    """One visitor's choices in the frame lab."""

    second: str | None = None  # the second clip's key of session.Sources
    target: int | None = None  # class asked about; None: the predicted one
    foil: int | None = None  # class it is held against
    removal: str = "drop"
    places: str = "keep"
    shown: str = ""  # the clip and model that the page shows; "": none yet
    seen: tuple[int | None, int | None] = (None, None)  # the tab "Inspect"'s classes at that time


class Turns:
    """Which question of each visitor is the newest: an older one ends at its next step.

    A visitor who goes on to another class or clip must not wait for sums nobody reads, nor hold
    the place of others in the queue.
    """

    def __init__(self) -> None:
        self._newest: OrderedDict[str, int] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()

    def begin(self, visitor: str) -> Turn:
        """A new question of this visitor."""
        with self._lock:
            self._count += 1
            self._newest[visitor] = self._count
            self._newest.move_to_end(visitor)
            while len(self._newest) > VISITORS_KEPT:
                self._newest.popitem(last=False)
            return Turn(self, visitor, self._count)

    def end(self, visitor: str) -> None:
        """Nobody waits for this visitor's question any more."""
        with self._lock:
            self._newest.pop(visitor, None)

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

    def is_wanted(self) -> bool:
        """Whether it still is the newest and was not ended."""
        return self.turns.newest(self.visitor) == self.number

    def is_replaced(self) -> bool:
        """Whether the visitor has asked something else since."""
        return self.turns.newest(self.visitor) not in (None, self.number)
