"""The parent's side of one decoding process: start it, ask it, end it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO, cast

from stam_core.limits import MIB, VideoLimits
from stam_core.types import Cancel, Progress
from stam_core.video.apart.memory import FrameMemory
from stam_core.video.apart.wire import Message, WireError, receive, send, tame

START_SECONDS = 60.0  # until the libraries are loaded, on a very busy machine
LOOK_SECONDS = 0.05  # between two looks at whether the caller still wants the answer
MAX_UNREAD = 4  # messages; beyond them the process has to wait until somebody reads
MESSAGES_A_SECOND = 20  # at most; a process in order sends half of that while it works
FREE_SECONDS = 0.5  # between two looks at whether there is room for another message
_START = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from stam_core.video.apart.worker import main; main(json.loads(sys.argv[2]))"
)
# Everything else stays here: the environment of a server holds its secrets.
_KEPT_VARIABLES = (
    "PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "LC_ALL",
)
_PACKAGE = Path(__file__).resolve().parents[2]  # stam_core
_LIBRARIES = ("numpy", "PIL", "av", "decord")


class WorkerDiedError(Exception):
    """The process ended without an answer."""

    def __init__(self, code: int | None, *, ready: bool = True) -> None:
        """Say how it ended.

        Args:
            code: as `subprocess` has it, below 0: the signal; None: not known.
            ready: False: it never began to work.
        """
        super().__init__(f"exit code {code}")
        self.code = code
        self.ready = ready


class DeadlinePassedError(Exception):
    """No answer in time."""


class NotWantedError(Exception):
    """Whoever asked does not want the answer any more."""


class Worker:
    """One decoding process; used by one caller at a time."""

    def __init__(self, limits: VideoLimits) -> None:
        """Start the process without waiting until it is ready.

        Args:
            limits: that it works under.

        Raises:
            OSError: no process can be started.
        """
        self.limits = limits
        self.defences: tuple[str, ...] | None = None  # None: not ready yet
        self.spent = False  # it has said that it will end
        self._ended = False
        self.memory = FrameMemory(limits.output_mib * MIB)
        self._files: socket.socket | None = None
        theirs: socket.socket | None = None
        if hasattr(socket, "send_fds"):
            self._files, theirs = socket.socketpair()
        try:
            self._process = _start(limits, self.memory, theirs)
        # Ctrl-C included: nobody has this object yet who could end it; the error goes on its way.
        except BaseException:
            self._close()
            raise
        finally:
            if theirs is not None:
                theirs.close()
        self._answers: queue.Queue[Message | None] = queue.Queue(MAX_UNREAD)
        self._listener = threading.Thread(target=self._listen, name="decoder-answers", daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked; not one that speaks unasked, which is no longer ours."""
        speaks = self.defences is not None and not self._answers.empty()
        return not self.spent and not speaks and self._process.poll() is None

    def wait_until_ready(self, cancel: Cancel | None = None) -> None:
        """Wait for the libraries to be loaded and the defences to be taken.

        Raises:
            WorkerDiedError: it could not start.
            DeadlinePassedError: it takes too long.
            NotWantedError: `cancel` was set.
        """
        if self.defences is None:
            said = self._next(time.monotonic() + START_SECONDS, cancel).get("ready")
            if not isinstance(said, list):
                raise WireError("not a greeting")
            self.defences = tuple(tame(words) for words in said)

    def ask(
        self,
        request: Message,
        descriptor: int | None,
        *,
        seconds: float,
        progress: Progress | None,
        cancel: Cancel | None,
    ) -> Message:
        """Have one file decoded.

        Args:
            request: path, name and options.
            descriptor: of the open file, where the system can hand it over.
            seconds: after which nobody waits any more.
            progress: told how far it is.
            cancel: set by whoever wants no answer any more.

        Raises:
            WorkerDiedError: it ended in the middle.
            DeadlinePassedError: it did not answer in time.
            NotWantedError: `cancel` was set.
            WireError: what it says makes no sense.
        """
        end = time.monotonic() + seconds
        if not self.alive:
            raise WorkerDiedError(self._process.poll())
        try:
            if self._files is not None and descriptor is not None:
                socket.send_fds(self._files, [b"f"], [descriptor])
            send(cast("BinaryIO", self._process.stdin), request)
        except (OSError, ValueError):  # ValueError: the pool was closed meanwhile
            raise WorkerDiedError(self._end_code()) from None
        for _ in range(int((1 + seconds) * MESSAGES_A_SECOND)):
            answer = self._next(end, cancel)
            if "progress" in answer:
                _report(answer, progress)
                continue
            self.spent = answer.get("last") is not False
            return answer
        raise WireError("too much to say")

    @property
    def takes_descriptors(self) -> bool:
        """Whether files are handed over open."""
        return self._files is not None

    def end(self) -> None:
        """End the process, whatever it is doing, and free what it held."""
        self.spent = self._ended = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self.pid, signal.SIGKILL)  # its session: it has no children, but if
            else:
                self._process.kill()
        self._process.wait()
        self._close()

    def _next(self, end: float, cancel: Cancel | None) -> Message:
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise DeadlinePassedError
            if cancel is not None and cancel.is_set():
                raise NotWantedError
            try:
                answer = self._answers.get(timeout=left if cancel is None else LOOK_SECONDS)
            except queue.Empty:
                continue
            if answer is None:
                raise WorkerDiedError(self._end_code(), ready=self.defences is not None)
            return answer

    def _listen(self) -> None:
        """In a thread of its own: pipes cannot be waited for with a time limit everywhere."""
        answers = cast("BinaryIO", self._process.stdout)
        with contextlib.suppress(WireError, OSError, ValueError):  # ValueError: closed meanwhile
            while (message := receive(answers)) is not None:
                self._put(message)
        self._put(None)

    def _put(self, message: Message | None) -> None:
        """For whoever asks; while nobody does, the process waits, not this one's memory grows."""
        while not self._ended:
            with contextlib.suppress(queue.Full):
                self._answers.put(message, timeout=FREE_SECONDS)
                return

    def _end_code(self) -> int | None:
        try:
            return self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            return None

    def _close(self) -> None:
        self.memory.close()
        process = getattr(self, "_process", None)
        streams = () if process is None else (process.stdin, process.stdout)
        for stream in (*streams, self._files):
            if stream is not None:
                with contextlib.suppress(OSError):  # what could not be sent any more
                    stream.close()


