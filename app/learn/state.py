"""What the tab "Learn" remembers of a visitor: names only, never arrays.

Nothing of the core is imported here: the page is laid out while the core is still being loaded.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Learn:
    """One visitor's lessons."""

    shown: str = ""  # the clip and model that the page shows; "": none yet
    # The clip and model of "Inspect" in whose place the first example is shown; "": none.
    replaced: str = ""
