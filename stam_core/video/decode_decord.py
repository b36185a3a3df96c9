"""decord: quick exact seeking, used only on files where it is known to be right.

It gives wrong frames without an error on hidden frames, B-frames in AVI, late starts and several
tracks, and it aborts the process when memory runs out. So a scan decides first, and large pictures
are scaled inside the decoder.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stam_core.types import Progress
from stam_core.video.container import MATROSKA, MOV
from stam_core.video.decode_scan import VideoScan
from stam_core.video.decode_upright import LARGE_PIXELS
from stam_core.video.shrink import short_side_size, shrink_frame

CONTAINERS = (MOV.demuxer, MATROSKA.demuxer)
CODECS = ("h264", "hevc", "vp9")  # not vp8: its hidden reference frames shift the count
DECODE_THREADS = 2  # a 3-second 720p clip opens in two thirds of the time of one thread
SHRINK_THREADS = 2
MAX_WAITING = 4  # full-size frames decoded ahead of being scaled down, up to 7 MB each
IN_MEMORY_BYTES = 128 * 2**20  # of a file that decord gets as bytes; it copies them once
MIN_WIDTH = 50  # below, some widths give a bogus fourth channel


class DecordError(Exception):
    """decord is missing, failed, or disagrees with the scan; another decoder should take over."""


def objection_to_decord(scan: VideoScan) -> str | None:
    """Why decord should not decode a file, in a few words; None where nothing speaks against it.

    Args:
        scan: of the file.
    """
    width, height = scan.stored_size
    objections = (
        (not scan.counted, "long, so its frames are sought by time"),
        (scan.container.demuxer not in CONTAINERS, f"{scan.container.title} container"),
        (scan.codec not in CODECS, f"{scan.codec} codec"),
        (scan.n_video_streams > 1, "several video tracks"),
        (scan.has_alpha, "transparent parts"),
        (scan.n_hidden > 0, "an edit list hides frames"),
        (scan.damaged, "damaged packets"),
        (_too_large_to_hand_over(scan), "too large to hand over in memory"),
        (len(scan.stamps) == 0, "time stamps missing or repeated"),
        (scan.start_seconds != 0, "the first frame is not at time 0"),
        (min(width, height) < MIN_WIDTH, "very small picture"),
        (width % 2 + height % 2 > 0, "odd picture size"),
        (scan.header_frames not in (0, scan.n_frames), "the header's frame count is wrong"),
    )
    return next((words for holds, words in objections if holds), None)


def decode_decord(
    scan: VideoScan, indices: Sequence[int], *, short_side: int, progress: Progress | None = None
) -> dict[int, NDArray[np.uint8]]:
    """Seek to each wanted frame; each is scaled down while the next one is decoded.

    Args:
        scan: of the file.
        indices: wanted frames, display order.
        short_side: pixels; larger frames are scaled down to it.
        progress: told after each frame.

    Returns:
        Index -> [H,W,3] u8 RGB, upright (decord rotates by itself).

    Raises:
        DecordError: any failure; nothing is shown to the person yet.
    """
    wanted = sorted(set(indices))
    try:
        reader = _open_reader(scan, short_side)
        if len(reader) != scan.n_frames:
            raise DecordError(f"it counts {len(reader)} frames, the file has {scan.n_frames}")
        shrink = partial(shrink_frame, short_side=short_side, shown_size=scan.displayed_size)
        return _read_and_shrink(reader, wanted, shrink, progress)
    except DecordError:
        raise
    except ImportError as error:
        raise DecordError("it is not installed") from error
    # decord raises its own DECORDError, but also RuntimeError, IndexError, OSError and UnicodeError
    # from its C++ and ctypes layers, and the set differs between builds; each means: use PyAV.
    except Exception as error:
        raise DecordError("it failed on this file") from error


def _read_and_shrink(
    reader: Any,  # noqa: ANN401  untyped
    wanted: Sequence[int],
    shrink: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
    progress: Progress | None,
) -> dict[int, NDArray[np.uint8]]:
    """One frame is scaled down while the next is decoded: both release Python's lock."""
    shrunk: dict[int, Future[NDArray[np.uint8]]] = {}
    with ThreadPoolExecutor(SHRINK_THREADS, "shrink") as pool:
        for done, index in enumerate(wanted, start=1):
            frame = _checked(reader[index].asnumpy())
            shrunk[index] = pool.submit(shrink, frame)
            if done > MAX_WAITING:
                shrunk[wanted[done - MAX_WAITING - 1]].result()  # full-size frames must not pile up
            if progress is not None:
                progress("Decoding", done / len(wanted))
    return {index: frame.result() for index, frame in shrunk.items()}


def _too_large_to_hand_over(scan: VideoScan) -> bool:
    return scan.file.descriptor is not None and scan.file.n_bytes() > IN_MEMORY_BYTES


def _open_reader(scan: VideoScan, short_side: int) -> Any:  # noqa: ANN401  untyped
    # No wheel on some platforms, so only when it is needed; by name because it ships no types.
    decord: Any = importlib.import_module("decord")
    decord.logging.set_level(decord.logging.QUIET)
    width, height = scan.stored_size
    if scan.turns % 2:
        width, height = height, width
    scaled: dict[str, int] = {}
    if width * height > LARGE_PIXELS and min(width, height) > 2 * short_side:
        scaled["width"], scaled["height"] = short_side_size(width, height, 2 * short_side)
    # It knows no descriptors, so where there is no path to open it gets the bytes.
    file = scan.file
    source = str(file.path.absolute()) if file.descriptor is None else file.whole()
    return decord.VideoReader(source, ctx=decord.cpu(0), num_threads=DECODE_THREADS, **scaled)


def _checked(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise DecordError(f"it gave a frame of shape {frame.shape}")
    return frame
