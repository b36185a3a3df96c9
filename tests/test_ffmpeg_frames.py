"""The frames that come out, decoded apart, are those of ffmpeg's own decode."""

from __future__ import annotations

import os
from itertools import islice

import pytest

from benchmarks.corpora import read_corpora
from benchmarks.ffmpeg_frames import CLOSE, difference_from_ffmpeg, ffmpeg_is_there
from stam_core.errors import VideoError
from stam_core.video.apart import DecoderPool

T = 16
# ffmpeg decodes every file whole, which takes minutes: all of them with STAM_THOROUGH=1, and by
# `python -m benchmarks.badclips`.
EVERY = 1 if os.environ.get("STAM_THOROUGH") else 5


@pytest.mark.skipif(not ffmpeg_is_there(), reason="needs ffmpeg and ffprobe to compare with")
def test_valid_files_decode_as_by_ffmpeg(shared, tmp_path):
    far, compared = [], 0
    valid = [
        entry
        for entry in read_corpora(shared / "badclips", shared / "clips", tmp_path)
        if entry.expect != "clear error" and entry.not_comparable is None
    ]
    with DecoderPool() as pool:
        for entry in islice(valid, None, None, EVERY):
            try:
                clip = pool.open_clip(entry.path, num_frames=T)
            except VideoError:
                assert entry.expect == "either", entry.name
                continue
            difference = difference_from_ffmpeg(clip, entry.path)
            compared += 1
            if difference >= CLOSE:
                far.append((entry.name, round(difference, 2)))
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
