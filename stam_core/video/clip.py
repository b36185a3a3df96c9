"""From a file or an array to a `Clip`: scan, choose frames, decode them, say what was unusual."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stam_core.errors import VideoError
from stam_core.limits import VideoLimits, default_limits
from stam_core.types import Clip, OfficialRule, Progress, VideoInfo
from stam_core.video.decode import DecodedFrames, decode_frames, describe
from stam_core.video.decode_scan import VideoScan, scan_video
from stam_core.video.decode_times import NotSeekableError
from stam_core.video.request import DEFAULT_SHORT_SIDE, ClipRequest, Pixels
from stam_core.video.sample import FrameChoice, sample_frames
from stam_core.video.shrink import shrink_frame
from stam_core.video.source import VideoFile

WHOLE_DIGEST_BYTES = 64 * 2**20  # larger files are known by their ends and the frames seen
# By the index, then from packets, then with the frames counted: a further disagreement means that
# decoding is not repeatable.
_MAX_TRIES = 3


def open_clip(
    path: str | Path,
    *,
    num_frames: int,
    policy: str = "uniform",
    span_seconds: tuple[float, float] | None = None,
    official_fps: float | None = None,
    official_rule: OfficialRule = "stepped",
    short_side: int = DEFAULT_SHORT_SIDE,
    pixels: Pixels = "square",
    limits: VideoLimits | None = None,
    progress: Progress | None = None,
) -> Clip:
    """Open a video file and decode the frames a model will see, in this process.

    `stam_core.video.apart` does the same in a process of its own, for files nobody vouches for.

    Args:
        path: the file; the content decides what it is, not the name.
        num_frames: T.
        policy: a key of SAMPLING_POLICIES.
        span_seconds: (start, end) in seconds from the first frame; None: the whole clip.
        official_fps: frames per second of the authors' loader, for the policy "official".
        official_rule: how that loader lays the frames.
        short_side: pixels; frames are scaled down to it (never up) as soon as they are decoded.
        pixels: "square": as players show them; "stored": as the authors' loaders take them, which
            overlook that a file's pixels may be wider than high.
        limits: on what it may cost; None: those of the environment.
        progress: told what is being done and the share done.

    Raises:
        VideoError: the file is not a video that can be shown.
        SamplingError: the frames asked for do not exist.
        UnknownNameError: no such policy.
    """
    request = ClipRequest(
        num_frames=num_frames,
        policy=policy,
        span_seconds=span_seconds,
        official_fps=official_fps,
        official_rule=official_rule,
        short_side=short_side,
        pixels=pixels,
    )
    return open_file(
        VideoFile.at(path), request, limits=limits or default_limits(), progress=progress
    )


def open_file(
    file: VideoFile,
    request: ClipRequest,
    *,
    limits: VideoLimits,
    decord_crashed: bool = False,
    progress: Progress | None = None,
) -> Clip:
    """As `open_clip`, of a file that somebody else may have opened.

    Args:
        file: with or without a descriptor.
        request: what is wanted of it.
        limits: on what it may cost.
        decord_crashed: in another process, on this very file.
        progress: told what is being done and the share done.

    Raises:
        VideoError: the file is not a video that can be shown.
        SamplingError: the frames asked for do not exist.
        UnknownNameError: no such policy.
    """
    scan = _scan(file, request, limits, reading="index")
    recounted = False
    for _ in range(_MAX_TRIES):
        choice = request.choose(scan.frame_seconds.tolist(), scan.fps)
        try:
            decoded = decode_frames(
                choice.indices,
                scan=scan,
                short_side=request.short_side,
                decord_crashed=decord_crashed,
                progress=progress,
            )
        except NotSeekableError:
            scan = _scan(file, request, limits, reading="all")
            continue
        if decoded.recount is None:
            digest = _file_digest(file, decoded, choice, request)
            return _clip(scan, choice, decoded, digest, recounted)
        scan, recounted = replace(scan, frame_seconds=decoded.recount), True
    raise VideoError(f'"{file.name}" decodes differently each time: it is damaged. Save it again.')


def _scan(
    file: VideoFile, request: ClipRequest, limits: VideoLimits, *, reading: Literal["index", "all"]
) -> VideoScan:
    scan = scan_video(file, limits, reading=reading)
    return replace(scan, pixel_aspect=1.0) if request.pixels == "stored" else scan


def _clip(
    scan: VideoScan, choice: FrameChoice, decoded: DecodedFrames, digest: str, recounted: bool
) -> Clip:
    seconds = decoded.seconds
    return Clip(
        frames=decoded.frames,
        frame_indices=np.array(choice.indices, np.int64),
        seconds=scan.frame_seconds[list(choice.indices)] if seconds is None else seconds,
        info=describe(scan, decoded.decoder, decoded.reason),
        digest=digest,
        notes=(*choice.notes, *_decoding_notes(scan, decoded, recounted), *scan.remarks),
    )


def _array_info(frames: NDArray[np.uint8], fps: float) -> VideoInfo:
    n_frames, height, width, _ = frames.shape
    return VideoInfo(
        width=width,
        height=height,
        rotation=0,
        fps=fps,
        n_frames=n_frames,
        n_frames_counted=True,
        duration_seconds=n_frames / fps,
        codec="none",
        container="array",
        decoder="array",
        decoder_reason="frames were given",
    )


def clip_from_array(
    frames: NDArray[np.uint8],
    fps: float = 25.0,
    *,
    num_frames: int,
    policy: str = "uniform",
    span_seconds: tuple[float, float] | None = None,
    official_fps: float | None = None,
    official_rule: OfficialRule = "stepped",
    short_side: int = DEFAULT_SHORT_SIDE,
) -> Clip:
    """Make a clip from frames that are already in memory, by the same sampling rules.

    Args:
        frames: [T0,H,W,3] u8 RGB.
        fps: frames per second of the array.
        num_frames: T.
        policy: a key of SAMPLING_POLICIES.
        span_seconds: (start, end) in seconds from the first frame; None: all of it.
        official_fps: frames per second of the authors' loader, for the policy "official".
        official_rule: how that loader lays the frames.
        short_side: pixels; frames are scaled down to it (never up).

    Raises:
        VideoError: the array is not of that shape and type, or the frame rate is not positive.
        SamplingError: the frames asked for do not exist.
        UnknownNameError: no such policy.
    """
    _check_array(frames, fps)
    frame_seconds = np.arange(len(frames), dtype=np.float64) / fps
    choice = sample_frames(
        frame_seconds.tolist(),
        num_frames=num_frames,
        fps=fps,
        policy=policy,
        span_seconds=span_seconds,
        official_fps=official_fps,
        official_rule=official_rule,
    )
    chosen = np.stack(
        [shrink_frame(np.ascontiguousarray(frames[i]), short_side) for i in choice.indices]
    )
    return Clip(
        frames=chosen,
        frame_indices=np.array(choice.indices, np.int64),
        seconds=frame_seconds[list(choice.indices)],
        info=_array_info(frames, fps),
        digest=_digest(
            hashlib.sha256(chosen.tobytes()).hexdigest(),
            choice,
            short_side,
            str(chosen.shape),
            str(fps),
        ),
        notes=choice.notes,
    )


def _check_array(frames: NDArray[np.uint8], fps: float) -> None:
    if not isinstance(frames, np.ndarray):
        raise VideoError(
            f"Frames must be a numpy array [T,H,W,3] of uint8; got {type(frames).__name__}."
        )
    if frames.ndim != 4 or frames.shape[3] != 3 or 0 in frames.shape:
        raise VideoError(
            f"Frames must have the shape [T,H,W,3] with no empty side; got {list(frames.shape)}."
        )
    if frames.dtype != np.uint8:
        raise VideoError(
            f"Frames must be uint8 in 0..255; got {frames.dtype}. Scale and convert them first."
        )
    if not math.isfinite(fps) or fps <= 0:
        raise VideoError(f"The frame rate must be above 0; got {fps:g}.")


def _file_digest(
    file: VideoFile, decoded: DecodedFrames, choice: FrameChoice, request: ClipRequest
) -> str:
    more: tuple[str, ...] = () if request.pixels == "square" else (request.pixels,)
    if file.n_bytes() > WHOLE_DIGEST_BYTES:  # what is not read must show in what came out
        more = (*more, hashlib.sha256(decoded.frames.tobytes()).hexdigest())
    return _digest(file.digest(WHOLE_DIGEST_BYTES), choice, request.short_side, *more)


def _digest(source: str, choice: FrameChoice, short_side: int, *more: str) -> str:
    return hashlib.sha256(repr((source, choice.indices, short_side, more)).encode()).hexdigest()


def _decoding_notes(scan: VideoScan, decoded: DecodedFrames, recounted: bool) -> tuple[str, ...]:
    notes = []
    if decoded.decoder == "pyav":
        notes.append(f"Decoded by PyAV ({decoded.reason}).")
    if recounted:
        notes.append(f"The frames were counted by decoding them all: {scan.n_frames}.")
    if scan.damaged or decoded.n_bad_packets:
        notes.append(
            "Parts of the file are damaged or missing; the frames that could be decoded are used."
        )
    return tuple(notes)