def _start(
    limits: VideoLimits, memory: FrameMemory, files: socket.socket | None
) -> subprocess.Popen[bytes]:
    given = [] if memory.descriptor is None else [memory.descriptor]
    if files is not None:
        given.append(files.fileno())
    setting = {
        "limits": asdict(limits),
        "libraries": [str(folder) for folder in _library_folders()],
        "memory_bytes": memory.n_bytes,
        "memory_descriptor": memory.descriptor,
        "memory_tag": memory.tag,
        "file_socket": None if files is None else files.fileno(),
    }
    # A command of its own, not a copy of this process: that would have its threads' locks, its
    # memory and its script.
    command = [sys.executable, "-I", "-S", "-c", _START, json.dumps(_module_folders())]
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return subprocess.Popen(
        [*command, json.dumps(setting)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**kept, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        cwd=os.sep,
        pass_fds=given if os.name == "posix" else (),
        start_new_session=True,  # Ctrl-C is for the parent, which then ends it
    )


def _module_folders() -> list[str]:
    """Where modules are looked for: this program's own folder first."""
    return [str(_PACKAGE.parent), *(str(Path(folder).absolute()) for folder in sys.path if folder)]


def _library_folders() -> list[Path]:
    """Folders whose files a worker may read: libraries and this package, nobody's videos."""
    paths = sysconfig.get_paths()
    folders = {Path(paths[kind]) for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders |= {Path(folder) for folder in ("/lib", "/lib64", "/usr/lib", "/usr/lib64")}
    for name in _LIBRARIES:
        found = find_spec(name)
        if found is not None and found.origin is not None:
            package = Path(found.origin).parent
            folders |= {package, package.with_name(f"{name}.libs")}
    folders.add(_PACKAGE)
    return sorted(folder.resolve() for folder in folders)


def _report(answer: Message, progress: Progress | None) -> None:
    share = answer.get("share")
    if progress is not None and isinstance(share, (int, float)):
        progress(tame(answer["progress"]), min(1.0, max(0.0, float(share))))
