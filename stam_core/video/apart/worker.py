"""The decoding process: takes one open file after the other, decodes it, hands the frames back.

Started by `process.py` with an empty environment and nothing open but what it needs. Standard input
and output carry the messages; whatever libraries print goes nowhere.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from stam_core.limits import VideoLimits
from stam_core.video.apart.confine import confine, start_clock, stop_clock

PROGRESS_SECONDS = 0.1  # between two messages

Setting = dict[str, Any]  # Any: JSON, from `process.py`


def main(setting: Setting) -> None:
    """Serve until the parent hangs up.

    Args:
        setting: limits, library folders, descriptors; from `process.py`.
    """
    asked, answers = _take_over_standard_streams()
    limits = VideoLimits(**setting["limits"])
    taken = confine(limits, [Path(folder) for folder in setting["libraries"]])
    # Only now: threads that libraries start are confined too, and their code never ran before.
    from stam_core.video.apart.memory import attach
    from stam_core.video.apart.wire import receive, send

    size = setting["memory_bytes"]
    memory = attach(setting["memory_descriptor"], setting["memory_tag"], size)
    handed = None
    if setting["file_socket"] is not None:
        handed = socket.socket(fileno=setting["file_socket"])
    _load_decoders()
    send(answers, {"ready": list(taken)})
    for left in reversed(range(limits.worker_clips)):
        request = receive(asked)
        if request is None:
            return
        descriptor = None if handed is None else _take_file(handed)
        start_clock(limits)
        try:
            answer, usable = _answer(request, descriptor, limits, memory, answers)
        finally:
            if descriptor is not None:
                os.close(descriptor)
        stop_clock()
        last = left == 0 or not usable
        send(answers, {**answer, "last": last})
        if last:
            return


def _take_over_standard_streams() -> tuple[BinaryIO, BinaryIO]:
    """The message streams, out of reach of whoever prints."""
    asked, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.close(nothing)
    return asked, answers


def _load_decoders() -> None:
    """Before the first file, so that it does not wait for them."""
    import contextlib
    import importlib

    import stam_core.video.clip  # noqa: F401 - loads PyAV, Pillow and numpy

    with contextlib.suppress(ImportError, OSError):  # no wheel here: PyAV does it all
        importlib.import_module("decord").logging.set_level(-8)


def _take_file(handed: socket.socket) -> int:
    _, descriptors, _, _ = socket.recv_fds(handed, 1, 1)
    if not descriptors:
        sys.exit(1)  # the parent is gone
    return descriptors[0]


def _answer(
    request: Setting,
    descriptor: int | None,
    limits: VideoLimits,
    memory: Any,  # noqa: ANN401 - an mmap, whose type cannot be subscripted
    answers: BinaryIO,
) -> tuple[Setting, bool]:
    """(what to say, whether this process is good for another file)."""
    import numpy as np

    from stam_core.errors import StamError, VideoError
    from stam_core.video.apart.wire import clip_message, error_message
    from stam_core.video.clip import open_file
    from stam_core.video.request import ClipRequest
    from stam_core.video.source import VideoFile

    file = VideoFile(Path(request["path"]), request["name"], descriptor)
    span = request["clip"]["span_seconds"]  # JSON knows no tuples
    asked = request["clip"] | {"span_seconds": None if span is None else tuple(span)}
    try:
        clip = open_file(
            file,
            ClipRequest(**asked),
            limits=limits,
            decord_crashed=request["decord_crashed"],
            progress=_reporter(answers),
        )
        if clip.frames.nbytes > len(memory):
            raise VideoError(
                f'The frames of "{file.name}" take {clip.frames.nbytes / 2**20:.0f} MiB; at most '
                f"{len(memory) // 2**20} MiB are handed over. Cut the picture down first."
            )
        np.frombuffer(memory, np.uint8, clip.frames.nbytes)[:] = clip.frames.ravel()
        return clip_message(clip), True
    except StamError as error:
        return error_message(error), True
    except MemoryError:
        return error_message(
            VideoError(
                f'"{file.name}" needs more than the {limits.worker_mib} MiB of memory that a video '
                "may take here. Scale it down first."
            )
        ), False
    # Whatever else a library raises on a hostile file must become a sentence; the process may be
    # in any state then and is not used again.
    except Exception as error:
        return error_message(
            VideoError(
                f'"{file.name}" made the decoder fail ({type(error).__name__}): it is damaged. '
                "Save or download it again."
            )
        ), False


def _reporter(answers: BinaryIO) -> Callable[[str, float], None]:
    from stam_core.video.apart.wire import send

    last = [0.0]

    def report(words: str, share: float) -> None:
        now = time.monotonic()
        if now - last[0] >= PROGRESS_SECONDS:
            last[0] = now
            send(answers, {"progress": words, "share": share})

    return report
