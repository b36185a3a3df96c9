"""A user's folder: what is found in it, how it is split, what is decoded, how clips vary."""

from __future__ import annotations

import os
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest
import torch

from stam_core.engine import DISPLAY_SIDE
from stam_core.train import clip_cache
from stam_core.train.augment import Augmentation, augment_clip, jitter_times, may_flip
from stam_core.train.clip_cache import CacheSpec, decode_into_cache, load_frames
from stam_core.train.errors import TrainingError
from stam_core.train.folder import LabelledClip, list_clips, split_clips
from stam_core.types import Preprocessing
from stam_core.video import open_clip, preprocess
from tests.training.own_clips import write_clip, write_folder

RULE = Preprocessing(resize_side=18, side=16, mean=(0.5,) * 3, std=(0.5,) * 3)


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def named(clips: list[LabelledClip]) -> list[tuple[str, str, str | None]]:
    return [(clip.label, clip.path.name, clip.split) for clip in clips]


def silent(word: str, share: float) -> None:
    pass


# --- what is found --------------------------------------------------------------------------------


def test_a_folder_per_class(tmp_path):
    touch(tmp_path / "b" / "2.MP4", tmp_path / "b" / "1.webm", tmp_path / "a" / "x.mkv")
    touch(tmp_path / "a" / "notes.txt", tmp_path / "a" / ".hidden.mp4", tmp_path / "readme.md")
    (tmp_path / "a" / "inner").mkdir()
    clips, skipped = list_clips(tmp_path)
    assert named(clips) == [("a", "x.mkv", None), ("b", "1.webm", None), ("b", "2.MP4", None)]
    assert [(entry.path.name, entry.reason) for entry in skipped] == [
        ("inner", "a folder inside a class folder"),
        ("notes.txt", "its name does not end like a video's"),
    ]


def test_train_and_val_folders_are_a_split(tmp_path):
    for place in ("train/a/1.mp4", "train/b/1.mp4", "val/a/2.mp4", "val/c/3.mp4", "test/a/4.mp4"):
        touch(tmp_path / place)
    clips, _ = list_clips(tmp_path)
    assert ("a", "4.mp4", None) not in named(clips)
    kept, notes = split_clips(clips, val_share=0.5, seed=0)
    assert named(kept) == [("a", "1.mp4", "train"), ("b", "1.mp4", "train"), ("a", "2.mp4", "val")]
    assert notes == ["'c' has no clip to train on and is left out."]


def test_train_alone_is_split_and_a_class_may_be_called_train(tmp_path):
    touch(tmp_path / "one" / "train" / "a" / "1.mp4", tmp_path / "one" / "train" / "b" / "1.mp4")
    assert named(list_clips(tmp_path / "one")[0]) == [("a", "1.mp4", None), ("b", "1.mp4", None)]
    touch(tmp_path / "two" / "train" / "1.mp4", tmp_path / "two" / "bus" / "1.mp4")
    assert named(list_clips(tmp_path / "two")[0]) == [
        ("bus", "1.mp4", None),
        ("train", "1.mp4", None),
    ]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "no video below"),
        (["a.mp4"], "no video below"),
        (["a/notes.txt"], "no video below"),
        (["a/1.mp4", "a/2.mp4"], "one class only, 'a'"),
        (["a/1.mp4", "b/notes.txt"], "one class only, 'a'"),
        (["a/1.mp4", "a /1.mp4"], "same label"),
    ],
)
def test_folders_of_no_use_are_explained(tmp_path, files, message):
    for name in files:
        touch(tmp_path / name)
    with pytest.raises(TrainingError, match=message):
        list_clips(tmp_path)


def test_no_folder_at_all(tmp_path):
    with pytest.raises(TrainingError, match=r"not there\. Clips belong into DIR/class name"):
        list_clips(tmp_path / "missing")
    touch(tmp_path / "file")
    with pytest.raises(TrainingError, match="a file, not a folder"):
        list_clips(tmp_path / "file")


