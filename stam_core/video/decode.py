"""One door to both decoders: `probe` says what a file holds, `decode_frames` fetches frames of it.

decord goes first where a scan finds nothing against it (exact seeking: little of a long clip is
decoded); PyAV takes everything else, and takes over whenever decord fails or disagrees with the
scan.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stam_core.errors import VideoError
from stam_core.limits import VideoLimits, default_limits
from stam_core.types import Progress, VideoInfo
from stam_core.video.decode_decord import DecordError, decode_decord, objection_to_decord
from stam_core.video.decode_pyav import PyavPass, decode_pyav, too_much_to_decode
from stam_core.video.decode_scan import VideoScan, scan_video
from stam_core.video.decode_times import decode_by_times
from stam_core.video.source import VideoFile

logger = logging.getLogger(__name__)

NO_OBJECTION = "nothing speaks against it"

DecoderName = Literal["decord", "pyav"]


@dataclass(frozen=True, eq=False)
class DecodedFrames:
    """Frames fetched from a file, and what decoding taught about it."""

    frames: NDArray[np.uint8]  # [T,H,W,3] RGB, upright; empty when `recount` is given
    decoder: DecoderName
    reason: str  # why this decoder, in a few words
    n_bad_packets: int
    # [m] true frame times where the scan had miscounted: frames must be chosen again
    recount: NDArray[np.float64] | None
    seconds: NDArray[np.float64] | None = None  # [T] the frames' own times, where sought by time


def probe(path: str | Path, *, limits: VideoLimits | None = None) -> VideoInfo:
    """Say what a video file holds, from its content alone.

    Args:
        path: the file.
        limits: on what it may cost; None: those of the environment.

    Raises:
        VideoError: not a video, or nothing in it can be shown.
    """
    scan = scan_video(VideoFile.at(path), limits or default_limits())
    objection = objection_to_decord(scan)
    if objection is None:
        return describe(scan, "decord", NO_OBJECTION)
    return describe(scan, "pyav", objection)


def describe(scan: VideoScan, decoder: DecoderName, reason: str) -> VideoInfo:
    """The public record of a scan.

    Args:
        scan: of the file.
        decoder: that was or will be used.
        reason: why.
    """
    width, height = scan.displayed_size
    return VideoInfo(
        width=width,
        height=height,
        rotation=(-scan.turns % 4) * 90,
        fps=scan.fps,
        n_frames=scan.n_frames,
        n_frames_counted=scan.counted,
        duration_seconds=float(scan.frame_seconds[-1]) + 1 / scan.fps,
        codec=scan.codec,
        container=scan.container.title,
        decoder=decoder,
        decoder_reason=reason,
        notes=scan.remarks,
    )


def decode_frames(
    indices: Sequence[int],
    *,
    scan: VideoScan,
    short_side: int,
    decord_crashed: bool = False,
    progress: Progress | None = None,
) -> DecodedFrames:
    """Fetch chosen frames, upright and scaled down.

    Args:
        indices: [T] wanted frames in display order; may repeat.
        scan: of the file.
        short_side: pixels; larger frames are scaled down to it, smaller ones left alone.
        decord_crashed: in another process, on this very file.
        progress: told how far decoding is.

    Raises:
        VideoError: a wanted frame cannot be decoded.
        NotSeekableError: the index of a file that was not read to its end leads nowhere.
    """
    if len(scan.stamps):  # else only one pass can tell, and it counts
        n_to_decode = scan.n_to_decode(sorted(set(indices)))
        if n_to_decode > scan.limits.max_decoded_frames:
            raise too_much_to_decode(scan)
    reason = "decord crashed on this file" if decord_crashed else objection_to_decord(scan)
    if reason is None:
        try:
            kept = decode_decord(scan, indices, short_side=short_side, progress=progress)
            return DecodedFrames(_in_order(kept, indices), "decord", NO_OBJECTION, 0, None)
        except DecordError as error:
            reason = f"decord was tried first, but {error}"
            logger.info("PyAV takes over: %s", reason)
    if not scan.counted:
        timed = decode_by_times(
            scan, sorted(set(indices)), short_side=short_side, progress=progress
        )
        seconds = np.array([timed.seconds[index] for index in indices])
        frames = _in_order(timed.frames, indices)
        return DecodedFrames(frames, "pyav", reason or "", 0, None, seconds)
    found = decode_pyav(scan, indices, short_side=short_side, progress=progress)
    if found.true_seconds is not None and len(found.true_seconds) != scan.n_frames:
        nothing = np.empty((0, 0, 0, 3), np.uint8)
        return DecodedFrames(nothing, "pyav", reason, found.n_bad_packets, found.true_seconds)
    kept = _complete(found, indices, scan.file.name)
    return DecodedFrames(_in_order(kept, indices), "pyav", reason, found.n_bad_packets, None)


def _complete(found: PyavPass, indices: Sequence[int], name: str) -> dict[int, NDArray[np.uint8]]:
    missing = sorted(set(indices) - set(found.frames))
    if missing:
        raise VideoError(
            f'Frame {missing[0]} of "{name}" cannot be decoded: the file is damaged. '
            "Save or download it again."
        )
    return found.frames


def _in_order(kept: dict[int, NDArray[np.uint8]], indices: Sequence[int]) -> NDArray[np.uint8]:
    """[T,H,W,3] in the order asked for; a frame of another size is brought to the first one's."""
    height, width = kept[indices[0]].shape[:2]
    frames = np.empty((len(indices), height, width, 3), np.uint8)
    for row, index in enumerate(indices):
        frame = kept[index]
        if frame.shape[:2] != (height, width):
            frame = np.asarray(
                Image.fromarray(frame).resize((width, height), Image.Resampling.BILINEAR)
            )
        frames[row] = frame
    return frames
