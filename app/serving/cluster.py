"""Models on the machines of a Ray cluster, with this process as their front; chosen by `--ray`."""

from __future__ import annotations

import logging
import re
import signal
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from app.serving.settings import ServiceSettings
from stam_core.errors import ParameterError

if TYPE_CHECKING:
    from stam_core.remote import RemoteEngine
    from stam_core.remote.ray_serve import RayServe
    from stam_core.types import Progress

_LOG = logging.getLogger(__name__)

LOOK_SECONDS = 5.0  # between two looks at the replicas
STOP_SECONDS = 10.0  # that they get to end
MOST_REPLICAS = 1024
# Packages whose functions are asked as questions; both are free of gradio where they are needed.
NO_RAY = (
    "--ray (STAM_RAY) needs Ray Serve, which is not installed here. Install it with "
    "`pip install -r requirements-ray.txt`, or leave it out."
)
MODULES = ("stam_core", "app")


def read_replicas(words: str) -> tuple[int, int] | None:
    """The least and the most replicas: "2", or "1-4"; "" for as many as fit.

    Raises:
        ParameterError: it is neither.
    """
    if not words:
        return None
    found = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", words.strip())
    least, most = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= least <= most <= MOST_REPLICAS:
        raise ParameterError(
            f"Replicas are a number like 2 or a range like 1-4, up to {MOST_REPLICAS}; "
            f"got {words[:40]!r}."
        )
    return least, most


class Cluster:
    """The replicas behind the page: begun on first use, watched, ended with the app."""

    def __init__(self, settings: ServiceSettings) -> None:
        """Nothing is begun yet.

        Args:
            settings: whose `ray` says where; it is not "".

        Raises:
            ParameterError: Ray is not installed, or the number of replicas cannot be read.
        """
        if find_spec("ray") is None:
            raise ParameterError(NO_RAY)
        self._settings = settings
        self._replicas = read_replicas(settings.replicas)
        self._serve: RayServe | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._problem: Exception | None = None  # why the replicas could not be begun
        self._begun = threading.Event()
        self._ended = threading.Event()
        self.answering = False  # a replica is there that answers

    def build(self, name: str, weights: Path | None, progress: Progress | None) -> RemoteEngine:
        """A model before the replicas.

        Raises:
            StamError: its weights, or the cluster, cannot be had.
        """
        from app.session import cache_bytes
        from stam_core.remote import RemoteEngine  # loads torch, and so does the next

        return RemoteEngine(
            name,
            caller=self._started(),
            weights=weights,
            cache_bytes=cache_bytes(),
            decoding="apart",
            progress=progress,
        )

    def stop(self) -> None:
        """End the replicas, and the cluster where it was begun here."""
        self._ended.set()
        if hasattr(signal, "alarm"):
            # Ray's own handler of SIGTERM, in this process too, would abort it in three seconds.
            signal.alarm(0)
        if self._thread is not None:  # a cluster that is gone cannot be waited for
            self._thread.join(STOP_SECONDS)

    def _started(self) -> RayServe:
        with self._lock:
            if self._thread is None or self._problem is not None:
                self._problem = None
                self._begun.clear()
                self._thread = threading.Thread(target=self._run, name="replicas", daemon=True)
                self._thread.start()
            self._begun.wait()
            if self._problem is not None:
                raise self._problem
            assert self._serve is not None  # it was begun
            return self._serve

    def _run(self) -> None:
        """Begin the replicas, watch them, end them: all in one thread.

        The kernel ends the processes of a cluster begun here when the thread that began it ends
        (Ray asks it to), and this process then ends itself.
        """
        try:
            self._serve = self._begin()
        # Whatever it is, whoever waits is told.
        except Exception as problem:
            self._problem = problem
            return
        finally:
            self._begun.set()
        while not self._ended.wait(LOOK_SECONDS):
            answering = self._serve.running() > 0
            if answering != self.answering:
                _LOG.warning("replicas answer again" if answering else "no replica answers")
            self.answering = answering
        self._serve.stop()

    def _begin(self) -> RayServe:
        from app.session import cache_bytes
        from stam_core.remote.ray_serve import start_serve

        serve = start_serve(
            self._settings.ray,
            replicas=self._replicas,
            modules=MODULES,
            cache_bytes=cache_bytes(),
            patience_seconds=self._settings.job_seconds,
        )
        self.answering = True
        _LOG.info("replicas", extra={"facts": {"running": serve.running()}})
        return serve
