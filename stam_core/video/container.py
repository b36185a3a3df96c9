"""Look at a file's first bytes before any decoder does; refuse what is not a video container.

Decoders guess a format from content and name alike, and some formats are lists of *other* files or
addresses. Only the containers listed here reach a decoder, each with its own demuxer, no guessing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from stam_core.errors import VideoError
from stam_core.limits import VideoLimits
from stam_core.video.movie_boxes import refers_to_other_files
from stam_core.video.source import WHAT_TO_CHOOSE, VideoFile

HEAD_BYTES = 4096  # enough for every signature below
TS_PACKET_BYTES = 188  # MPEG transport stream: a sync byte 0x47 every 188 bytes


@dataclass(frozen=True)
class Container:
    """A video file format and the only demuxer that may open it."""

    demuxer: str  # FFmpeg's name, given explicitly so that nothing is guessed
    title: str


MOV = Container("mov", "MP4/QuickTime")
MATROSKA = Container("matroska", "Matroska/WebM")
MPEG_TS = Container("mpegts", "MPEG transport stream")

# (offset, bytes) -> container
_SIGNATURES: tuple[tuple[int, bytes, Container], ...] = (
    *((4, box, MOV) for box in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")),
    (0, b"\x1a\x45\xdf\xa3", MATROSKA),
    (8, b"AVI ", Container("avi", "AVI")),
    (0, b"GIF87a", Container("gif", "GIF")),
    (0, b"GIF89a", Container("gif", "GIF")),
    (0, b"FLV\x01", Container("flv", "Flash video")),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Container("asf", "Windows Media")),
    (0, b"OggS", Container("ogg", "Ogg")),
    (0, b"\x00\x00\x01\xba", Container("mpeg", "MPEG program stream")),
    (0, b"\x00\x00\x01\xb3", Container("mpegvideo", "MPEG video")),
)

# First bytes (lower case, white space and byte-order mark removed) -> what the file is instead.
# Only for the message: whatever is not in _SIGNATURES is refused in any case.
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"#ext", "a playlist"),
    (b"ffconcat", "a playlist"),
    (b"[playlist", "a playlist"),
    (b"<asx", "a playlist"),
    (b"<mpd", "a playlist"),
    (b"rtsptext", "a link to a stream"),
    (b"v=0", "a description of a stream"),
    (b"<svg", "a drawing (SVG)"),
    (b"<!doctype", "a web page"),
    (b"<html", "a web page"),
    (b"<?xml", "an XML file"),
    (b"\x89png", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"bm", "a picture (BMP)"),
    (b"ii*\x00", "a picture (TIFF)"),
    (b"mm\x00*", "a picture (TIFF)"),
    (b"pk\x03\x04", "a ZIP archive"),
    (b"%pdf", "a PDF document"),
    (b"id3", "a sound file: it has no video track"),
    (b"\xff\xfb", "a sound file: it has no video track"),
    (b"\xff\xf3", "a sound file: it has no video track"),
    (b"flac", "a sound file: it has no video track"),
    (b"\x00\x00\x00\x01", "a raw video stream without a container"),
)
_IMAGE_BRANDS = (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis")
_RIFF_OTHERS = {b"WAVE": "a sound file: it has no video track", b"WEBP": "a picture (WebP)"}


def sniff_container(file: VideoFile, limits: VideoLimits) -> Container:
    """Decide from the first bytes which container a file is.

    Args:
        file: its extension plays no part.
        limits: on the size of pictures.

    Raises:
        VideoError: the file is absent, unreadable, empty, not an accepted video container, or one
            whose pictures are said to lie in other files.
    """
    head = file.head(HEAD_BYTES)
    if not head:
        raise VideoError(f'"{file.name}" is empty (0 bytes). Choose a file that holds a video.')
    container = _container_of(head)
    if container is None:
        raise VideoError(f'"{file.name}" is not a video but {_describe(head)}. {WHAT_TO_CHOOSE}')
    if container.demuxer == "gif":
        _check_gif_canvas(head, file.name, limits)
    if container is MOV and refers_to_other_files(file):
        raise VideoError(
            f'"{file.name}" does not hold its pictures itself but points to another file. Export '
            "it as a self-contained movie first."
        )
    return container


def _container_of(head: bytes) -> Container | None:
    if head[4:8] == b"ftyp" and head[8:12] in _IMAGE_BRANDS:
        return None
    for offset, magic, container in _SIGNATURES:
        if head[offset : offset + len(magic)] == magic and (offset != 8 or head[:4] == b"RIFF"):
            return container
    # 192-byte packets carry a 4-byte time stamp in front of each sync byte (camcorders).
    for first, step in ((0, TS_PACKET_BYTES), (4, TS_PACKET_BYTES + 4)):
        if len(head) > first + 2 * step and head[first : first + 2 * step + 1 : step] == b"GGG":
            return MPEG_TS
    return None


def _describe(head: bytes) -> str:
    if head[:4] == b"RIFF":
        return _RIFF_OTHERS.get(head[8:12], "an unknown RIFF file")
    if head[4:8] == b"ftyp":
        return "a picture (HEIF/AVIF)"
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for magic, description in _OTHERS:
        if start.startswith(magic):
            return description
    is_text = b"\x00" not in head and _is_utf8(head)
    return "a text file" if is_text else "of a kind unknown here"


def _is_utf8(head: bytes) -> bool:
    try:
        head[: HEAD_BYTES - 4].decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 4  # only a character cut by the end of the head
    return True


def _check_gif_canvas(head: bytes, name: str, limits: VideoLimits) -> None:
    # A GIF of 80 bytes may claim 65535 x 65535 pixels, and a decoder would allocate them.
    if len(head) < 10:
        raise VideoError(f'"{name}" is a damaged GIF without any picture. {WHAT_TO_CHOOSE}')
    width, height = struct.unpack("<HH", head[6:10])
    check_picture_size(width, height, name, limits)


def check_picture_size(width: int, height: int, name: str, limits: VideoLimits) -> None:
    """Refuse pictures without area and pictures too large to decode safely.

    Args:
        width: pixels.
        height: pixels.
        name: the file's name as shown to the person.
        limits: the longest side and the largest area.

    Raises:
        VideoError: a side is 0, or one is too long, or the area is too large.
    """
    if width < 1 or height < 1:
        raise VideoError(f'"{name}" states no picture size, so it is damaged. {WHAT_TO_CHOOSE}')
    accepted = None
    if max(width, height) > limits.max_side:
        accepted = f"{limits.max_side} x {limits.max_side}"
    elif width * height > limits.max_pixels:
        accepted = f"{limits.max_pixels} pixels in all"
    if accepted is not None:
        raise VideoError(
            f'"{name}" claims pictures of {width} x {height} pixels; at most {accepted} are '
            "accepted. Scale the video down first."
        )
