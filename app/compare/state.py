"""What the tab "Compare" holds for a visitor: names and numbers, never arrays."""

from __future__ import annotations

from dataclasses import dataclass

from app.visit import Visit


@dataclass(frozen=True)
class Pair:
    """Two sides; of each visit the `heat` method with its parameters is what is shown."""

    sides: tuple[Visit, Visit] = (Visit(), Visit())
    inspected: str | None = None  # the clip in "Inspect", key of session.Sources
    began: str = ""  # with which view of "Inspect" the tab was opened; "": not yet
    linked: bool = False  # the sides are those of a link and not shown yet