def test_labels_are_one_line_of_text(tmp_path):
    names = ["<img src=x onerror=1>", "two\nlines\x1b[31m", "x" * 240, "50% $off$"]
    for name in names:
        touch(tmp_path / name / "1.mp4")
    labels = {clip.label for clip in list_clips(tmp_path)[0]}
    assert {"<img src=x onerror=1>", "two\\nlines\\x1b[31m", "50% $off$"} < labels
    assert max(map(len, labels)) == 200
    assert all(label.isprintable() for label in labels)


@pytest.mark.skipif(os.name != "posix", reason="names are text elsewhere")
def test_names_that_are_no_text(tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    touch(folder / "1.mp4", tmp_path / "b" / "1.mp4")
    assert [clip.label for clip in list_clips(tmp_path)[0]] == ["b", "caf\\udce9"]


# --- split ----------------------------------------------------------------------------------------


def clips_of(counts: dict[str, int]) -> list[LabelledClip]:
    return [
        LabelledClip(Path(label) / f"{index}.mp4", label, None)
        for label, n in counts.items()
        for index in range(n)
    ]


def test_every_class_gives_its_share_and_at_least_one():
    kept, notes = split_clips(clips_of({"many": 20, "two": 2, "one": 1}), val_share=0.2, seed=0)
    counts = {
        (label, split): sum(clip.label == label and clip.split == split for clip in kept)
        for label in ("many", "two", "one")
        for split in ("train", "val")
    }
    assert counts == {
        ("many", "train"): 16,
        ("many", "val"): 4,
        ("two", "train"): 1,
        ("two", "val"): 1,
        ("one", "train"): 1,
        ("one", "val"): 0,
    }
    assert notes == ["'one' has one usable clip only: it is trained on, not validated."]


def test_the_seed_settles_the_split():
    clips = clips_of({"a": 12, "b": 12})
    first, again, other = (split_clips(clips, val_share=0.25, seed=seed)[0] for seed in (1, 1, 2))
    assert named(first) == named(again)
    assert named(first) != named(other)
    assert all(clip.split == "train" for clip in split_clips(clips, val_share=0.0, seed=1)[0])


# --- decoding -------------------------------------------------------------------------------------


@pytest.fixture
def spec(tmp_path) -> CacheSpec:
    return CacheSpec(tmp_path / "cache", 4, RULE)


def test_exact_frames_are_those_that_the_app_shows_the_model(tmp_path, spec):
    path = write_clip(tmp_path / "clip.mp4", (200, 90, 30), width=64)
    assert clip_cache.store_clip(path, spec) is None
    shown = open_clip(path, num_frames=4, short_side=DISPLAY_SIDE)
    x, _ = preprocess(shown.frames, RULE)
    exact = torch.from_numpy(load_frames(spec, path, "exact")).permute(0, 3, 1, 2).float() / 255
    torch.testing.assert_close((exact - 0.5) / 0.5, x, rtol=0, atol=1e-6)
    dense = load_frames(spec, path, "dense")
    assert dense.shape == (12, 18, 18, 3)
    assert dense.dtype == np.uint8


def test_what_cannot_be_read_is_skipped_with_its_reason(tmp_path, spec):
    folder = write_folder(tmp_path / "data", clips=1)
    (folder / "red" / "empty.mp4").touch()
    (folder / "red" / "text.mp4").write_text("no video at all")
    (folder / "blue" / "torn.mp4").write_bytes((folder / "red" / "0.mp4").read_bytes()[:40])
    (folder / "blue" / "gone.mp4").symlink_to(tmp_path / "nowhere")
    clips, _ = list_clips(folder)
    shares = []
    usable, skipped = decode_into_cache(
        clips, spec, workers=1, progress=lambda word, share: shares.append(share)
    )
    assert [clip.path.name for clip in usable] == ["0.mp4", "0.mp4"]
    reasons = {entry.path.name: entry.reason for entry in skipped}
    assert set(reasons) == {"empty.mp4", "text.mp4", "torn.mp4", "gone.mp4"}
    assert "empty" in reasons["empty.mp4"]
    assert "text" in reasons["text.mp4"]
    assert shares[-1] == 1.0


def test_nothing_is_decoded_twice_unless_the_file_changed(tmp_path, spec, monkeypatch):
    folder = write_folder(tmp_path / "data", clips=1)
    clips, _ = list_clips(folder)
    decode_into_cache(clips, spec, workers=1, progress=silent)
    opened = []
    real = clip_cache.open_clip
    monkeypatch.setattr(
        clip_cache, "open_clip", lambda path, **rest: opened.append(path) or real(path, **rest)
    )
    decode_into_cache(clips, spec, workers=1, progress=silent)
    assert opened == []
    write_clip(folder / "red" / "0.mp4", (1, 2, 3), width=80)
    decode_into_cache(clips, spec, workers=1, progress=silent)
    assert opened == [folder / "red" / "0.mp4"]


def test_a_full_disc_while_decoding_is_said(tmp_path, spec, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    path = write_clip(tmp_path / "clip.mp4", (200, 90, 30))
    monkeypatch.setattr(clip_cache.np, "savez", full)
    with pytest.raises(TrainingError, match="No space left"):
        clip_cache.store_clip(path, spec)
    assert not list(spec.folder.glob("*"))


class Pool:
    """Stands for processes, of which a clip called "bad" kills the one it is decoded in."""

    def __init__(self, workers, mp_context=None):
        self.broken = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, work, path):
        self.broken = self.broken or "bad" in path.name
        future = Future()
        if self.broken:
            future.set_exception(BrokenProcessPool("died"))
        else:
            future.set_result(work(path))
        return future


def test_a_clip_that_kills_its_process_costs_only_itself(tmp_path, spec, monkeypatch):
    folder = write_folder(tmp_path / "data", clips=2)
    write_clip(folder / "blue" / "bad.mp4", (9, 9, 9))
    monkeypatch.setattr(clip_cache, "ProcessPoolExecutor", Pool)
    clips, _ = list_clips(folder)
    usable, skipped = decode_into_cache(clips, spec, workers=2, progress=silent)
    assert [clip.path.name for clip in usable] == ["0.mp4", "1.mp4"] * 2
    assert [(entry.path.name, entry.reason) for entry in skipped] == [
        ("bad.mp4", "its decoding crashed")
    ]


# --- variety --------------------------------------------------------------------------------------


def test_all_frames_of_a_clip_vary_alike():
    torch.manual_seed(3)
    frame = torch.randint(0, 256, (3, 20, 20), dtype=torch.uint8)
    clip = frame.expand(5, 3, 20, 20)
    out = augment_clip(clip, Augmentation(16), torch.Generator().manual_seed(1))
    assert out.shape == (5, 3, 16, 16)
    assert out.dtype == torch.uint8
    assert all(torch.equal(out[0], other) for other in out[1:])
    again = augment_clip(clip, Augmentation(16), torch.Generator().manual_seed(1))
    assert torch.equal(out, again)
    other = augment_clip(clip, Augmentation(16), torch.Generator().manual_seed(2))
    assert not torch.equal(out, other)


def test_no_variety_is_the_whole_picture():
    clip = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    for seed in range(20):
        out = augment_clip(clip, Augmentation.whole(16), torch.Generator().manual_seed(seed))
        assert torch.equal(out, clip)


def test_flips_stop_where_a_label_has_a_side():
    assert may_flip(["walk", "kick"])
    assert not may_flip(["walk", "turn LEFT"])
    assert not may_flip(["arm_right_up"])
    assert not may_flip(["clockwise"])
    ramp = torch.arange(16, dtype=torch.uint8).expand(1, 3, 16, 16)
    unflipped = Augmentation(16, colour=0.0, flip=False)
    for seed in range(10):
        out = augment_clip(ramp, unflipped, torch.Generator().manual_seed(seed)).int()
        assert (out.diff(dim=-1) >= 0).all()


def test_times_ascend_and_cover_the_clip():
    times = jitter_times(48, 16, 500, torch.Generator().manual_seed(0))
    assert times.shape == (500, 16)
    assert (times.diff(dim=1) >= 0).all()
    assert int(times.min()) == 0
    assert int(times.max()) == 47
    assert int(times[:, 0].max()) <= 0.15 * 48 + 3
    assert int(times[:, -1].min()) >= 0.85 * 48 - 3 - 1
