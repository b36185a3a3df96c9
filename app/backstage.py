"""The core, loaded behind the curtain: torch takes seconds to import, the page need not wait.

This module and those that lay out the page import nothing of the core; handlers reach it through
`Backstage.analyst`.
"""

from __future__ import annotations

import logging
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from app.analysis import Analyst
    from app.serving.cluster import Cluster

_LOG = logging.getLogger(__name__)


class Backstage:
    """Gives handlers the one `Analyst`, made on first use."""

    def __init__(self, cluster: Cluster | None = None) -> None:
        """Nothing is loaded yet.

        Args:
            cluster: whose machines answer; None: this process does.
        """
        self.cluster = cluster
        self.state: Literal["waking", "ready", "failed"] = "waking"  # the first page's
        self.device: str | None = None  # that models run on; None: not known yet
        self._lock = threading.Lock()

    @property
    def analyst(self) -> Analyst:
        """The answerer of every question; the first caller waits for the imports."""
        with self._lock:
            return self._analyst

    @cached_property
    def _analyst(self) -> Analyst:
        from app.analysis import Analyst  # see the module's first sentence

        return Analyst(build=self.cluster and self.cluster.build)

    def warm_up(self) -> None:
        """Import the core and analyse the first example, beside whatever else is going on."""
        threading.Thread(target=self._wake, name="warm up", daemon=True).start()

    def visitor_left(self, visitor: str) -> None:
        """A page was closed; what was its own need not be kept long."""
        if "_analyst" in self.__dict__:
            self._analyst.sources.leave(visitor)

    def forget_those_who_left(self) -> None:
        """Free what belonged to pages that were closed a while ago."""
        if "_analyst" in self.__dict__:
            self._analyst.sources.forget_those_who_left()

    def _wake(self) -> None:
        try:
            self.device = self.analyst.warm_up()
            # A second of imports that whoever first asks for integrated gradients would wait for,
            # and all others with them.
            from stam_core.explain.captum_bridge import load

            load()
        # Whatever it is: nobody waits for this thread, so it must be told here.
        except Exception:
            self.state = "failed"
            _LOG.exception("the first model could not be made ready")
            return
        self.state = "ready"
        _LOG.info("ready", extra={"facts": {"device": self.device}})
