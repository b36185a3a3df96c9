"""What the frame lab remembers of a visitor: names and numbers, never arrays.

The edit itself lives in the page and comes along with each question, as frame numbers only.
Nothing of the core is imported here: the page is laid out while the core is still being loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SlotRow = tuple[int, int, bool]  # as in an event: clip (0 or 1), frame from 0, kept


@dataclass(frozen=True)
class Start:
    """An edit with which the strip is to open: that of a link."""

    source: str  # the clip it is meant for, key of session.Sources
    slots: tuple[SlotRow, ...]


@dataclass(frozen=True)
class Lab:
    """One visitor's choices in the frame lab."""

    second: str | None = None  # the second clip's key of session.Sources
    target: int | None = None  # class asked about; None: the predicted one
    foil: int | None = None  # class it is held against
    removal: str = "drop"
    places: str = "keep"
    shown: str = ""  # the clip and model that the page shows; "": none yet
    start: Start | None = None  # None: as the clip is
    seen: tuple[int | None, int | None] = (None, None)  # the tab "Inspect"'s classes at that time


@dataclass(frozen=True)
class Shown:
    """The edit whose answer the page shows, as it was sent and found to be in order."""

    keys: tuple[str, ...] = ()  # its clips' digests; (): the clip as opened
    slots: tuple[SlotRow, ...] = ()
    removal: str = "drop"
    places: str = "keep"

    def data(self) -> dict[str, Any]:
        """As an event of the page has it."""
        return {
            "keys": list(self.keys),
            "slots": [list(slot) for slot in self.slots],
            "removal": self.removal,
            "places": self.places,
        }
