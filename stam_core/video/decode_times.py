"""Frames of a long video by their times: sought through the file's index, little is read of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from stam_core.types import Progress
from stam_core.video.decode_open import Track, open_track, read_packets
from stam_core.video.decode_scan import VideoScan
from stam_core.video.decode_upright import upright_and_small

# A jump leads to the key frame before a place in decoding order, which may be shown later than it.
EARLIER_SECONDS = 0.25


class NotSeekableError(Exception):
    """The index led nowhere: the file has to be read from its beginning."""


@dataclass(frozen=True, eq=False)
class TimedFrames:
    """Frames found by time."""

    frames: dict[int, NDArray[np.uint8]]  # index asked for -> [H,W,3], upright and scaled down
    seconds: dict[int, float]  # index asked for -> the frame's own time, from the first frame


def decode_by_times(
    scan: VideoScan, wanted: Sequence[int], *, short_side: int, progress: Progress | None = None
) -> TimedFrames:
    """The frames nearest to the times of some indices.

    Args:
        scan: of a file that was not read to its end; its frame times are estimates.
        wanted: indices, ascending.
        short_side: pixels; larger frames are scaled down to it.
        progress: told after each frame.

    Raises:
        NotSeekableError: a time cannot be reached through the index.
        VideoError: the file cannot be opened any more.
    """
    found = TimedFrames({}, {})
    half_frame = 0.5 / scan.fps
    with open_track(scan.file, scan.container, scan.limits) as (opened, track):
        tick = float(track.stream.time_base or 0)
        if tick <= 0:
            raise NotSeekableError
        frames: Iterator[VideoFrame] = iter(())
        at_seconds = -np.inf  # of the frame decoded last
        n_decoded = 0
        for done, index in enumerate(wanted, start=1):
            seconds = float(scan.frame_seconds[index])
            if _jump_pays(track, scan, at_seconds, seconds, tick):
                _jump(opened, track, scan, seconds, tick)
                frames = _timed(opened, track)
            for frame in frames:
                n_decoded += 1
                at_seconds = ((frame.pts or 0) - scan.first_stamp) * tick
                if at_seconds >= seconds - half_frame:
                    break
            else:
                raise NotSeekableError
            if n_decoded > scan.limits.max_decoded_frames:
                raise NotSeekableError
            found.frames[index] = upright_and_small(frame, scan, short_side)
            found.seconds[index] = at_seconds
            if progress is not None:
                progress("Decoding", done / len(wanted))
    return found


def _jump_pays(track: Track, scan: VideoScan, now: float, then: float, tick: float) -> bool:
    """Whether there is a key frame between two times; where nobody knows, a jump is tried."""
    if now < 0:
        return True
    entries = track.stream.index_entries
    stamp = scan.first_stamp + int((then - EARLIER_SECONDS) / tick)
    place = entries.search_timestamp(stamp, backward=True)
    if place < 0:
        return then - now > 1
    return bool(entries[place].timestamp > scan.first_stamp + now / tick)


def _jump(
    opened: InputContainer, track: Track, scan: VideoScan, seconds: float, tick: float
) -> None:
    stamp = scan.first_stamp + int(max(0.0, seconds - EARLIER_SECONDS) / tick)
    try:
        opened.seek(stamp, stream=track.stream, backward=True)
    except (av.FFmpegError, OSError) as error:
        raise NotSeekableError from error
    track.flush()


def _timed(opened: InputContainer, track: Track) -> Iterator[VideoFrame]:
    for packet in read_packets(opened, track.stream):
        if packet is not None:
            yield from (frame for frame in track.decode(packet)[0] if frame.pts is not None)
