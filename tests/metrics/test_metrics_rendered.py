"""Truth scores over rendered clips, with models whose maps are known in advance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stam_core.actions import RenderedClips, RenderSpec, render_clips, rendered_batches
from stam_core.engine import Engine
from stam_core.errors import ParameterError, UnknownNameError
from stam_core.metrics.rendered import (
    CONTROLS,
    TruthRow,
    render_spec,
    score_rendered,
)
from stam_core.metrics.truth import patch_shares
from stam_core.models import model_info
from stam_core.types import Clip, CropBox, Explanation, Preprocessing
from stam_core.video import clip_from_array, crop_box

SPEC = RenderSpec(width=48, height=48, num_frames=4)
GRID = (6, 4)


class Oracle:
    """An engine whose maps are the truth itself (or its opposite), for frames of any model."""

    def __init__(self, sign: float = 1.0, side: int = 48) -> None:
        """`sign` -1: everything but the truth."""
        preprocessing = Preprocessing(resize_side=48, side=side)
        config = type("Config", (), {"patch_size": side // 4})()
        self.info = replace(
            model_info("stam-16"), num_frames=4, preprocessing=preprocessing, config=config
        )
        self.sign = sign
        clips = render_clips(6, seed=7, spec=SPEC)
        self.known = {clips.frames[i].tobytes(): i for i in range(len(clips))}
        self.clips = clips
        self.asked: list[str] = []

    def open(self, source: np.ndarray) -> Clip:
        return clip_from_array(source, num_frames=4)

    def crop_box(self, clip: Clip) -> CropBox:
        return crop_box(clip.frames.shape[2], clip.frames.shape[1], self.info.preprocessing)

    def explain(self, clip: Clip, *, method: str) -> Explanation:
        self.asked.append(method)
        i = self.known[clip.frames.tobytes()]
        masks = self.clips.moving_mask()[i]
        shares = patch_shares(masks, self.info.patch_grid, self.crop_box(clip))
        frames = self.sign * self.clips.key_frames[i].astype(np.float32)
        patches = (shares if self.sign > 0 else 1.0 * (shares == 0)).astype(np.float32)
        return Explanation(method, None, frames, patches, False, None, {}, 0.0, 0.0)


def _by_score(rows: list[TruthRow], method: str) -> dict[str, TruthRow]:
    return {row.summary.name: row for row in rows if row.method == method}


@pytest.mark.parametrize("side", [48, 40])
def test_maps_that_are_the_truth_are_found_perfect(side: int) -> None:
    """Also where the model sees a crop: the mask goes the same way as the frames."""
    found = _by_score(score_rendered(Oracle(side=side), ["rollout"], n=6), "rollout")
    assert found["key-frame recall"].summary.mean == pytest.approx(1.0)
    assert found["pointing game"].summary.mean == pytest.approx(1.0)
    mass = found["mass in mask"].summary
    assert mass.mean > mass.band[1]
    assert mass.z is not None
    assert mass.z > 10
    assert mass.clips + mass.clips_left_out == 6
    assert mass.frames + mass.frames_left_out == 4 * mass.clips


def test_maps_that_are_anything_but_the_truth_are_below_chance() -> None:
    found = _by_score(score_rendered(Oracle(sign=-1.0), ["rollout"], n=6), "rollout")
    assert found["pointing game"].summary.mean == 0.0
    assert found["mass in mask"].summary.mean == 0.0
    assert found["key-frame recall"].summary.mean < found["key-frame recall"].summary.expected


def test_other_clips_truth_fits_worse() -> None:
    found = _by_score(score_rendered(Oracle(), ["rollout"], n=6), "rollout")
    for row in found.values():
        assert row.other_clip is not None
        assert row.other_clip < row.summary.mean


def test_controls_are_judged_beside_the_methods() -> None:
    oracle = Oracle()
    rows = score_rendered(oracle, ["rollout"], n=6)
    assert {row.method for row in rows} == {"rollout", *CONTROLS}
    assert set(oracle.asked) == {"rollout"}
    assert {row.method for row in score_rendered(oracle, ["rollout"], n=2, controls=False)} == {
        "rollout"
    }


def test_pixel_change_is_where_pixels_change() -> None:
    frames = np.zeros((3, 12, 8, 3), dtype=np.uint8)
    frames[2, :2, :2] = 255  # patch (0,0), in the last frame
    per_frame, patches = CONTROLS["control: pixel change"](frames, GRID, CropBox(0, 0, 1, 1))
    assert patches is not None
    assert patches.shape == (3, *GRID)
    assert patches[2, 0, 0] == pytest.approx(255.0)
    assert np.count_nonzero(patches) == 2  # np.gradient: frames 1 and 2 see the step
    assert per_frame is not None
    assert per_frame[0] == 0.0


def _same(first: RenderedClips, second: RenderedClips) -> None:
    np.testing.assert_array_equal(first.frames, second.frames)
    np.testing.assert_array_equal(first.labels, second.labels)
    np.testing.assert_array_equal(first.key_frames, second.key_frames)


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_are_the_same_clips_in_the_same_order(workers: int) -> None:
    batches = list(rendered_batches(5, seed=3, spec=SPEC, workers=workers, batch=2))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    whole = render_clips(5, seed=3, spec=SPEC)
    for i, batch in enumerate(batches):
        expected = whole.frames[2 * i : 2 * i + 2]
        np.testing.assert_array_equal(batch.frames, expected)


def test_leaving_early_stops_the_workers() -> None:
    batches = rendered_batches(6, seed=3, spec=SPEC, workers=2, batch=1)
    next(batches)
    batches.close()
    assert list(batches) == []


def test_spec_is_the_size_that_is_not_resized() -> None:
    info = Oracle(side=40).info
    assert render_spec(info) == RenderSpec(width=48, height=48, num_frames=4)
    squished = replace(info, preprocessing=Preprocessing(resize_side=48, side=32, fit="squish"))
    assert render_spec(squished).width == 32


def test_the_embedded_model_sees_the_rendered_pixels() -> None:
    engine = Engine(device="cpu", dtype="float32")
    frames = render_clips(1, seed=7, spec=render_spec(engine.info)).frames[0]
    clip = engine.open(frames)
    np.testing.assert_array_equal(clip.frames, frames)
    assert clip.frame_indices.tolist() == list(range(engine.info.num_frames))
    assert engine.crop_box(clip) == CropBox(0.0, 0.0, 1.0, 1.0)


def test_scores_of_the_embedded_model_repeat() -> None:
    engine = Engine(device="cpu", dtype="float32")
    told: list[float] = []
    first, second = (
        score_rendered(
            engine, ["temporal-attention"], n=2, progress=lambda _, share: told.append(share)
        )
        for _ in range(2)
    )
    assert first == second
    assert told == [0.5, 1.0, 0.5, 1.0]
    assert {row.summary.name for row in first if row.method == "temporal-attention"} == {
        "key-frame recall",
        "deciding-frame recall",
    }


def test_an_unknown_method_is_named_before_anything_is_rendered() -> None:
    with pytest.raises(UnknownNameError, match="no method 'grad'"):
        score_rendered(Oracle(), ["grad"], n=10**9)


def test_no_clips_is_said() -> None:
    with pytest.raises(ParameterError, match="At least one clip"):
        list(rendered_batches(0, seed=1, spec=SPEC))
