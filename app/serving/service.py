"""The page as a service: its doors, and how it begins and ends."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from app.backstage import Backstage
from app.serving.cluster import Cluster
from app.serving.door import password_check
from app.serving.gate import Gate, never_fetch
from app.serving.headers import SafeHeaders
from app.serving.health import Health, health_route
from app.serving.jobs import Jobs, all_jobs
from app.serving.logs import adopt_server_log
from app.serving.presence import Presence
from app.serving.settings import ServiceSettings
from app.serving.temporary import TemporaryFolder
from app.ui import build_page, launch_settings

_LOG = logging.getLogger(__name__)

LOOK_SECONDS = 0.1  # between two looks at whether the app is to stop


class StopSign:
    """Set by the first SIGTERM or Ctrl-C; a second one ends the program at once."""

    def __init__(self) -> None:
        """Not set; listens from now on."""
        self.seen = False
        self._signals = (signal.SIGTERM, signal.SIGINT)
        for number in self._signals:
            signal.signal(number, self._see)

    def wait(self) -> None:
        """Until it is set."""
        while not self.seen:
            time.sleep(LOOK_SECONDS)

    def _see(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.seen = True
        for number in self._signals:
            signal.signal(number, signal.SIG_DFL)


def serve(
    host: str,
    port: int,
    settings: ServiceSettings,
    folder: TemporaryFolder,
    *,
    local: bool,
    show: bool = False,
    cluster: Cluster | None = None,
) -> None:
    """Serve the page until somebody stops it; then the program ends in good order, with code 0.

    Args:
        host: address to serve on.
        port: to serve on.
        settings: of the environment.
        folder: for everything on disk; removed in any case.
        local: served to this computer only.
        show: open it in this computer's browser.
        cluster: whose machines run the models; None: this process does.

    Raises:
        OSError: the port cannot be had.
    """
    sign = StopSign()
    check: Any = settings.auth and password_check(*settings.auth)  # gradio takes coroutines too
    try:
        backstage = Backstage(cluster)
        page = build_page(backstage, local=local)
        backstage.warm_up()
        folder.keep_swept(backstage.forget_those_who_left)
        page.launch(
            inbrowser=show,
            prevent_thread_lock=True,
            quiet=settings.log == "json",
            auth=check,
            app_kwargs=doors(page, backstage, all_jobs(), uploaded=folder.sweep_soon),
            **launch_settings(host, port),
        )
        adopt_server_log()
        _LOG.info("serving", extra={"facts": {"port": port, "password": settings.auth is not None}})
        sign.wait()
        stop(page, all_jobs(), settings.stop_seconds)
    finally:
        close_decoders()
        if cluster is not None:
            cluster.stop()
        folder.remove()
    leave_at_once()


def doors(
    page: gr.Blocks,
    backstage: Backstage,
    jobs: Jobs,
    uploaded: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """What stands around the page: `/health`, headers on every answer, and who is not let in.

    Args:
        page: to be served.
        backstage: of the page.
        jobs: of all visitors.
        uploaded: called after each upload.
    """
    never_fetch()
    health = Health(backstage, page, jobs, began=time.monotonic())
    around = [
        Middleware(SafeHeaders),
        Middleware(Gate, uploaded=uploaded),
        Middleware(Presence, left=jobs.leave),
    ]
    return {"routes": [health_route(health)], "middleware": around}


def stop(page: gr.Blocks, jobs: Jobs, seconds: float) -> bool:
    """Take no more jobs, let those at work finish, and close the page.

    Args:
        page: being served.
        jobs: of all visitors.
        seconds: that jobs get.

    Returns:
        Whether no job is at work any more.
    """
    _LOG.info("stopping", extra={"facts": {"running": jobs.running}})
    finished = jobs.drain(seconds)
    page.close(verbose=False)
    _LOG.info("stopped", extra={"facts": {"running": jobs.running}})
    return finished


def close_decoders(modules: dict[str, Any] | None = None) -> None:
    """End the decoding processes, where any were ever asked for.

    Args:
        modules: by name; None: those of this process.
    """
    pool = (sys.modules if modules is None else modules).get("stam_core.video.apart.pool")
    if pool is not None:
        pool.default_pool().close()


def leave_at_once(leave: Callable[[int], None] = os._exit) -> None:
    """End although threads may be computing or importing: nobody waits for what they find."""
    for handler in logging.getLogger().handlers:
        handler.flush()
    leave(0)
