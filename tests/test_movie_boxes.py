"""QuickTime boxes as a hostile file lays them: deep, many, of sizes that make no sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from stam_core.__main__ import main
from stam_core.errors import VideoError
from stam_core.limits import default_limits
from stam_core.video.container import sniff_container
from stam_core.video.movie_boxes import MAX_BOXES, refers_to_other_files
from stam_core.video.source import VideoFile

DEEP = 4000  # boxes in each other; Python's own stack holds a thousand calls
WAY = (b"moov", b"trak", b"mdia", b"minf", b"dinf")


def box(kind: bytes, content: bytes = b"", size: int | None = None) -> bytes:
    return (8 + len(content) if size is None else size).to_bytes(4, "big") + kind + content


def nested(kinds: tuple[bytes, ...], content: bytes) -> bytes:
    for kind in reversed(kinds):
        content = box(kind, content)
    return content


def dref(flags: int) -> bytes:
    entry = box(b"alis", flags.to_bytes(4, "big") + b"somewhere")
    return box(b"dref", b"\0\0\0\0" + (1).to_bytes(4, "big") + entry)


def refers(tmp_path: Path, content: bytes) -> bool:
    path = tmp_path / "clip.mov"
    path.write_bytes(content)
    return refers_to_other_files(VideoFile.at(path))


@pytest.mark.parametrize("flags", [0, 1])
def test_a_reference_is_found_behind_and_within_others(tmp_path: Path, flags: int) -> None:
    own = nested(WAY, dref(1))
    content = box(b"ftyp", b"qt  ") + own + box(b"free", b"x" * 50) + nested(WAY, dref(flags))
    assert refers(tmp_path, content) is (flags == 0)
    two_tracks = box(b"moov", nested(WAY[1:], dref(1)) + nested(WAY[1:], dref(flags)))
    assert refers(tmp_path, two_tracks) is (flags == 0)


def test_boxes_in_boxes_in_boxes_end_no_program(tmp_path: Path) -> None:
    assert not refers(tmp_path, nested((b"moov",) * DEEP, b""))
    assert refers(tmp_path, nested((b"moov",) * DEEP, dref(0)))


def test_sizes_that_make_no_sense_end_only_their_own_level(tmp_path: Path) -> None:
    broken = box(b"moov", box(b"trak", b"", size=3) + box(b"trak", b""))
    assert refers(tmp_path, broken + nested(WAY, dref(0)))
    assert refers(tmp_path, box(b"moov", nested(WAY[1:], dref(0)), size=0))  # 0: to the end
    assert refers(tmp_path, box(b"moov", nested(WAY[1:], dref(0)), size=2**31))
    assert not refers(tmp_path, b"\0\0\0\1moov")  # a long size that is cut off


def test_only_so_many_boxes_are_looked_at(tmp_path: Path) -> None:
    assert refers(tmp_path, box(b"free") * (MAX_BOXES - 6) + nested(WAY, dref(0)))
    assert not refers(tmp_path, box(b"free") * MAX_BOXES + nested(WAY, dref(0)))


def test_a_deep_file_costs_one_sentence_and_not_the_rest_of_the_batch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deep = tmp_path / "deep.mov"
    deep.write_bytes(nested((b"moov",) * DEEP, b""))
    sniff_container(VideoFile.at(deep), default_limits())
    text = tmp_path / "text.mov"
    text.write_bytes(b"no video")
    assert main(["predict", "--json", str(deep), str(text)]) == 2
    said = capsys.readouterr()
    told = said.out + said.err
    assert "deep.mov" in told
    assert "is not a video but a text file" in told
    assert "2 of 2 clips failed" in told
    assert "Traceback" not in told


def test_the_way_is_that_of_the_decoders(tmp_path: Path) -> None:
    path = tmp_path / "clip.mov"
    path.write_bytes(box(b"ftyp", b"qt  ") + nested(WAY, dref(0)))
    with pytest.raises(VideoError, match="points to another file"):
        sniff_container(VideoFile.at(path), default_limits())
