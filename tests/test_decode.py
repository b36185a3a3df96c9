"""Decoding: exact frames, upright, from clips made here and from real ones."""

from __future__ import annotations

import csv
import logging
import sys
import time
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest
from PIL import Image

from stam_core.errors import SamplingError, UnknownNameError, VideoError
from stam_core.limits import VideoLimits, default_limits
from stam_core.video import clip_from_array, open_clip, probe
from stam_core.video import decode as decode_module
from stam_core.video import decode_decord as decord_module
from stam_core.video import decode_pyav as pyav_module
from stam_core.video import decode_scan as scan_module
from stam_core.video import decode_times as times_module
from stam_core.video.source import VideoFile, display_name

BITS = 12  # a counter frame shows its index as twelve black or white blocks, lowest bit first
WIDTH, HEIGHT = 4 * 40, 3 * 40


def counter_frame(index, width=WIDTH, height=HEIGHT):
    blocks = np.array([(index >> bit) & 1 for bit in range(BITS)], np.uint8).reshape(3, 4)
    picture = np.kron(blocks * 200 + 25, np.ones((height // 3, width // 4), np.uint8))
    return np.repeat(picture[..., None], 3, axis=2)


def read_counter(frame):
    height, width = frame.shape[:2]
    rows = [(2 * r + 1) * height // 6 for r in range(3)]
    columns = [(2 * c + 1) * width // 8 for c in range(4)]
    blocks = frame[np.ix_(rows, columns)][..., 1] > 128
    return int(sum(int(bit) << i for i, bit in enumerate(blocks.ravel())))


def write_counter(
    path, n_frames, codec="libx264", size=(WIDTH, HEIGHT), fps=25, gop=12, pix_fmt="yuv420p"
):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options={"crf": "12", "preset": "veryfast"})
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.gop_size = gop
        for index in range(n_frames):
            frame = av.VideoFrame.from_ndarray(counter_frame(index, *size), format="rgb24")
            frame.pts = index
            frame.time_base = Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_slow(path, n_frames, seconds_each):
    """A key frame every 12 pictures, each shown for long, with B-frames in between."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(1, seconds_each))
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = WIDTH, HEIGHT, "yuv420p", 12
        for index in range(n_frames):
            frame = av.VideoFrame.from_ndarray(counter_frame(index), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(seconds_each)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def set_rotation(path, clockwise):
    """Write a display matrix into the track header of an mp4, as a telephone does."""
    cos, sin = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[clockwise]
    matrix = [cos, sin, 0, -sin, cos, 0, 0, 0, 1 << 14]
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 40  # version 0: the matrix follows 40 bytes of other fields
    data[start : start + 36] = b"".join((v << 16).to_bytes(4, "big", signed=True) for v in matrix)
    path.write_bytes(data)


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    return write_counter(tmp_path_factory.mktemp("counter") / "counter.mp4", 300)


@pytest.fixture
def without_decord(monkeypatch):
    monkeypatch.setitem(sys.modules, "decord", None)  # as where it has no wheel


def shown(clip):
    return [read_counter(frame) for frame in clip.frames]


def test_decord_gives_exactly_the_chosen_frames(counter):
    pytest.importorskip("decord")
    clip = open_clip(counter, num_frames=16)
    assert clip.info.decoder == "decord"
    assert shown(clip) == clip.frame_indices.tolist()
    assert clip.frame_indices[0] == 9  # 300 / 16 = 18.75; its half, floored
    assert clip.seconds == pytest.approx(clip.frame_indices / 25)
    assert clip.notes == ()


def test_few_full_size_frames_wait_to_be_scaled_down(monkeypatch):
    read, shrunk = [], []

    class Frame:
        def asnumpy(self):
            return np.zeros((4, 6, 3), np.uint8)

    class Reader:
        def __getitem__(self, index):
            read.append(index)
            assert len(read) - len(shrunk) <= decord_module.MAX_WAITING + 1
            return Frame()

    def slow(frame):
        time.sleep(0.01)
        shrunk.append(len(read))
        return frame

    frames = decord_module._read_and_shrink(Reader(), range(12), slow, None)
    assert list(frames) == read == list(range(12))


@pytest.mark.usefixtures("without_decord")
def test_pyav_takes_over_where_decord_is_not_installed(counter):
    clip = open_clip(counter, num_frames=16)
    assert clip.info.decoder == "pyav"
    assert "not installed" in clip.info.decoder_reason
    assert any("Decoded by PyAV" in note for note in clip.notes)
    assert shown(clip) == clip.frame_indices.tolist()


@pytest.mark.usefixtures("without_decord")
@pytest.mark.parametrize("span", [(0.0, 12.0), (0.0, 0.3), (5.0, 5.5), (11.5, 12.0), (3.33, 9.87)])
@pytest.mark.parametrize("way", ["jumps", "one pass"])
def test_both_ways_of_pyav_give_exactly_the_chosen_frames(counter, monkeypatch, span, way):
    monkeypatch.setattr(pyav_module, "MAX_JUMP_SHARE", 9.0 if way == "jumps" else 0.0)
    if way == "jumps":
        monkeypatch.delattr(pyav_module, "_decode_in_one_pass")
    clip = open_clip(counter, num_frames=5, span_seconds=span)
    assert shown(clip) == clip.frame_indices.tolist()


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "mpeg4"), ("a.avi", "mpeg4"), ("a.mkv", "libx264"), ("a.webm", "libvpx")],
)
def test_other_containers_give_exactly_the_chosen_frames(tmp_path, name, codec):
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV cannot encode {codec}")
    clip = open_clip(write_counter(tmp_path / name, 60, codec), num_frames=8)
    assert shown(clip) == clip.frame_indices.tolist() == [3, 11, 18, 26, 33, 41, 48, 56]


def test_a_file_that_decord_miscounts_goes_to_pyav(counter, monkeypatch, caplog):
    class Miscounting:
        def __init__(self, *args, **kwargs):
            pass

        def __len__(self):
            return 299

    decord = pytest.importorskip("decord")
    monkeypatch.setattr(decord, "VideoReader", Miscounting)
    with caplog.at_level(logging.INFO):
        clip = open_clip(counter, num_frames=4)
    assert clip.info.decoder == "pyav"
    assert "it counts 299 frames, the file has 300" in clip.info.decoder_reason
    assert shown(clip) == clip.frame_indices.tolist()
    assert "PyAV takes over" in caplog.text


def test_a_miscounting_scan_is_corrected_by_decoding(counter, monkeypatch):
    real = decode_module.scan_video(VideoFile.at(counter), default_limits())
    fields = dict(real.__dict__, frame_seconds=np.arange(310) / 25, stamps=np.empty(0, np.int64))
    monkeypatch.setattr("stam_core.video.clip.scan_video", lambda *_, **__: type(real)(**fields))
    clip = open_clip(counter, num_frames=16)
    assert clip.info.n_frames == 300
    assert shown(clip) == clip.frame_indices.tolist()
    assert any("counted by decoding them all: 300" in note for note in clip.notes)


@pytest.mark.parametrize("decoder", ["decord", "pyav"])
@pytest.mark.parametrize("size", [(160, 120), (2560, 1440)], ids=["small", "large"])
@pytest.mark.parametrize("clockwise", [90, 180, 270])
def test_rotated_videos_are_upright(tmp_path, monkeypatch, decoder, size, clockwise):
    if decoder == "pyav":
        monkeypatch.setitem(sys.modules, "decord", None)
    else:
        pytest.importorskip("decord")
    path = write_counter(tmp_path / "turned.mp4", 3, size=size)
    set_rotation(path, clockwise)
    clip = open_clip(path, num_frames=3)
    assert clip.info.decoder == decoder
    assert clip.info.rotation == clockwise
    expected = size if clockwise == 180 else size[::-1]
    assert (clip.info.width, clip.info.height) == expected
    assert clip.frames.shape[2] / clip.frames.shape[1] == pytest.approx(
        expected[0] / expected[1], rel=0.01
    )
    stored = [np.rot90(frame, clockwise // 90) for frame in clip.frames]  # anticlockwise: undone
    assert [read_counter(frame) for frame in stored] == [0, 1, 2]


def test_large_frames_come_down_to_the_short_side(tmp_path):
    clip = open_clip(write_counter(tmp_path / "large.mp4", 2, size=(2560, 1440)), num_frames=2)
    assert clip.frames.shape == (2, 256, 455, 3)
    assert (clip.info.width, clip.info.height) == (2560, 1440)
    assert shown(clip) == [0, 1]


def test_pictures_beyond_the_limit_are_refused(tmp_path):
    path = write_counter(tmp_path / "wide.mp4", 1, size=(8208, 96))
    with pytest.raises(VideoError, match="8208 x 96 pixels; at most 8192 x 8192"):
        open_clip(path, num_frames=1)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_seconds": 3.6}, r"0\.0 hours long; at most 0\.001 hours"),
        ({"max_frames": 299}, "more than 299 frames"),
        ({"max_side": 159}, "160 x 120 pixels; at most 159 x 159"),
        ({"max_pixels": 19_000}, "160 x 120 pixels; at most 19000 pixels in all"),
    ],
)
def test_videos_beyond_the_limit_are_refused(counter, limits, message):
    with pytest.raises(VideoError, match=message):
        probe(counter, limits=VideoLimits(**limits))


@pytest.mark.usefixtures("without_decord")
def test_decoding_on_and_on_is_refused(counter):
    with pytest.raises(VideoError, match="more than 250 frames would have to be decoded"):
        open_clip(counter, num_frames=300, limits=VideoLimits(max_decoded_frames=250))


def test_decoding_on_and_on_is_refused_to_every_decoder(counter):
    limits = VideoLimits(max_decoded_frames=250)
    with pytest.raises(VideoError, match="more than 250 frames would have to be decoded"):
        open_clip(counter, num_frames=300, limits=limits)
    assert open_clip(counter, num_frames=16, limits=limits).info.decoder == "decord"


def test_jumping_counts_the_frames_that_come_out(counter, monkeypatch):
    """A file may say little and decode to much."""
    monkeypatch.setattr(scan_module.VideoScan, "n_to_decode", lambda scan, wanted: 1)
    scan = scan_module.scan_video(VideoFile.at(counter), VideoLimits(max_decoded_frames=2))
    index = int(np.searchsorted(scan.stamps, scan.key_stamps)[1]) + 3
    with pytest.raises(VideoError, match="more than 2 frames would have to be decoded"):
        pyav_module.decode_pyav(scan, [index], short_side=256)


def test_a_header_that_claims_a_thousand_million_frames_gets_no_room_for_them():
    claims = SimpleNamespace(frames=10**9), SimpleNamespace(duration=3600 * 10**6)
    with pytest.raises(VideoError, match="more than 2000000 frames"):
        scan_module._estimated_times(claims[1], claims[0], 25.0, VideoLimits())


@pytest.mark.parametrize("name", ["hours.mp4", "hours.mkv"])
def test_a_long_video_is_sought_not_read(tmp_path, monkeypatch, name):
    """Three hours at one frame in 10 seconds: few packets are read, and the frames are right."""
    path = write_slow(tmp_path / name, 1080, 10)
    read = []
    real = times_module.read_packets
    monkeypatch.setattr(
        times_module, "read_packets", lambda *a: (read.append(p) or p for p in real(*a))
    )
    clip = open_clip(path, num_frames=16)
    assert shown(clip) == clip.frame_indices.tolist()
    assert clip.frame_indices[:2].tolist() == [33, 101]
    assert clip.seconds == pytest.approx(clip.frame_indices * 10.0, abs=0.01)
    assert (clip.info.n_frames, clip.info.n_frames_counted) == (1080, False)
    assert len(read) < 400
    assert any("numbers are estimates" in note for note in clip.notes)
    part = open_clip(path, num_frames=4, span_seconds=(5000.0, 5040.0))
    assert shown(part) == [500, 501, 502, 503]


def test_a_long_video_whose_index_leads_nowhere_is_read(tmp_path, monkeypatch):
    path = write_slow(tmp_path / "hours.mp4", 200, 10)

    def nowhere(*_):
        raise times_module.NotSeekableError

    monkeypatch.setattr(times_module, "_jump", nowhere)
    clip = open_clip(path, num_frames=16)
    assert shown(clip) == clip.frame_indices.tolist()
    assert clip.info.n_frames_counted


def test_small_frames_are_not_enlarged(counter):
    assert open_clip(counter, num_frames=2).frames.shape == (2, HEIGHT, WIDTH, 3)
    assert open_clip(counter, num_frames=2, short_side=60).frames.shape == (2, 60, 80, 3)


def test_official_policy_on_a_file(counter):
    clip = open_clip(counter, num_frames=16, policy="official", official_fps=1.6)
    assert shown(clip)[:4] == [0, 15, 31, 46]
    short = open_clip(counter, num_frames=32, policy="official", official_fps=1.6)
    assert "official loader would have dropped" in short.notes[0]
    assert shown(short)[-1] == 299


def test_probe_counts_and_describes(counter):
    info = probe(counter)
    assert (info.width, info.height, info.rotation) == (WIDTH, HEIGHT, 0)
    assert (info.n_frames, info.n_frames_counted, info.fps) == (300, True, 25.0)
    assert info.duration_seconds == pytest.approx(12.0)
    assert (info.codec, info.container) == ("h264", "MP4/QuickTime")


def test_progress_rises_to_1(counter):
    heard = []
    open_clip(counter, num_frames=8, progress=lambda words, share: heard.append((share, words)))
    shares = [share for share, _ in heard]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert heard[0][1] == "Decoding"


def test_the_digest_follows_content_and_choice(counter, tmp_path):
    copy = tmp_path / "other name.mp4"
    copy.write_bytes(counter.read_bytes())
    first = open_clip(counter, num_frames=8).digest
    assert open_clip(copy, num_frames=8).digest == first
    assert open_clip(counter, num_frames=16).digest != first
    assert open_clip(counter, num_frames=8, span_seconds=(1.0, 2.0)).digest != first
    assert open_clip(counter, num_frames=8, short_side=64).digest != first


def test_bad_requests_are_told_apart(counter):
    with pytest.raises(SamplingError, match="outside the clip"):
        open_clip(counter, num_frames=4, span_seconds=(13.0, 14.0))
    with pytest.raises(UnknownNameError, match="Known: uniform, official"):
        open_clip(counter, num_frames=4, policy="dense")


def test_an_array_is_sampled_like_a_file():
    frames = np.stack([counter_frame(i) for i in range(40)])
    clip = clip_from_array(frames, 10.0, num_frames=4)
    assert shown(clip) == clip.frame_indices.tolist() == [5, 15, 25, 35]
    assert clip.seconds.tolist() == [0.5, 1.5, 2.5, 3.5]
    assert clip.info.decoder == "array"
    assert clip_from_array(frames, 10.0, num_frames=4, short_side=60).frames.shape[1:] == (
        60,
        80,
        3,
    )
    again = clip_from_array(frames, 10.0, num_frames=4)
    assert clip.digest == again.digest != clip_from_array(frames[::-1], 10.0, num_frames=4).digest


@pytest.mark.parametrize(
    ("frames", "fps", "message"),
    [
        (np.zeros((4, 8, 8), np.uint8), 25.0, r"shape \[T,H,W,3\]"),
        (np.zeros((4, 3, 8, 8), np.uint8), 25.0, r"got \[4, 3, 8, 8\]"),
        (np.zeros((0, 8, 8, 3), np.uint8), 25.0, "no empty side"),
        (np.zeros((4, 8, 8, 3), np.float32), 25.0, "must be uint8"),
        ([[1, 2], [3, 4]], 25.0, "numpy array"),
        (np.zeros((4, 8, 8, 3), np.uint8), 0.0, "frame rate must be above 0"),
        (np.zeros((4, 8, 8, 3), np.uint8), float("nan"), "frame rate must be above 0"),
    ],
)
def test_unusable_arrays_are_refused(frames, fps, message):
    with pytest.raises(VideoError, match=message):
        clip_from_array(frames, fps, num_frames=2)


def test_names_in_messages_are_tamed(tmp_path):
    odd = tmp_path / ("a\x1b[31mb\u202ec\n" + "x" * 80 + ".mp4")
    assert display_name(odd) == "a[31mbc" + "x" * 52 + "…"


# ---- real clips ----


def reference_frames(path, indices, size):
    """The frames of a full PyAV decode by display order, upright, scaled down by PIL."""
    wanted = {}
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(container.streams.video[0])):
            if index in indices:
                rgb = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
                image = Image.fromarray(np.ascontiguousarray(rgb))
                wanted[index] = np.asarray(image.resize(size, Image.Resampling.BILINEAR))
    return np.stack([wanted[index] for index in indices])


@pytest.mark.parametrize(
    "name",
    [
        "street_walking_720p.mp4",  # decord counts a hidden frame
        "applying_makeup.avi",  # XviD
        "archery.avi",
        "jog_kth_person03_d3.avi",
        "phone_rot90.mov",
        "phone_rot270.mov",
        "nasa_rotated.mp4",
        "nasa_open_2streams.mp4",  # decord would take the second track
        "nasa_hdr_hevc10.mp4",
        "park_nonzero_start.mp4",
        "two_people_walk_in.gif",
        "asl_walk.mkv",
        "hand_gesture_360p.mp4",
        "square_8frames_fullhd.mp4",
    ],
)
def test_frames_equal_a_full_decode(shared, name):
    path = shared / "clips" / name
    clip = open_clip(path, num_frames=16)
    height, width = clip.frames.shape[1:3]
    expected = reference_frames(path, clip.frame_indices.tolist(), (width, height))
    difference = np.abs(clip.frames.astype(int) - expected).mean(axis=(1, 2, 3))
    assert difference.max() < 2


def test_every_real_clip_opens_as_the_manifest_says(shared):
    with (shared / "clips" / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 29
    for row in rows:
        clip = open_clip(shared / "clips" / row["file"], num_frames=16, pixels="stored")
        width, height = (int(side) for side in row["wxh"].split("x"))
        anticlockwise = int(row["rotation"] or 0)
        if anticlockwise % 180:
            width, height = height, width
        info = clip.info
        assert (info.width, info.height) == (width, height), row["file"]
        assert info.rotation == -anticlockwise % 360, row["file"]
        assert info.n_frames == int(row["n_frames"]), row["file"]
        assert clip.num_frames == 16, row["file"]
        short, long = min(width, height), max(width, height)
        sides = (256, int(256 * long / short)) if short > 256 else (short, long)
        assert sorted(clip.frames.shape[1:3]) == list(sides), row["file"]
        if row["file"] != "unordered_pts.mov":  # all white by itself
            assert clip.frames.std() > 5, row["file"]
        assert (np.diff(clip.seconds) >= 0).all(), row["file"]
        assert (info.n_frames < 16) == any("frames repeat" in note for note in clip.notes)
