"""Black is black and white is white, whether a file uses 0 to 255 or 16 to 235 for them."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from stam_core.limits import default_limits
from stam_core.types import Clip
from stam_core.video import open_clip
from stam_core.video.clip import open_file
from stam_core.video.request import ClipRequest
from stam_core.video.source import VideoFile

LIMITED, FULL = 1, 2  # as FFmpeg numbers them
HEIGHT, WIDTH = 96, 256
ROUNDING = 1.0  # mean absolute difference, of 255; the wrong range is 8 away
RAMP = np.arange(WIDTH)  # black on the left, white on the right


def write_ramp(path: Path, codec: str, colour_range: int) -> Path:
    """A grey ramp whose luma is laid out by hand: no conversion of a library is trusted."""
    luma = RAMP if colour_range == FULL else 16 + RAMP * 219 / 255
    planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)  # [H + H/4 + H/4, W]: Y, U, V
    planes[:HEIGHT] = luma.round()
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10, options={"crf": "4"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.color_range = colour_range
        for _ in range(8):
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.color_range = colour_range
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def open_by(decoder: str, path: Path) -> Clip:
    if decoder == "decord":
        pytest.importorskip("decord")
    request = ClipRequest(
        num_frames=4,
        policy="uniform",
        span_seconds=None,
        official_fps=None,
        official_rule="stepped",
        short_side=HEIGHT,
        pixels="square",
    )
    clip = open_file(
        VideoFile.at(path), request, limits=default_limits(), decord_crashed=decoder == "pyav"
    )
    assert clip.info.decoder == decoder
    return clip


@pytest.mark.parametrize("decoder", ["decord", "pyav"])
@pytest.mark.parametrize("colour_range", [LIMITED, FULL])
@pytest.mark.parametrize(("codec", "ending"), [("libx264", "mp4"), ("libvpx-vp9", "mkv")])
def test_both_decoders_heed_the_range(
    tmp_path: Path, codec: str, ending: str, colour_range: int, decoder: str
) -> None:
    path = write_ramp(tmp_path / f"ramp.{ending}", codec, colour_range)
    with av.open(str(path)) as container:  # else the test would prove nothing
        found = next(container.decode(video=0)).color_range
    assert (found == FULL) == (colour_range == FULL)  # not told at all means limited
    clip = open_by(decoder, path)
    assert np.abs(clip.frames.astype(int) - RAMP[:, None]).mean() < ROUNDING
    assert clip.frames[..., 0, :].max() <= 2
    assert clip.frames[..., -1, :].min() >= 253
    assert clip.info.notes == ()


def test_real_clips_of_full_range_keep_their_contrast(shared: Path) -> None:
    """As phones and the JPEG family write them; read as limited, contrast grows by 255 / 219."""
    for folder, name, decoder in [
        ("clips", "asl_no.mkv", "decord"),
        ("badclips", "gray.mp4", "decord"),
        ("badclips", "mjpeg.avi", "pyav"),
    ]:
        path = shared / folder / name
        with av.open(str(path)) as container:
            stored = next(container.decode(video=0))
        assert stored.color_range == FULL, name
        luma = stored.to_ndarray()[: stored.height].astype(float)  # Y comes first
        clip = open_clip(path, num_frames=2)
        assert clip.info.decoder == decoder, name
        shown = clip.frames[0] @ np.array([0.299, 0.587, 0.114])  # of BT.601, which all three use
        assert 0.93 < shown.std() / luma.std() < 1.07, name
