"""What the frame lab remembers of a visitor: names and numbers, never arrays.

The edit itself lives in the page and comes along with each question, as frame numbers only.
Nothing of the core is imported here: the page is laid out while the core is still being loaded.
"""

from __future__ import annotations

from dataclasses import dataclass


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
