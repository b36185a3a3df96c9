"""Does a QuickTime or MP4 file point to other files? Its data references say so.

moov > trak > mdia > minf > dinf > dref > entries: size, kind, flags, name of the file
flags & 1: the pictures are in this very file
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from stam_core.video.source import VideoFile

_HOLDERS = (b"moov", b"trak", b"mdia", b"minf", b"dinf")  # boxes on the way to `dref`
_SELF_CONTAINED = 1
MAX_BOXES = 5000  # looked at; `moov` has about a hundred, and rarely stands behind many others
MAX_DREF_BYTES = 4096  # an ordinary one has 28


def refers_to_other_files(file: VideoFile) -> bool:
    """Whether a data reference of the movie names another file.

    Only bytes are read here, by no decoder; what is damaged counts as no reference, and a decoder
    that may open nothing else meets it then.

    Args:
        file: beginning with QuickTime or MP4 boxes.

    Raises:
        VideoError: unreadable.
    """
    return any(
        _names_a_file(file.part(start, min(stop - start, MAX_DREF_BYTES)))
        for start, stop in _data_references(file)
    )


def _data_references(file: VideoFile) -> Iterator[tuple[int, int]]:
    """(start, stop) of the content of every `dref`, in their order.

    Boxes may lie in each other as deep as the file likes: what is still to be looked at is kept in
    a list, not in calls of calls.
    """
    waiting = [(0, file.n_bytes())]  # (start, stop) of boxes one after another; the next ones last
    for _ in range(MAX_BOXES):
        while waiting and waiting[-1][0] + 8 > waiting[-1][1]:
            waiting.pop()
        if not waiting:
            return
        start, stop = waiting.pop()
        head = file.part(start, 16)
        if len(head) < 8:
            continue
        size, kind, skip = int.from_bytes(head[:4], "big"), head[4:8], 8
        if size == 1 and len(head) == 16:
            size, skip = int.from_bytes(head[8:16], "big"), 16
        content, end = start + skip, stop if size == 0 else min(start + size, stop)
        if end >= content:  # else a size that makes no sense: nothing can be found behind it
            waiting.append((end, stop))
        if kind == b"dref":
            yield content, end
        elif kind in _HOLDERS:
            waiting.append((content, end))


def _names_a_file(content: bytes) -> bool:
    """Of a `dref` box: version and flags (4 bytes), count (4), then its entries."""
    at = 8
    while at + 12 <= len(content):
        size, _, flags = struct.unpack(">I4sI", content[at : at + 12])
        if size > 12 and not flags & _SELF_CONTAINED:
            return True
        if size < 12:
            return False
        at += size
    return False
