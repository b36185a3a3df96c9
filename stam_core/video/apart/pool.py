"""A few warm decoding processes, and what becomes of one that crashes, hangs or is killed."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import signal
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from stam_core.errors import OpeningCancelledError, VideoError
from stam_core.limits import VideoLimits, default_limits, variable
from stam_core.types import Cancel, Clip, OfficialRule, Progress
from stam_core.video.apart.process import (
    DeadlinePassedError,
    NotWantedError,
    Worker,
    WorkerDiedError,
)
from stam_core.video.apart.wire import (
    Message,
    WireError,
    clip_from_message,
    error_from_message,
    frames_shape,
)
from stam_core.video.container import sniff_container
from stam_core.video.request import DEFAULT_SHORT_SIDE, ClipRequest, Pixels
from stam_core.video.source import VideoFile

logger = logging.getLogger(__name__)

_CLOSING = "The program is closing and opens no more clips."
# decord aborts where memory runs out, and its FFmpeg is old: PyAV may well decode what crashes it.
_CRASHES = {
    -getattr(signal, name)
    for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL")
    if hasattr(signal, name)
}


class DecoderPool:
    """Opens clips in processes of its own; safe to use from several threads.

    A process is started when the first clip needs it (or by `warm_up`), serves many clips, and is
    replaced when it ends. At most `limits.workers` exist at a time; who comes then waits in line.
    """

    def __init__(self, limits: VideoLimits | None = None) -> None:
        """Start nothing yet.

        Args:
            limits: of every opening; None: those of the environment.
        """
        self.limits = limits or default_limits()
        self._free = threading.BoundedSemaphore(self.limits.workers)
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._closed = False
        self._process = os.getpid()
        atexit.register(self.close)

    def __enter__(self) -> DecoderPool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def open_clip(
        self,
        path: str | Path,
        *,
        num_frames: int,
        policy: str = "uniform",
        span_seconds: tuple[float, float] | None = None,
        official_fps: float | None = None,
        official_rule: OfficialRule = "stepped",
        short_side: int = DEFAULT_SHORT_SIDE,
        pixels: Pixels = "square",
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> Clip:
        """As `stam_core.video.open_clip`, in a process of its own.

        Args:
            path: the file.
            num_frames: T.
            policy: a key of SAMPLING_POLICIES.
            span_seconds: (start, end) in seconds from the first frame; None: the whole clip.
            official_fps: frames per second of the authors' loader, for the policy "official".
            official_rule: how that loader lays the frames.
            short_side: pixels; frames are scaled down to it (never up).
            pixels: "square" or "stored".
            progress: told how far decoding is; what it raises ends the process and goes on up.
            cancel: once set, the process is ended within a twentieth of a second.

        Raises:
            VideoError: not a video that can be shown, or decoding it crashed or took too long.
            SamplingError: the frames asked for do not exist.
            UnknownNameError: no such policy.
            OpeningCancelledError: `cancel` was set.
        """
        file = VideoFile.at(path)
        sniff_container(file, self.limits)  # what is no video never reaches a decoder
        request: Message = {
            "path": str(file.path.absolute()),
            "name": file.name,
            "clip": asdict(
                ClipRequest(
                    num_frames=num_frames,
                    policy=policy,
                    span_seconds=span_seconds,
                    official_fps=official_fps,
                    official_rule=official_rule,
                    short_side=short_side,
                    pixels=pixels,
                )
            ),
            "decord_crashed": False,
        }
        with _turned_into_sentences(file.name, self.limits):
            try:
                return self._ask(file, request, progress, cancel)
            except WorkerDiedError as death:
                if not death.ready or death.code not in _CRASHES:
                    raise
                logger.warning("a decoding process crashed (%s): PyAV alone tries", death.code)
            request["decord_crashed"] = True
            return self._ask(file, request, progress, cancel)

    def _ask(
        self,
        file: VideoFile,
        request: Message,
        progress: Progress | None,
        cancel: Cancel | None,
    ) -> Clip:
        """One process is asked once; what it answers is checked."""
        with self._worker(cancel) as worker:
            with _opened(file, worker) as descriptor:
                answer = worker.ask(
                    request,
                    descriptor,
                    seconds=self.limits.deadline_seconds,
                    progress=progress,
                    cancel=cancel,
                )
            if "error" not in answer:
                shape = frames_shape(answer, request["clip"]["num_frames"], worker.memory.n_bytes)
                with _still_open():
                    frames = worker.memory.take_frames(shape)
                return clip_from_message(answer, frames)
            with _still_open():
                worker.memory.empty()
        raise error_from_message(answer)

    def warm_up(self) -> None:
        """Start a process without waiting for it, so that the first clip need not."""
        with self._lock, contextlib.suppress(OSError):  # the first clip will say so
            if not self._idle and not self._busy and not self._closed:
                self._idle.append(Worker(self.limits))

    def defences(self) -> tuple[str, ...]:
        """What confines the processes here; starts one if there is none.

        Raises:
            VideoError: no process can be started.
        """
        with _turned_into_sentences("", self.limits), self._worker(None) as worker:
            return worker.defences or ()

    def process_ids(self) -> list[int]:
        """Of the processes that exist now."""
        with self._lock:
            return [worker.pid for worker in (*self._idle, *self._busy)]

    def close(self) -> None:
        """End all processes, also those that are at work."""
        with self._lock:
            workers = [*self._idle, *self._busy]
            self._idle.clear()
            self._closed = True
        atexit.unregister(self.close)
        if os.getpid() == self._process:  # not those of a parent whose copy this is
            for worker in workers:
                worker.end()

    @contextmanager
    def _worker(self, cancel: Cancel | None) -> Iterator[Worker]:
        """A ready process for one caller; kept if it is as good as before, else ended."""
        self._wait_in_line(cancel)
        worker: Worker | None = None
        try:
            worker = self._take()
            worker.wait_until_ready(cancel)
            yield worker
        # Whatever it is, Ctrl-C included: an answer may still be on its way, which the next caller
        # would take for its own. The error goes on its way.
        except BaseException:
            if worker is not None:
                worker.spent = True
            raise
        finally:
            if worker is not None:
                self._give_back(worker)
            self._free.release()

    def _wait_in_line(self, cancel: Cancel | None) -> None:
        end = time.monotonic() + self.limits.deadline_seconds
        while not self._free.acquire(timeout=0.05):
            if cancel is not None and cancel.is_set():
                raise NotWantedError
            if time.monotonic() > end:
                raise VideoError("Too many clips are being opened at the moment. Try again soon.")

    def _take(self) -> Worker:
        with self._lock:
            if self._closed:
                raise VideoError(_CLOSING)
            worker = None
            while self._idle:
                worker = self._idle.pop()
                if worker.alive:
                    break
                worker.end()
                worker = None
            worker = worker or Worker(self.limits)
            self._busy.add(worker)
            return worker

    def _give_back(self, worker: Worker) -> None:
        replace = False
        with self._lock:
            self._busy.discard(worker)
            keep = worker.alive and not self._closed
            if keep:
                self._idle.append(worker)
            else:
                replace = not self._closed and not self._idle
        if not keep:
            worker.end()
        if replace:
            self.warm_up()


_default: list[DecoderPool] = []
_default_lock = threading.Lock()


def default_pool() -> DecoderPool:
    """The pool that a program shares; a forked copy of a program gets one of its own."""
    with _default_lock:
        if not _default or _default[0]._process != os.getpid() or _default[0]._closed:
            _default[:] = [DecoderPool()]
        return _default[0]


@contextmanager
def _still_open() -> Iterator[None]:
    """Memory is freed while another thread reads it only where the whole pool is closed."""
    try:
        yield
    except ValueError as error:
        raise VideoError(_CLOSING) from error


@contextmanager
def _opened(file: VideoFile, worker: Worker) -> Iterator[int | None]:
    """The descriptor to hand over; None where files go by path."""
    if not worker.takes_descriptors:
        yield None
        return
    try:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise file.unreadable(error) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise VideoError(f'"{file.name}" is not an ordinary file. Choose a video file.')
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _turned_into_sentences(name: str, limits: VideoLimits) -> Iterator[None]:
    """Whatever becomes of a process, its caller hears one sentence."""
    try:
        yield
    except WorkerDiedError as death:
        logger.warning("a decoding process ended with code %s", death.code)
        if not death.ready:
            raise VideoError(
                "The process that decodes clips could not be started. Reinstall the requirements, "
                f"or give it more memory ({variable('worker_mib')})."
            ) from death
        raise VideoError(_death_sentence(name, death.code, limits)) from death
    except DeadlinePassedError as error:
        raise VideoError(
            f'Opening "{name}" took longer than {limits.deadline_seconds:g} s and was given up. '
            "Cut the clip down, or choose a shorter part of it."
        ) from error
    except NotWantedError as error:
        raise OpeningCancelledError(f'Opening "{name}" was cancelled. Open it again.') from error
    except WireError as error:
        logger.warning("a decoding process sent nonsense: %s", error)
        raise VideoError(
            f'Decoding "{name}" went wrong in an unexpected way: it is damaged or malicious. Save '
            "or download it again."
        ) from error
    except OSError as error:
        raise VideoError(
            f"No process could be started to decode the clip ({error.strerror}). Close other "
            "programs and try again."
        ) from error


def _death_sentence(name: str, code: int | None, limits: VideoLimits) -> str:
    if code == -getattr(signal, "SIGXCPU", 0):
        return (
            f'Decoding "{name}" takes more than {limits.cpu_seconds} s of computing and was given '
            "up. Cut the clip down, or choose a shorter part of it."
        )
    return (
        f'"{name}" made the decoder crash: it is damaged, or too large for the '
        f"{limits.worker_mib} MiB a video may take here. Save it again, or scale it down."
    )
