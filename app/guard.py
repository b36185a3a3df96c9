"""Between a handler and the page: the person reads a sentence, the log has the rest."""

from __future__ import annotations

import html
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import wraps
from typing import Any

import gradio as gr
from gradio.context import LocalContext

from app import text
from app.serving.jobs import Job, all_jobs

_LOG = logging.getLogger(__name__)
ANSWERS_AT_ONCE = 12  # of one kind; all kinds together need fewer than gradio's 40 threads


def guarded(
    handler: Callable[..., Iterator[Any]], *, timed: bool = True
) -> Callable[..., Iterator[Any]]:
    """Turn what a handler raises into a message box; the page keeps its last good result.

    Messages may hold file names and labels, and gradio shows messages as HTML: they are escaped.

    Args:
        handler: yields changes of the page; between two of them it can be ended.
        timed: False: it may take any time, as a download does.
    """
    kind = kind_of(handler)

    @wraps(handler)
    def run(*inputs: Any) -> Iterator[Any]:  # noqa: ANN401 - whatever the page sends
        with _told(kind, timed=timed) as job:
            told = False
            with closing(job.follow(handler(*inputs))) as changes:
                for change in changes:
                    told = True
                    yield change
            if not told:  # else gradio takes it that every part is to be emptied
                yield gr.skip()

    return run


def guarded_answer(
    handler: Callable[..., Any], *, at_once: int = ANSWERS_AT_ONCE
) -> Callable[..., Any]:
    """As `guarded`, for an answer of milliseconds that need not stand in gradio's queue.

    Args:
        handler: gives one change of the page.
        at_once: calls at work at a time, of all visitors; one more is told to come back.
    """
    kind = kind_of(handler)
    places = threading.BoundedSemaphore(at_once)

    @wraps(handler)
    def run(*inputs: Any) -> Any:  # noqa: ANN401 - whatever the page sends
        if not places.acquire(blocking=False):
            raise message_box(text.BUSY)
        try:
            with _told(kind, timed=False) as job, job.at_work():
                return handler(*inputs)
        finally:
            places.release()

    return run


@contextmanager
def _told(kind: str, *, timed: bool) -> Iterator[Job]:
    """A job whose failure the person hears of."""
    try:
        with all_jobs().begin(kind, timed=timed, visitor=_visitor()) as job:
            yield job
    except gr.Error:
        raise
    except user_fault() as problem:
        raise message_box(str(problem)) from problem
    # The last line of defence: a bug ends as a sentence here and a trace in the log.
    except Exception as problem:
        _LOG.exception("a handler failed: %s", kind)
        raise message_box(text.UNEXPECTED) from problem


def _visitor() -> str:
    """Whose event is being answered in this thread; "": not known."""
    return str(getattr(LocalContext.request.get(None), "session_hash", None) or "")


def kind_of(handler: Callable[..., Any]) -> str:
    """What a handler is called in the log: its tab and what it does there."""
    place = handler.__module__.removeprefix("app.").split(".")[0]
    names = [
        name for name in handler.__qualname__.split(".") if name not in ("<locals>", "handler")
    ]
    return f"{place}.{names[-1] if names else 'handler'}"


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
