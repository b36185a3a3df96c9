"""Between a handler and the page: the person reads a sentence, the log has the rest."""

from __future__ import annotations

import html
import logging
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import gradio as gr

from app import text

_LOG = logging.getLogger(__name__)


def guarded(handler: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """Turn what a handler raises into a message box; the page keeps its last good result.

    Messages may hold file names and labels, and gradio shows messages as HTML: they are escaped.
    """

    @wraps(handler)
    def run(*inputs: Any) -> Iterator[Any]:  # noqa: ANN401 - whatever the page sends
        try:
            yield from handler(*inputs)
        except gr.Error:
            raise
        except user_fault() as problem:
            raise message_box(str(problem)) from problem
        # The last line of defence: a bug ends as a sentence here and a trace in the log.
        except Exception as problem:
            _LOG.exception("a handler failed: %s", handler.__qualname__)
            raise message_box(text.UNEXPECTED) from problem

    return run


def user_fault() -> type[Exception]:
    """The errors written for the person: what happened and what to do next."""
    from stam_core.errors import StamError  # the core is loaded long after the page is laid out

    return StamError


def message_box(message: str) -> gr.Error:
    """An error the person sees, with the text taken literally."""
    return gr.Error(html.escape(message), title=text.PROBLEM, print_exception=False)


def warn(message: str) -> None:
    """A warning the person sees, with the text taken literally."""
    gr.Warning(html.escape(message), title=text.PROBLEM)
