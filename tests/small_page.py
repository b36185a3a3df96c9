"""Small pages, served behind the app's own doors: for tests of the doors and not of the page."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr
import httpx

from app.backstage import Backstage
from app.serving.jobs import Jobs
from app.serving.service import doors


@contextmanager
def behind_doors(
    page: gr.Blocks,
    *,
    backstage: Backstage | None = None,
    jobs: Jobs | None = None,
    auth: Any = None,
) -> Iterator[httpx.Client]:
    """Somebody who talks to the page, for as long as the block lasts; its queue is the test's."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    around = doors(page, backstage or Backstage(), jobs or Jobs(60))
    page.launch(
        prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", server_port=port,
        app_kwargs=around, auth=auth, _frontend=False, ssr_mode=False,
    )  # fmt: skip
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False
        ) as client:
            yield client
    finally:
        page.close(verbose=False)
