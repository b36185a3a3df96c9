"""What passes between a worker and its parent: JSON with a length in front, checked on arrival.

No pickles: a worker that a file has taken over could make its parent run code through them.
"""

from __future__ import annotations

import json
import math
import struct
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from stam_core.errors import ParameterError, SamplingError, StamError, UnknownNameError, VideoError
from stam_core.types import Clip, VideoInfo

MAX_MESSAGE_BYTES = 2**20
MAX_TEXT = 600  # characters of any sentence a worker may send
MAX_NOTES = 32
MAX_SIDE = 2**16  # pixels; only against nonsense, the limits proper are the worker's business
_LENGTH = struct.Struct(">I")
_ERRORS: dict[str, type[StamError]] = {
    kind.__name__: kind for kind in (VideoError, SamplingError, UnknownNameError, ParameterError)
}

Message = dict[str, Any]  # Any: JSON


class WireError(Exception):
    """What arrived is not what was agreed: the worker is broken or no longer ours."""


def send(stream: BinaryIO, message: Mapping[str, Any]) -> None:
    """Write one message.

    Raises:
        OSError: nobody reads any more.
    """
    data = json.dumps(message).encode("ascii")
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def receive(stream: BinaryIO) -> Message | None:
    """Read one message; None at the end.

    Raises:
        WireError: it is too long, cut off, or no JSON object.
        OSError: the stream broke.
    """
    head = stream.read(_LENGTH.size)
    if not head:
        return None
    if len(head) < _LENGTH.size:
        raise WireError("cut off")
    (length,) = _LENGTH.unpack(head)
    if length > MAX_MESSAGE_BYTES:
        raise WireError("too long")
    data = stream.read(length)
    if len(data) < length:
        raise WireError("cut off")
    try:
        message = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise WireError("not JSON") from error
    if not isinstance(message, dict):
        raise WireError("not an object")
    return message


def clip_message(clip: Clip) -> Message:
    """Everything about a clip but its frames.

    Args:
        clip: as opened by a worker.
    """
    return {
        "shape": list(clip.frames.shape),
        "frame_indices": clip.frame_indices.tolist(),
        "seconds": clip.seconds.tolist(),
        "info": asdict(clip.info),
        "digest": clip.digest,
        "notes": list(clip.notes),
    }


def frames_shape(message: Message, num_frames: int, n_bytes: int) -> tuple[int, int, int, int]:
    """The shape of the frames, checked against what was asked for and against the block.

    Args:
        message: from `clip_message`.
        num_frames: T, as asked for.
        n_bytes: size of the block in which they lie.

    Raises:
        WireError: it does not fit.
    """
    try:
        n, height, width, channels = (_whole(side) for side in message["shape"])
    except (KeyError, TypeError, ValueError) as error:
        raise WireError("no shape") from error
    sides = 1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE
    if n != num_frames or channels != 3 or not sides or n * height * width * 3 > n_bytes:
        raise WireError("frames that were not asked for")
    return n, height, width, channels


def clip_from_message(message: Message, frames: NDArray[np.uint8]) -> Clip:
    """The clip of a message and its frames.

    Args:
        message: from `clip_message`; nothing in it is taken on trust.
        frames: [T,H,W,3] u8.

    Raises:
        WireError: a field is missing or of another kind.
    """
    try:
        return Clip(
            frames=frames,
            frame_indices=np.array([_whole(i) for i in message["frame_indices"]], np.int64),
            seconds=np.array([_number(s) for s in message["seconds"]], np.float64),
            info=_info(message["info"]),
            digest=_text(message["digest"]),
            notes=_texts(message["notes"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise WireError("not a clip") from error


def error_message(error: StamError) -> Message:
    """An error as a message.

    Args:
        error: raised in a worker.
    """
    return {"error": type(error).__name__, "words": str(error)}


def error_from_message(message: Message) -> StamError:
    """The error that a worker reports; of an unknown kind it is a `VideoError`.

    Args:
        message: from `error_message`.
    """
    kind = _ERRORS.get(str(message.get("error")), VideoError)
    error = kind.__new__(kind)  # not its own constructor: the sentence is written already
    error.args = (tame(message.get("words")),)
    return error


def tame(words: object) -> str:
    """Words from a worker, as one may print them.

    Args:
        words: anything; cut to a length, without control characters.
    """
    kept = "".join(c for c in str(words)[:MAX_TEXT] if unicodedata.category(c)[0] != "C")
    return kept or "The decoder gave no reason."


def _info(found: Message) -> VideoInfo:
    decoder = found["decoder"]
    if decoder not in ("decord", "pyav"):
        raise ValueError(decoder)
    return VideoInfo(
        width=_whole(found["width"]),
        height=_whole(found["height"]),
        rotation=_whole(found["rotation"]),
        fps=_number(found["fps"]),
        n_frames=_whole(found["n_frames"]),
        n_frames_counted=bool(found["n_frames_counted"]),
        duration_seconds=_number(found["duration_seconds"]),
        codec=_text(found["codec"]),
        container=_text(found["container"]),
        decoder=decoder,
        decoder_reason=_text(found["decoder_reason"]),
        notes=_texts(found["notes"]),
    )


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise ValueError(value)
    return value


def _number(value: object) -> float:
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(value)
    return float(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return tame(value) if value else ""


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, list) or len(values) > MAX_NOTES:
        raise TypeError(values)
    return tuple(_text(value) for value in values)
