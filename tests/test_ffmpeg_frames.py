"""The frames that come out, decoded apart, are those of ffmpeg's own decode."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
from itertools import islice

import numpy as np
import pytest
from PIL import Image

from stam_core.errors import VideoError
from stam_core.video.apart import DecoderPool

FFMPEG = shutil.which("ffmpeg") is not None and shutil.which("ffprobe") is not None
CLOSE = 2.0  # mean absolute difference, of 255
T = 16
# ffmpeg decodes every file whole, which takes minutes: all of them with STAM_THOROUGH=1 only.
EVERY = 1 if os.environ.get("STAM_THOROUGH") else 5
# Files whose frames are damaged on purpose: two decoders repair them each in its own way. The last
# changes its size midway, where ffmpeg's own rescaling begins.
DAMAGED = ("flips_", "size_change")


def valid_files(shared):
    for folder in ("clips", "badclips"):
        with (shared / folder / "manifest.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                path = shared / folder / row["file"]
                expected = row.get("expect", "works")
                if (
                    path.is_file()
                    and expected != "clear error"
                    and not row["file"].startswith((*DAMAGED, "canary/"))
                ):
                    yield path, expected


def ffmpeg_frames(path, indices, size):
    """[T,H,W,3] of the whole decode, brought to `size` as the core does; transparency on black."""
    stream = json.loads(
        run("ffprobe", "-select_streams", "V:0", "-show_streams", "-of", "json", f"file:{path}")
    )["streams"][0]
    width, height = stream["width"], stream["height"]
    turns = [int(data.get("rotation", 0)) for data in stream.get("side_data_list", ())]
    if any(turn % 180 for turn in turns):
        width, height = height, width
    wanted = sorted(set(indices))
    # FFmpeg's own decoder of VP9 overlooks transparency.
    decoder = ["-c:v", "libvpx-vp9"] if stream.get("tags", {}).get("alpha_mode") == "1" else []
    raw = run(
        "ffmpeg", "-nostdin", *decoder, "-i", f"file:{path}", "-map", f"0:{stream['index']}",
        "-vf", "select=" + "+".join(f"eq(n\\,{index})" for index in wanted),
        "-vsync", "0", "-pix_fmt", "rgba", "-f", "rawvideo", "-",
    )  # fmt: skip
    pixels = np.frombuffer(raw, np.uint8).reshape(-1, height, width, 4)
    assert len(pixels) == len(wanted)
    on_black = (pixels[..., :3] * (pixels[..., 3:] / 255)).round().astype(np.uint8)
    found = dict(zip(wanted, on_black, strict=True))
    resized = [Image.fromarray(found[i]).resize(size, Image.Resampling.BILINEAR) for i in indices]
    return np.stack([np.asarray(image) for image in resized])


def run(program, *arguments):
    command = [program, "-v", "error", *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout


@pytest.mark.skipif(not FFMPEG, reason="needs ffmpeg and ffprobe to compare with")
def test_valid_files_decode_as_by_ffmpeg(shared):
    far, compared = [], 0
    with DecoderPool() as pool:
        for path, expected in islice(valid_files(shared), None, None, EVERY):
            try:
                clip = pool.open_clip(path, num_frames=T)
            except VideoError:
                assert expected == "either", path.name
                continue
            size = clip.frames.shape[2], clip.frames.shape[1]
            reference = ffmpeg_frames(path, clip.frame_indices.tolist(), size)
            difference = np.abs(reference.astype(int) - clip.frames).mean(axis=(1, 2, 3)).max()
            compared += 1
            if difference >= CLOSE:
                far.append((path.name, round(float(difference), 2)))
    assert far == []
    assert compared >= (29 + 60) // EVERY


def test_square_pixels_transparency_and_interlacing_are_said(shared):
    folder = shared / "badclips"
    with DecoderPool() as pool:
        for name, size, words in [
            ("anamorphic_sar.mp4", (320, 240), "160 x 240 are shown as 320 x 240"),
            ("vp9_alpha.webm", (320, 240), "shown on black"),
            ("interlaced.mp4", (320, 240), "interlaced"),
            ("hevc_10bit_hdr.mp4", (320, 240), "without tone mapping"),
            ("prores.mov", (320, 240), "10 bits per colour"),
            ("vfr.mp4", (320, 240), "frame rate varies"),
            ("edit_list.mp4", (320, 240), "hides are left out: 8"),
            ("start_offset.ts", (320, 240), "stands at 1.38 s"),
            ("two_video_streams.mp4", (160, 120), "2 video tracks"),
            ("two_hours_1fps.mp4", (64, 64), "numbers are estimates"),
        ]:
            info = pool.open_clip(folder / name, num_frames=4).info
            assert (info.width, info.height) == size, name
            assert any(words in note for note in info.notes), (name, info.notes)
        plain = pool.open_clip(folder / "good_reference.mp4", num_frames=4)
        assert plain.info.notes == ()
