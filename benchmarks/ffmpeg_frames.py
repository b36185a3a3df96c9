"""What ffmpeg itself makes of a file: the reference for the frames that the core decodes."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stam_core.types import Clip

CLOSE = 2.0  # mean absolute difference, of 255


def ffmpeg_is_there() -> bool:
    """Whether there is anything to compare with."""
    return shutil.which("ffmpeg") is not None and shutil.which("ffprobe") is not None


def difference_from_ffmpeg(clip: Clip, path: Path) -> float:
    """Mean absolute difference from ffmpeg's own decode, of 255; of the frame where it is largest.

    Args:
        clip: opened from `path`.
        path: the file.

    Raises:
        CalledProcessError: ffmpeg fails on the file.
    """
    size = clip.frames.shape[2], clip.frames.shape[1]
    reference = ffmpeg_frames(path, clip.frame_indices.tolist(), size)
    return float(np.abs(reference.astype(int) - clip.frames).mean(axis=(1, 2, 3)).max())


def ffmpeg_frames(path: Path, indices: Sequence[int], size: tuple[int, int]) -> NDArray[np.uint8]:
    """[T,H,W,3] of the whole decode, brought to `size` as the core does; transparency on black.

    Args:
        path: the file.
        indices: of the wanted frames.
        size: (width, height), pixels.

    Raises:
        CalledProcessError: ffmpeg fails on the file.
    """
    stream = json.loads(
        _run("ffprobe", "-select_streams", "V:0", "-show_streams", "-of", "json", f"file:{path}")
    )["streams"][0]
    width, height = stream["width"], stream["height"]
    turns = [int(data.get("rotation", 0)) for data in stream.get("side_data_list", ())]
    if any(turn % 180 for turn in turns):
        width, height = height, width
    wanted = sorted(set(indices))
    # FFmpeg's own decoder of VP9 overlooks transparency.
    decoder = ["-c:v", "libvpx-vp9"] if stream.get("tags", {}).get("alpha_mode") == "1" else []
    raw = _run(
        "ffmpeg", "-nostdin", *decoder, "-i", f"file:{path}", "-map", f"0:{stream['index']}",
        "-vf", "select=" + "+".join(f"eq(n\\,{index})" for index in wanted),
        "-vsync", "0", "-pix_fmt", "rgba", "-f", "rawvideo", "-",
    )  # fmt: skip
    pixels = np.frombuffer(raw, np.uint8).reshape(-1, height, width, 4)
    if len(pixels) != len(wanted):
        raise RuntimeError(f"ffmpeg gave {len(pixels)} of {len(wanted)} frames of {path.name}")
    on_black = (pixels[..., :3] * (pixels[..., 3:] / 255)).round().astype(np.uint8)
    found = dict(zip(wanted, on_black, strict=True))
    resized = [Image.fromarray(found[i]).resize(size, Image.Resampling.BILINEAR) for i in indices]
    return np.stack([np.asarray(image) for image in resized])


def _run(program: str, *arguments: str) -> bytes:
    command = [program, "-v", "error", *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout
