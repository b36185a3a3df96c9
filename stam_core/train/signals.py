"""A polite stop: Ctrl-C or SIGTERM is noted, and the training ends between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Which signal asked for a stop; 0: none yet."""

    signal_number = 0


@contextmanager
def listen_for_stop() -> Iterator[StopRequest]:
    """Note SIGINT and SIGTERM within the block; a second Ctrl-C stops at once.

    Outside the main thread signals cannot be caught; the block then runs as it is.
    """
    request = StopRequest()

    def note(number: int, frame: FrameType | None) -> None:
        if request.signal_number and number == signal.SIGINT:
            raise KeyboardInterrupt
        request.signal_number = number

    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in before:
            signal.signal(number, note)
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
