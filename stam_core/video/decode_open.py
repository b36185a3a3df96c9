"""Open a container on a short lead: our demuxer, this one file, pictures of bounded size.

Damaged packets are skipped one by one. FFmpeg's log level is left alone: changing it can deadlock
on damaged files.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stam_core.errors import VideoError
from stam_core.limits import VideoLimits
from stam_core.video.container import Container, check_picture_size
from stam_core.video.source import WHAT_TO_CHOOSE, VideoFile

ALPHA_DECODERS = {"vp9": "libvpx-vp9", "vp8": "libvpx"}  # FFmpeg's own ones ignore transparency


@dataclass(frozen=True)
class Track:
    """One video track and what decodes it."""

    stream: VideoStream
    with_alpha: VideoCodecContext | None = None  # in place of the stream's own decoder

    def decode(self, packet: Packet[VideoStream]) -> tuple[list[VideoFrame], bool]:
        """Decode one packet; (frames that came out, whether it was damaged).

        Args:
            packet: of this track.
        """
        try:
            if self.with_alpha is not None:
                return self.with_alpha.decode(packet if packet.size else None), False
            return packet.decode(), False
        except (av.FFmpegError, OSError):
            return [], True

    def flush(self) -> None:
        """Forget what was fed in, after a jump; PyAV does so for the stream's own decoder."""
        if self.with_alpha is not None:
            self.with_alpha.flush_buffers()


@contextmanager
def open_track(
    file: VideoFile, container: Container, limits: VideoLimits
) -> Iterator[tuple[InputContainer, Track]]:
    """Open the first video track that is not cover art.

    Args:
        file: as sniffed.
        container: as sniffed; no other demuxer is tried.
        limits: on the size of pictures.

    Raises:
        VideoError: unreadable, or no such track, or no decoder for it.
    """
    address, options = file.opened()
    try:
        opened = av.open(
            address,
            format=container.demuxer,
            container_options={**options, "format_whitelist": container.demuxer},
            metadata_errors="replace",
        )
    except (av.FFmpegError, UnicodeError, OSError) as error:
        raise VideoError(
            f'"{file.name}" looks like {container.title} but cannot be opened: it is damaged or '
            "incomplete. Save or download it again."
        ) from error
    with opened:
        stream = _video_stream(opened, file.name, limits)
        yield opened, Track(stream, _alpha_decoder(stream))


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


def quarter_turns(frame: VideoFrame) -> int:
    """Quarter turns anticlockwise that show a frame upright, 0 to 3.

    Args:
        frame: as decoded; PyAV states degrees anticlockwise, oblique ones are rounded.
    """
    return round(frame.rotation / 90) % 4


def is_cover(stream: VideoStream) -> bool:
    """Whether a track is a picture that players show beside sound.

    Args:
        stream: a video track.
    """
    return bool(stream.disposition & Disposition.attached_pic)


def _video_stream(opened: InputContainer, name: str, limits: VideoLimits) -> VideoStream:
    tracks = list(opened.streams.video)
    shown = [track for track in tracks if not is_cover(track)]
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
        check_picture_size(stream.codec_context.width, stream.codec_context.height, name, limits)
    stream.codec_context.options = {"max_pixels": str(_pixels_in_decoder(limits))}
    return stream


def _alpha_decoder(stream: VideoStream) -> VideoCodecContext | None:
    wanted = ALPHA_DECODERS.get(stream.codec_context.codec.canonical_name)
    if wanted is None or stream.metadata.get("alpha_mode") != "1":
        return None
    try:
        decoder = av.CodecContext.create(wanted, "r")
    except (av.FFmpegError, ValueError):  # this build of FFmpeg lacks it: shown without
        return None
    decoder.options = dict(stream.codec_context.options)
    assert isinstance(decoder, VideoCodecContext)
    return decoder


def _pixels_in_decoder(limits: VideoLimits) -> int:
    """A little more than are accepted: a decoder counts the rows and columns that are cut off."""
    return limits.max_pixels + 128 * limits.max_side
