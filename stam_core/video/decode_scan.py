"""Read all packets of a video once, to learn what really is in it; of a long one, its index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from stam_core.errors import VideoError
from stam_core.limits import VideoLimits
from stam_core.video.container import (
    MATROSKA,
    MOV,
    Container,
    check_picture_size,
    sniff_container,
)
from stam_core.video.decode_open import Track, is_cover, open_track, quarter_turns, read_packets
from stam_core.video.decode_remarks import (
    aspect_remarks,
    has_alpha,
    picture_remarks,
    pixel_aspect,
    square_size,
    time_remarks,
)
from stam_core.video.source import VideoFile

LONG_SECONDS = 15 * 60.0  # longer videos are not read to their end where they have an index
LONG_REMARK = (
    "It is long: its frames were found by time through the file's index, and their numbers are "
    "estimates."
)
MIN_INDEX = 10  # entries; a movie in fragments has one
FALLBACK_FPS = 25.0  # where a file states neither a frame rate nor times


@dataclass(frozen=True, eq=False)
class VideoScan:
    """What one demuxing pass over the whole file found; no header is taken on trust.

    Of a long file with an index (`counted` is False) the header says how many frames there are,
    and frame times are estimates, until decoding shows them to be right or sends us back.
    """

    file: VideoFile
    container: Container
    limits: VideoLimits
    codec: str
    stored_size: tuple[int, int]  # (width, height) before rotation, pixels
    pixel_aspect: float  # width of a stored pixel over its height; 1: square
    turns: int  # quarter turns anticlockwise that show a stored frame upright
    fps: float
    frame_seconds: NDArray[np.float64]  # [n] display time of each frame, ascending, first is 0
    stamps: NDArray[np.int64]  # [n] the same in the file's ticks; [0] where they are not sound
    key_stamps: NDArray[np.int64]  # [k] ticks of the frames where decoding can begin
    start_seconds: float  # time stamp of the first frame in the file
    header_frames: int  # frames the header claims; 0: it claims nothing
    n_video_streams: int
    n_hidden: int  # packets that an edit list hides
    damaged: bool  # damaged packets, or the end is missing
    has_alpha: bool  # transparent parts
    counted: bool  # False: the file was not read to its end
    first_stamp: int  # ticks of the first frame shown; 0 where it is not known
    more_remarks: tuple[str, ...]  # sentences on what is unusual beside the shape of pixels

    @property
    def n_frames(self) -> int:
        """Packets that are shown."""
        return len(self.frame_seconds)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences on what is unusual about its pictures and times."""
        return (*aspect_remarks(self.stored_size, self.pixel_aspect), *self.more_remarks)

    def n_to_decode(self, wanted: Sequence[int]) -> int:
        """Frames to decode on the way to some; decoding begins at key frames, or just goes on.

        Args:
            wanted: indices, ascending; times and key frames must be known.
        """
        keys = np.searchsorted(self.stamps, self.key_stamps)  # index of each key frame
        cost, at = 0, -1  # the last frame decoded so far
        for index in wanted:
            before = int(np.searchsorted(keys, index, side="right")) - 1
            key = int(keys[before]) if before >= 0 else 0
            cost += index - max(key - 1, at)
            at = index
        return cost

    @property
    def displayed_size(self) -> tuple[int, int]:
        """(width, height) as displayed, square pixels."""
        width, height = square_size(self.stored_size, self.pixel_aspect)
        return (height, width) if self.turns % 2 else (width, height)


@dataclass(frozen=True, eq=False)
class FrameTimes:
    """Time stamps of frames, in display order."""

    seconds: NDArray[np.float64]  # [n] from the first frame
    stamps: NDArray[np.int64]  # [n] ticks; [0] where stamps are missing or repeated
    start_seconds: float  # the first frame's own time


@dataclass
class _Tally:
    """What has been seen of a stream so far."""

    stamps: list[int | None] = field(default_factory=list)
    key_stamps: list[int] = field(default_factory=list)
    n_hidden: int = 0
    damaged: bool = False
    first: VideoFrame | None = None

    def add(self, packet: Packet[VideoStream], track: Track) -> None:
        if self.first is None:
            frames, bad = track.decode(packet)
            self.first = frames[0] if frames else None
            self.damaged |= bad
        if packet.size == 0:  # the flushing packet at the end
            return
        self.damaged |= packet.is_corrupt
        if packet.is_discard:
            self.n_hidden += 1
            return
        self.stamps.append(packet.pts)
        if packet.is_keyframe and packet.pts is not None:
            self.key_stamps.append(packet.pts)


