"""What handlers are at work: counted, bounded in time, told in the log, let finish at the end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

from app import text
from app.serving.settings import service_settings
from stam_core.errors import StamError

Step = TypeVar("Step")
Clock = Callable[[], float]

_LOG = logging.getLogger(__name__)
LOOK_SECONDS = 0.05  # between two looks at whether all have finished


class JobEndedError(StamError):
    """The program ended the job: it took too long, or the server is being stopped."""

    def __init__(self, words: str, outcome: str) -> None:
        """Say why.

        Args:
            words: for the person.
            outcome: for the log.
        """
        super().__init__(words)
        self.outcome = outcome


class Jobs:
    """All jobs of this process."""

    def __init__(self, limit_seconds: float, clock: Clock = time.monotonic) -> None:
        """None yet.

        Args:
            limit_seconds: that one job may take.
            clock: tells seconds.
        """
        self.limit_seconds = limit_seconds
        self.clock = clock
        self.closed = False  # no new ones
        self.hurried = False  # those at work end at their next step
        self._running = 0
        self._lock = threading.Lock()

    @property
    def running(self) -> int:
        """How many are at work now."""
        return self._running

    @contextmanager
    def begin(self, kind: str, *, timed: bool = True) -> Iterator[Job]:
        """One job, from its beginning to its end, whatever that is; tells the log.

        Args:
            kind: what it does; a name of ours, nothing of the visitor's.
            timed: False: it may take any time.

        Raises:
            JobEndedError: the server is being stopped.
        """
        started, outcome = self.clock(), "done"
        with self._lock:
            if self.closed:
                raise JobEndedError(text.STOPPING, "refused")
            self._running += 1
        try:
            yield Job(self, started + self.limit_seconds if timed else float("inf"))
        except GeneratorExit:
            outcome = "left"
            raise
        except JobEndedError as end:
            outcome = end.outcome
            raise
        except StamError:
            outcome = "complained"
            raise
        # Whatever it is, it goes on its way; here it is only counted.
        except BaseException:
            outcome = "failed"
            raise
        finally:
            with self._lock:
                self._running -= 1
            seconds = round(self.clock() - started, 3)
            facts = {"kind": kind, "seconds": seconds, "outcome": outcome}
            _LOG.info("job", extra={"facts": facts})

    def close(self) -> None:
        """From now on refuse new jobs."""
        with self._lock:
            self.closed = True

    def drain(self, seconds: float, hurry_seconds: float = 1.0) -> bool:
        """Refuse new jobs and wait for those at work.

        Args:
            seconds: that they get to finish by themselves.
            hurry_seconds: that they get after that, to end at their next step.

        Returns:
            Whether none is at work any more.
        """
        self.close()
        if self._wait(seconds):
            return True
        self.hurried = True
        return self._wait(hurry_seconds)

    def _wait(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while self._running and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
        return not self._running


class Job:
    """One of them."""

    def __init__(self, jobs: Jobs, deadline: float) -> None:
        """`deadline` is by the clock of `jobs`."""
        self._jobs = jobs
        self._deadline = deadline

    def follow(self, steps: Iterator[Step]) -> Iterator[Step]:
        """The steps of a job for as long as it may go on; what it has reached is always handed on.

        Raises:
            JobEndedError: it may not go on.
        """
        try:
            for step in steps:
                yield step
                self.check()
        finally:
            if isinstance(steps, Generator):
                steps.close()  # now, not when somebody collects it: it may hold files and locks

    def check(self) -> None:
        """Nothing, for as long as the job may go on.

        Raises:
            JobEndedError: it may not.
        """
        if self._jobs.hurried:
            raise JobEndedError(text.STOPPING, "stopped")
        if self._jobs.clock() > self._deadline:
            words = text.JOB_TOO_LONG.format(seconds=f"{self._jobs.limit_seconds:g}")
            raise JobEndedError(words, "overdue")


@cache
def all_jobs() -> Jobs:
    """The jobs of this process, bounded as the environment says."""
    return Jobs(service_settings().job_seconds)
