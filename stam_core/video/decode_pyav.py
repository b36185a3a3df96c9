"""PyAV: decodes everything FFmpeg knows, keeping and scaling down only the wanted frames.

Two ways: jump from key frame to key frame where that saves most of the work (a frame is then known
by its time stamp), else one pass from the first frame on (a frame is known by being counted).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from stam_core.errors import VideoError
from stam_core.types import Progress
from stam_core.video.container import MATROSKA, MOV
from stam_core.video.decode_open import Track, open_track, read_packets
from stam_core.video.decode_scan import VideoScan, frame_times
from stam_core.video.decode_upright import upright_and_small

MIN_FRAMES_TO_JUMP = 100  # shorter clips decode at once
MAX_JUMP_SHARE = 0.5  # jumping must spare at least half of the frames


@dataclass(frozen=True, eq=False)
class PyavPass:
    """What decoding found."""

    frames: dict[int, NDArray[np.uint8]]  # index -> [H,W,3], upright and scaled down
    true_seconds: NDArray[np.float64] | None  # [m] times of all frames; None: not all decoded
    n_bad_packets: int


def decode_pyav(
    scan: VideoScan,
    indices: Sequence[int],
    *,
    short_side: int,
    progress: Progress | None = None,
) -> PyavPass:
    """Decode the wanted frames, upright and scaled down.

    Args:
        scan: of the file.
        indices: wanted frames, display order.
        short_side: pixels; larger frames are scaled down to it at once.
        progress: told now and then how far decoding is.

    Raises:
        VideoError: the file cannot be opened any more.
    """
    wanted = sorted(set(indices))
    if _jumping_pays(scan, wanted):
        frames = _decode_by_jumps(scan, wanted, short_side, progress)
        if frames is not None:
            return PyavPass(frames, None, 0)
    # Counting on to the end costs little when the last wanted frame lies near it, and finds out
    # whether packets and frames are as many.
    to_the_end = wanted[-1] >= 0.9 * (scan.n_frames - 1)
    return _decode_in_one_pass(scan, set(wanted), short_side, to_the_end, progress)


def _decode_in_one_pass(
    scan: VideoScan,
    wanted: set[int],
    short_side: int,
    to_the_end: bool,
    progress: Progress | None,
) -> PyavPass:
    kept: dict[int, NDArray[np.uint8]] = {}
    stamps: list[int | None] = []
    n_bad = 0
    last_wanted = max(wanted)
    with open_track(scan.file, scan.container, scan.limits) as (opened, track):
        for packet in read_packets(opened, track.stream):
            frames, bad = ([], True) if packet is None else track.decode(packet)
            n_bad += bad
            for frame in frames:
                if len(stamps) in wanted:
                    kept[len(stamps)] = upright_and_small(frame, scan, short_side)
                stamps.append(frame.pts)
            if progress is not None:
                progress("Decoding", min(1.0, len(stamps) / scan.n_frames))
            if len(stamps) > scan.limits.max_decoded_frames:
                raise too_much_to_decode(scan)
            if not to_the_end and len(stamps) > last_wanted:
                return PyavPass(kept, None, n_bad)
        return PyavPass(kept, frame_times(stamps, track.stream).seconds, n_bad)


def _jumping_pays(scan: VideoScan, wanted: Sequence[int]) -> bool:
    if scan.container not in (MOV, MATROSKA) or scan.damaged or not len(scan.stamps):
        return False  # elsewhere a packet's time stamp is not surely its frame's
    if scan.n_frames < MIN_FRAMES_TO_JUMP:
        return False
    keys = np.searchsorted(scan.stamps, scan.key_stamps)  # index of each key frame
    if not len(keys) or keys[0] != 0:
        return False
    return scan.n_to_decode(wanted) <= MAX_JUMP_SHARE * scan.n_frames


def _decode_by_jumps(
    scan: VideoScan, wanted: Sequence[int], short_side: int, progress: Progress | None
) -> dict[int, NDArray[np.uint8]] | None:
    """The wanted frames, or None where a jump did not lead to one of them."""
    kept: dict[int, NDArray[np.uint8]] = {}
    with open_track(scan.file, scan.container, scan.limits) as (opened, track):
        decoded: Iterator[VideoFrame] = iter(())
        at_stamp: int | None = None  # of the frame decoded last
        n_decoded = 0
        for done, index in enumerate(wanted, start=1):
            stamp = int(scan.stamps[index])
            key = int(scan.key_stamps[np.searchsorted(scan.key_stamps, stamp, side="right") - 1])
            if at_stamp is None or at_stamp < key:
                try:
                    opened.seek(key, stream=track.stream, backward=True)
                except (av.FFmpegError, OSError):
                    return None
                track.flush()
                decoded = _frames_from_here(opened, track)
            for found in decoded:
                n_decoded += 1
                if n_decoded > scan.limits.max_decoded_frames:
                    raise too_much_to_decode(scan)
                if found.pts is None or found.pts >= stamp:
                    break
            else:
                return None
            if found.pts != stamp:
                return None
            kept[index] = upright_and_small(found, scan, short_side)
            at_stamp = stamp
            if progress is not None:
                progress("Decoding", done / len(wanted))
    return kept


def too_much_to_decode(scan: VideoScan) -> VideoError:
    """The sentence for frames that lie too deep in a file.

    Args:
        scan: of the file.
    """
    return VideoError(
        f'To show "{scan.file.name}" more than {scan.limits.max_decoded_frames} frames would have '
        "to be decoded. Cut it down, or choose a part nearer to its beginning."
    )


def _frames_from_here(opened: InputContainer, track: Track) -> Iterator[VideoFrame]:
    for packet in read_packets(opened, track.stream):
        if packet is not None:
            yield from track.decode(packet)[0]
