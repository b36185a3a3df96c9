"""Open damaged videos for as long as one likes: `python -m tests.fuzz_video --seconds 60`.

What a decoding process does with each is one of: a clip, or one sentence. Anything else (another
exception, a hang, a sentence that names a crash) is kept in the folder given and ends the run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import av
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from stam_core.errors import StamError
from stam_core.limits import VideoLimits
from stam_core.video.apart import DecoderPool
from tests.test_decode import write_counter

# FFmpeg's numbers for sizes, counts and times are 8 to 64 bits wide; these are their edges.
EDGES = [
    value.to_bytes(width, order)
    for width in (1, 2, 4, 8)
    for value in (0, 1, 2 ** (8 * width - 1) - 1, 2 ** (8 * width - 1), 2 ** (8 * width) - 1)
    for order in ("big", "little")
]


def seeds(folder):
    """Small valid files of several containers and codecs."""
    made = [
        ("a.mp4", "libx264"), ("b.mkv", "libx264"), ("c.webm", "libvpx-vp9"), ("d.avi", "mpeg4"),
        ("e.gif", "gif"), ("f.ts", "mpeg2video"), ("g.flv", "flv"), ("h.mov", "mjpeg"),
    ]  # fmt: skip
    formats = {"gif": "rgb8", "mjpeg": "yuvj420p"}
    found = []
    for name, codec in made:
        pix_fmt = formats.get(codec, "yuv420p")
        try:
            path = write_counter(folder / name, 12, codec, size=(64, 48), pix_fmt=pix_fmt)
            found.append(path.read_bytes())
        except (av.FFmpegError, ValueError) as error:  # ValueError: a build without this codec
            print(f"no seed {name}: {error}", file=sys.stderr)
    assert len(found) >= 4
    return found


@st.composite
def damaged(draw, originals):
    """One of the files with some bytes overwritten, cut out, doubled, or replaced by an edge."""
    content = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 6))):
        # Half of the damage to the first kilobyte, where headers are.
        reach = draw(st.sampled_from([min(1024, len(content)), len(content)]))
        at = draw(st.integers(0, max(0, reach - 1)))
        kind = draw(st.sampled_from(["flip", "edge", "cut", "double", "end"]))
        if kind == "flip":
            content[at : at + 1] = bytes([draw(st.integers(0, 255))])
        elif kind == "edge":
            edge = draw(st.sampled_from(EDGES))
            content[at : at + len(edge)] = edge
        elif kind == "cut":
            del content[at : at + draw(st.integers(1, 64))]
        elif kind == "double":
            content[at:at] = content[at : at + draw(st.integers(1, 256))]
        else:
            del content[max(at, 16) :]
    return bytes(content)


def outcome(pool, path, content):
    """The clip that these bytes are, or the sentence with which they are refused."""
    path.write_bytes(content)
    try:
        return pool.open_clip(path, num_frames=4)
    except StamError as error:
        return str(error)


def objections(found):
    """What is wrong with an outcome: [] for a whole clip or one readable sentence."""
    if isinstance(found, str):
        checks = {
            "not a sentence": found.endswith(".") and "\n" not in found,
            "too short or too long": 20 < len(found) < 400,
            "it crashed": "crash" not in found,
            "it hung": "longer than" not in found,
        }
    else:
        frames = found.frames
        checks = {"not four frames": len(frames) == 4, "not bytes": frames.dtype == "uint8"}
    return [(words, found) for words, holds in checks.items() if not holds]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    options = parser.parse_args()
    end, tried = time.monotonic() + options.seconds, [0]
    with tempfile.TemporaryDirectory() as folder, DecoderPool(VideoLimits(workers=1)) as pool:
        originals = seeds(Path(folder))

        @settings(
            max_examples=200,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(content=damaged(originals))
        def batch(content):
            if time.monotonic() > end:
                return
            tried[0] += 1
            try:
                found = outcome(pool, Path(folder) / "damaged.bin", content)
                assert not objections(found)
            # Whatever it is, it is a finding; it goes on its way and ends the run.
            except BaseException:
                options.keep.mkdir(exist_ok=True)
                kept = options.keep / f"found-{tried[0]}.bin"
                kept.write_bytes(content)
                print(f"kept {kept}", file=sys.stderr)
                raise

        while time.monotonic() < end:
            batch()
    print(f"{tried[0]} damaged files survived in {options.seconds:g} s")


if __name__ == "__main__":
    main()
