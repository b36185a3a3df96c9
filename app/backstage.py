"""The core, loaded behind the curtain: torch takes seconds to import, the page need not wait.

This module and those that lay out the page import nothing of the core; handlers reach it through
`Backstage.analyst`.
"""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.analysis import Analyst


class Backstage:
    """Gives handlers the one `Analyst`, made on first use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @property
    def analyst(self) -> Analyst:
        """The answerer of every question; the first caller waits for the imports."""
        with self._lock:
            return self._analyst

    @cached_property
    def _analyst(self) -> Analyst:
        from app.analysis import Analyst  # see the module's first sentence

        return Analyst()

    def warm_up(self) -> None:
        """Import the core and analyse the first example, beside whatever else is going on."""
        threading.Thread(target=self._wake, name="warm up", daemon=True).start()

    def _wake(self) -> None:
        self.analyst.warm_up()
        # Half a second that the first visitor who asks for integrated gradients need not wait.
        from stam_core.explain.captum_bridge import load

        load()
