"""What handlers are at work: counted, bounded in time, told in the log, let finish at the end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TypeVar

from app import text
from app.serving.settings import service_settings
from stam_core.errors import OpeningCancelledError, StamError

Step = TypeVar("Step")
Found = TypeVar("Found")
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
        self._at_work: set[Job] = set()
        self._lock = threading.Lock()

    @property
    def running(self) -> int:
        """How many are at work now."""
        return len(self._at_work)

    @contextmanager
    def begin(self, kind: str, *, timed: bool = True, visitor: str = "") -> Iterator[Job]:
        """One job, from its beginning to its end, whatever that is; tells the log.

        Args:
            kind: what it does; a name of ours, nothing of the visitor's.
            timed: False: it may take any time.
            visitor: whose it is; "": not known.

        Raises:
            JobEndedError: the server is being stopped.
        """
        started, outcome = self.clock(), "done"
        job = Job(self, started + self.limit_seconds if timed else float("inf"), visitor)
        with self._lock:
            if self.closed:
                raise JobEndedError(text.STOPPING, "refused")
            self._at_work.add(job)
        try:
            yield job
            outcome = "left" if job.gave_up else "done"
        except GeneratorExit:
            outcome = "left"
            raise
        except JobEndedError as end:
            outcome = end.outcome
            raise
        except StamError:
            outcome = "left" if job.left else "complained"
            raise
        # Whatever it is, it goes on its way; here it is only counted.
        except BaseException:
            outcome = "failed"
            raise
        finally:
            with self._lock:
                self._at_work.discard(job)
            seconds = round(self.clock() - started, 3)
            facts = {"kind": kind, "seconds": seconds, "outcome": outcome}
            _LOG.info("job", extra={"facts": facts})

    def leave(self, visitor: str) -> None:
        """Nobody waits any more for what this visitor's jobs find.

        Args:
            visitor: who closed the page, or lost the connection on which answers come.
        """
        with self._lock:
            for job in self._at_work:
                job.left |= bool(visitor) and job.visitor == visitor

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
        while self._at_work and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
        return not self._at_work


class Job:
    """One of them; `is_set` as the `Cancel` of whatever it waits for."""

    def __init__(self, jobs: Jobs, deadline: float, visitor: str = "") -> None:
        """`deadline` is by the clock of `jobs`."""
        self.visitor = visitor
        self.left = False  # nobody is there any more
        self.gave_up = False  # it ended early for that reason
        self._jobs = jobs
        self._deadline = deadline
        self._wanted: list[Callable[[], bool]] = []

    def follow(self, steps: Iterator[Step]) -> Generator[Step, None, None]:
        """The steps of a job for as long as it may go on; what it has reached is always handed on.

        Where a step was given up because nobody waits for it, the job ends in silence.

        Raises:
            JobEndedError: it may not go on.
        """
        try:
            while found := self._next(steps):
                yield from found
                self.check()
        finally:
            if isinstance(steps, Generator):
                steps.close()  # now, not when somebody collects it: it may hold files and locks

    def _next(self, steps: Iterator[Step]) -> list[Step]:
        """The next step; nothing at the end."""
        with self.at_work():
            try:
                return [next(steps)]
            except StopIteration:
                return []
            except OpeningCancelledError:
                self.check()
                if not self.is_set():
                    raise
        self.gave_up = self.left
        return []

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """For as long as the block lasts, this is the `current_job` of its thread."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def only_while(self, wanted: Callable[[], bool]) -> None:
        """It is for nobody once `wanted` says so."""
        self._wanted.append(wanted)

    def is_set(self) -> bool:
        """Whether whatever it waits for should be given up."""
        over = self._jobs.hurried or self._jobs.clock() > self._deadline
        return self.left or over or not all(wanted() for wanted in self._wanted)

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


_current: ContextVar[Job | None] = ContextVar("job", default=None)


def current_job() -> Job | None:
    """The job that this thread is at work for; None: nobody's."""
    return _current.get()


def to_the_end(steps: Generator[None, None, Found]) -> Found:
    """What work in steps comes to; it is given up between two when nobody waits for its job.

    Nothing is told to the page meanwhile: what is told in a hurry may hide what was told before.

    Raises:
        OpeningCancelledError: nobody waits; `Job.follow` ends the job in silence.
    """
    job = current_job()
    while job is None or not job.is_set():
        try:
            next(steps)
        except StopIteration as end:
            found: Found = end.value
            return found
    steps.close()
    raise OpeningCancelledError


@cache
def all_jobs() -> Jobs:
    """The jobs of this process, bounded as the environment says."""
    return Jobs(service_settings().job_seconds)
