"""Open a container on a short lead, and read all its packets once to learn what really is in it.

The demuxer is named by us, only the `file` protocol exists, and the picture size is capped inside
the decoder. Damaged packets are skipped one by one. FFmpeg's log level is left alone: changing it
can deadlock on damaged files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from stam_core.errors import VideoError
from stam_core.video.container import (
    MAX_SIDE,
    WHAT_TO_CHOOSE,
    Container,
    check_picture_size,
    display_name,
    sniff_container,
)

MAX_SECONDS = 4 * 3600.0  # longer videos are refused
MAX_PACKETS = 2_000_000  # 4 h at 120 frames per second, with room
FALLBACK_FPS = 25.0  # where a file states neither a frame rate nor times


@dataclass(frozen=True, eq=False)
class VideoScan:
    """What one demuxing pass over the whole file found; no header is taken on trust."""

    path: Path
    container: Container
    codec: str
    stored_size: tuple[int, int]  # (width, height) before rotation, pixels
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

    @property
    def n_frames(self) -> int:
        """Packets that are shown."""
        return len(self.frame_seconds)

    @property
    def displayed_size(self) -> tuple[int, int]:
        """(width, height) as displayed, pixels."""
        width, height = self.stored_size
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

    def add(self, packet: Packet[VideoStream]) -> None:
        if self.first is None:
            frames, bad = decode_packet(packet)
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


@contextmanager
def open_stream(path: Path, container: Container) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open the first video track that is not cover art.

    Args:
        path: the file.
        container: as sniffed; no other demuxer is tried.

    Raises:
        VideoError: unreadable, or no such track, or no decoder for it.
    """
    name = display_name(path)
    try:
        opened = av.open(
            # The prefix keeps names like "http:clip.mp4" from being read as addresses.
            f"file:{path.absolute()}",
            format=container.demuxer,
            container_options={
                "protocol_whitelist": "file",
                "format_whitelist": container.demuxer,
            },
            metadata_errors="replace",
        )
    except (av.FFmpegError, UnicodeError, OSError) as error:
        raise VideoError(
            f'"{name}" looks like {container.title} but cannot be opened: it is damaged or '
            "incomplete. Save or download it again."
        ) from error
    with opened:
        yield opened, _video_stream(opened, name)


def scan_video(path: Path) -> VideoScan:
    """Read every packet of a video once, without decoding more than the first picture.

    Args:
        path: any file; its content is checked first.

    Raises:
        VideoError: not a video, or nothing in it can be shown, or it is too large.
    """
    container = sniff_container(path)
    with open_stream(path, container) as (opened, stream):
        tally = _tally_packets(opened, stream)
        times = frame_times(tally.stamps, stream)
        first = _checked_first(tally.first, times, display_name(path))
        sound_keys = sorted(set(tally.key_stamps)) if len(times.stamps) else []
        return VideoScan(
            path=path,
            container=container,
            codec=stream.codec_context.codec.canonical_name,
            stored_size=(first.width, first.height),
            turns=quarter_turns(first),
            fps=_frames_per_second(stream, times.seconds),
            frame_seconds=times.seconds,
            stamps=times.stamps,
            key_stamps=np.array(sound_keys, dtype=np.int64),
            start_seconds=times.start_seconds,
            header_frames=stream.frames,
            n_video_streams=sum(1 for s in opened.streams.video if not _is_cover(s)),
            n_hidden=tally.n_hidden,
            damaged=tally.damaged,
        )


def read_packets(
    opened: InputContainer, stream: VideoStream
) -> Iterator[Packet[VideoStream] | None]:
    """Every packet of a stream, the flushing one last; None where the file breaks off.

    Args:
        opened: the container.
        stream: one of its tracks.
    """
    try:
        yield from opened.demux(stream)
    except (av.FFmpegError, OSError):
        yield None


def decode_packet(packet: Packet[VideoStream]) -> tuple[list[VideoFrame], bool]:
    """Decode one packet; (frames that came out, whether it was damaged).

    Args:
        packet: of a video track.
    """
    try:
        return packet.decode(), False
    except (av.FFmpegError, OSError):
        return [], True


def quarter_turns(frame: VideoFrame) -> int:
    """Quarter turns anticlockwise that show a frame upright, 0 to 3.

    Args:
        frame: as decoded; PyAV states degrees anticlockwise, oblique ones are rounded.
    """
    return round(frame.rotation / 90) % 4


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


def _tally_packets(opened: InputContainer, stream: VideoStream) -> _Tally:
    tally = _Tally()
    for packet in read_packets(opened, stream):
        if packet is None:
            tally.damaged = True
            break
        tally.add(packet)
        if len(tally.stamps) > MAX_PACKETS:
            raise VideoError(f"The video has more than {MAX_PACKETS} frames. Cut it down first.")
    return tally


def _checked_first(first: VideoFrame | None, times: FrameTimes, name: str) -> VideoFrame:
    if first is None:
        raise VideoError(
            f'"{name}" has a video track, but not one picture of it can be decoded: it is cut off '
            "or damaged. Save or download it again."
        )
    check_picture_size(first.width, first.height, name)
    if times.seconds[-1] > MAX_SECONDS:
        raise VideoError(
            f'"{name}" is {times.seconds[-1] / 3600:.1f} hours long; at most '
            f"{MAX_SECONDS / 3600:g} hours are accepted. Cut it down first."
        )
    return first


def _video_stream(opened: InputContainer, name: str) -> VideoStream:
    tracks = list(opened.streams.video)
    shown = [track for track in tracks if not _is_cover(track)]
    if not shown:
        extra = " (only a cover picture)" if tracks else ""
        raise VideoError(f'"{name}" has no video track{extra}. {WHAT_TO_CHOOSE}')
    stream = shown[0]
    if stream.codec_context is None:
        raise VideoError(
            f'The video track of "{name}" uses a codec this program does not know. Convert it to '
            "H.264 mp4 first."
        )
    if stream.codec_context.width:  # 0 where only a decoded picture tells
        check_picture_size(stream.codec_context.width, stream.codec_context.height, name)
    stream.codec_context.options = {"max_pixels": str(MAX_SIDE * MAX_SIDE)}
    return stream


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


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
