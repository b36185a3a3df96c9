"""`GET /health`: how the app is, for whoever runs it; it knows nothing of visitors."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from app.serving.jobs import Jobs
from app.visit import EMBEDDED
from stam_core import __version__

if TYPE_CHECKING:
    import gradio as gr

    from app.backstage import Backstage

PATH = "/health"
READY, NOT_READY = 200, 503
State = Literal["waking", "ready", "failed", "unreachable", "stopping"]


@dataclass(frozen=True)
class Health:
    """Reads what is known already: it waits for nothing and computes nothing."""

    backstage: Backstage
    page: gr.Blocks
    jobs: Jobs
    began: float

    @property
    def state(self) -> State:
        """`failed`: the embedded model could not be made ready; the log says why.

        `unreachable`: it was ready, but now no replica answers.
        """
        if self.jobs.closed:
            return "stopping"
        cluster = self.backstage.cluster
        lost = cluster is not None and not cluster.answering
        return "unreachable" if lost and self.backstage.state == "ready" else self.backstage.state

    def report(self) -> dict[str, Any]:
        """What is told, as JSON."""
        state = self.state
        return {
            "ready": state == "ready",
            "state": state,
            "model": EMBEDDED,
            "device": self.backstage.device,  # None: not known yet
            "queue": len(self.page._queue),
            "queue_limit": self.page._queue.max_size,
            "running": self.jobs.running,
            "uptime_seconds": round(time.monotonic() - self.began),
            "version": __version__,
        }


def health_route(health: Health) -> Route:
    """The address that answers 200 when the first model is ready and 503 before and at the end."""

    async def answer(request: Request) -> JSONResponse:
        del request
        report = health.report()
        code = READY if report["ready"] else NOT_READY
        return JSONResponse(report, code, headers={"Cache-Control": "no-store"})

    endpoint: Callable[[Request], Any] = answer
    return Route(PATH, endpoint, methods=["GET"])