def scan_video(
    file: VideoFile, limits: VideoLimits, *, reading: Literal["index", "all"] = "index"
) -> VideoScan:
    """Read the packets of a video once, without decoding more than the first picture.

    Args:
        file: any file; its content is checked first.
        limits: on what it may cost.
        reading: "index": a long file with an index is not read to its end.

    Raises:
        VideoError: not a video, or nothing in it can be shown, or it is too large.
    """
    container = sniff_container(file, limits)
    with open_track(file, container, limits) as (opened, track):
        stream = track.stream
        fps = _long_fps(container, opened, stream, limits) if reading == "index" else None
        tally = _tally_packets(opened, track, limits, only_first=fps is not None)
        times = frame_times(tally.stamps, stream)
        if fps is not None:
            times = _estimated_times(opened, stream, fps, limits)
        first = _checked_first(tally.first, times, file.name, limits)
        sound_keys = sorted(set(tally.key_stamps)) if len(times.stamps) else []
        n_tracks = sum(1 for s in opened.streams.video if not is_cover(s))
        return VideoScan(
            file=file,
            container=container,
            limits=limits,
            codec=stream.codec_context.codec.canonical_name,
            stored_size=(first.width, first.height),
            pixel_aspect=pixel_aspect(stream),
            turns=quarter_turns(first),
            fps=fps or _frames_per_second(stream, times.seconds),
            frame_seconds=times.seconds,
            stamps=times.stamps,
            key_stamps=np.array(sound_keys, dtype=np.int64),
            start_seconds=times.start_seconds,
            header_frames=stream.frames,
            n_video_streams=n_tracks,
            n_hidden=tally.n_hidden,
            damaged=tally.damaged,
            has_alpha=has_alpha(first),
            counted=fps is None,
            first_stamp=first.pts or 0,
            more_remarks=(
                *picture_remarks(first),
                *time_remarks(times.seconds, times.start_seconds, tally.n_hidden, n_tracks),
                *((LONG_REMARK,) if fps is not None else ()),
            ),
        )


def frame_times(stamps: Sequence[int | None], stream: VideoStream) -> FrameTimes:
    """Turn time stamps into seconds; without sound stamps frames are evenly spaced.

    Args:
        stamps: [n] in any order, in ticks of the stream.
        stream: says how long a tick is.
    """
    n = max(1, len(stamps))
    tick_seconds = float(stream.time_base) if stream.time_base else 0.0
    known = np.array(sorted(s for s in stamps if s is not None), dtype=np.int64)
    if tick_seconds > 0 and len(known) == n and len(np.unique(known)) == n:
        seconds = (known - known[0]) * tick_seconds
        return FrameTimes(seconds, known, float(known[0]) * tick_seconds)
    evenly = np.arange(n, dtype=np.float64) / (_stated_fps(stream) or FALLBACK_FPS)
    return FrameTimes(evenly, np.empty(0, np.int64), 0.0)


def _long_fps(
    container: Container, opened: InputContainer, stream: VideoStream, limits: VideoLimits
) -> float | None:
    """The frame rate of a long file whose index says where its frames are; None: of no other."""
    seconds = (opened.duration or 0) / 1e6
    indexed = len(stream.index_entries) >= MIN_INDEX if container is MOV else container is MATROSKA
    if not (indexed and LONG_SECONDS < seconds <= limits.max_seconds and stream.average_rate):
        return None
    fps = float(stream.average_rate)
    return fps if 1 <= seconds * fps <= limits.max_frames else None


def _estimated_times(
    opened: InputContainer, stream: VideoStream, fps: float, limits: VideoLimits
) -> FrameTimes:
    """Evenly spaced over the duration that the header states.

    Raises:
        VideoError: the header claims too many.
    """
    n = stream.frames or int((opened.duration or 0) / 1e6 * fps)
    if n > limits.max_frames:
        raise _too_many(limits)
    return FrameTimes(np.arange(max(1, n), dtype=np.float64) / fps, np.empty(0, np.int64), 0.0)


def _too_many(limits: VideoLimits) -> VideoError:
    return VideoError(f"The video has more than {limits.max_frames} frames. Cut it down first.")


def _tally_packets(
    opened: InputContainer, track: Track, limits: VideoLimits, *, only_first: bool
) -> _Tally:
    """Of all packets, or of those up to the first picture that comes out."""
    tally = _Tally()
    for packet in read_packets(opened, track.stream):
        if packet is None:
            tally.damaged = True
            break
        tally.add(packet, track)
        if only_first and tally.first is not None:
            break
        if len(tally.stamps) > limits.max_frames:
            raise _too_many(limits)
    return tally


def _checked_first(
    first: VideoFrame | None, times: FrameTimes, name: str, limits: VideoLimits
) -> VideoFrame:
    if first is None:
        raise VideoError(
            f'"{name}" has a video track, but not one picture of it can be decoded: it is cut off '
            "or damaged. Save or download it again."
        )
    check_picture_size(first.width, first.height, name, limits)
    if times.seconds[-1] > limits.max_seconds:
        raise VideoError(
            f'"{name}" is {times.seconds[-1] / 3600:.1f} hours long; at most '
            f"{limits.max_seconds / 3600:.2g} hours are accepted. Cut it down first."
        )
    return first


def _stated_fps(stream: VideoStream) -> float:
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate:
            return float(rate)
    return 0.0


def _frames_per_second(stream: VideoStream, seconds: NDArray[np.float64]) -> float:
    # The average over the file is the official loader's figure; times stand in where it is missing.
    if stream.average_rate:
        return float(stream.average_rate)
    if len(seconds) > 1 and seconds[-1] > 0:
        return float((len(seconds) - 1) / seconds[-1])
    return _stated_fps(stream) or FALLBACK_FPS
