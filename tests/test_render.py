"""Colours, overlays, figures, film and numbers: what a score looks like, to the pixel."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from matplotlib.text import Text

from stam_core.errors import ParameterError, UnknownNameError
from stam_core.render.colour import COLOUR_MAPS, colourise, lut, normalise, resolve_colours
from stam_core.render.evidence import Evidence, HeatStyle
from stam_core.render.figures import render_strip, save_figure
from stam_core.render.film import FILM_FPS, HOLD_FRAMES, render_film
from stam_core.render.numbers import json_ready, numbers
from stam_core.render.overlay import crop_pixels, fit_frame, heat_in_crop, render_overlay
from stam_core.render.words import one_line, parameters_line, time_stamp
from stam_core.types import (
    Clip,
    CropBox,
    Explanation,
    ModelInfo,
    Prediction,
    Preprocessing,
    VideoInfo,
    WeightsInfo,
)

SQUARE = CropBox(0.0, 0.0, 1.0, 1.0)
LANDSCAPE = CropBox(0.25, 0.0, 0.5, 1.0)  # 32 x 16 pixels: columns 8..23
PORTRAIT = CropBox(0.0, 0.25, 1.0, 0.5)  # 16 x 32 pixels: rows 8..23
HOSTILE = "<img src=x> $x$ \\frac{1}{0} 動画\n\x1b[31m.mp4"


@dataclass(frozen=True)
class TinyConfig:
    patch_size: int = 4


def make_evidence(
    *, n_frames: int = 4, height: int = 16, width: int = 32, signed: bool = False, name: str = "a"
) -> Evidence:
    frames = np.full((n_frames, height, width, 3), 100, np.uint8)
    info = VideoInfo(width, height, 0, 25.0, 100, True, 4.0, "h264", "mp4", "pyav")
    seconds = np.arange(n_frames) * 0.5
    clip = Clip(frames, np.arange(n_frames, dtype=np.int64), seconds, info, "0" * 64)
    model = ModelInfo(
        name="tiny",
        title="Tiny $model$",
        family="stam",
        config=TinyConfig(),
        labels=("walk", "$ru_n$", "sit"),
        num_frames=n_frames,
        preprocessing=Preprocessing(16, 16),
        sampling="uniform",
        official_fps=None,
        weights=WeightsInfo("tiny.safetensors", "Apache-2.0", embedded=True),
        paper="2103.13915",
        summary="Knows three actions.",
    )
    chances = np.array([0.2, 0.7, 0.1], np.float32)
    prediction = Prediction(np.log(chances), chances, model.labels)
    scores = np.linspace(0.0, 0.1, n_frames * 16, dtype=np.float32).reshape(n_frames, 4, 4)
    patches = scores - 0.05 if signed else scores
    explanation = Explanation(
        method="rollout",
        target=1,
        frames=patches.sum((1, 2)),
        patches=patches,
        signed=signed,
        unattributed=None if signed else 0.25,
        parameters={"head_fusion": "mean", "discard_ratio": 0.9},
        passes=1.0,
        seconds=0.1,
    )
    side = min(height, width)
    box = CropBox(
        (width - side) / 2 / width, (height - side) / 2 / height, side / width, side / height
    )
    return Evidence(
        name, clip, model, prediction, box, explanation, "Rollout $title$", "Not $effect$."
    )


# --- colour ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_every_map_is_a_table_of_256_distinct_steps(name):
    table = lut(name)
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    assert not table.flags.writeable
    assert len(np.unique(table, axis=0)) > 200


def luminance(name):
    linear = (lut(name) / 255.0) ** 2.2
    return linear @ np.array([0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize(
    "name", [name for name, entry in COLOUR_MAPS.items() if entry.kind == "sequential"]
)
def test_sequential_maps_only_get_lighter(name):
    assert (np.diff(luminance(name)) > -2e-3).all()


def test_the_diverging_map_is_lightest_in_the_middle_and_alike_on_both_sides():
    light = luminance("blue-orange")
    assert 126 <= light.argmax() <= 129
    assert (np.diff(light[:128]) >= -1e-9).all()
    assert (np.diff(light[128:]) <= 1e-9).all()
    assert np.abs(light - light[::-1]).max() < 0.12
    blue, orange = lut("blue-orange")[[40, 215]].astype(int)
    assert blue[2] > blue[0]
    assert orange[0] > orange[2]


def test_no_rainbow_is_offered():
    assert not {"jet", "rainbow", "hsv", "turbo"} & set(COLOUR_MAPS)
    with pytest.raises(UnknownNameError, match=r"no colour map 'jet'.*cividis"):
        lut("jet")


def test_maps_that_cannot_show_the_sign_are_refused():
    assert resolve_colours(None, signed=True) == "blue-orange"
    assert resolve_colours("inferno", signed=False) == "inferno"
    with pytest.raises(ParameterError, match="choose blue-orange"):
        resolve_colours("viridis", signed=True)
    with pytest.raises(ParameterError, match="choose cividis"):
        resolve_colours("blue-orange", signed=False)


def test_one_scale_for_the_clip_keeps_frames_comparable():
    scores = np.array([[[0.0, 0.5]], [[0.001, 0.0]]])
    scaled = normalise(scores, signed=False)
    np.testing.assert_allclose(scaled.values, [[[0, 1]], [[0.002, 0]]], atol=1e-7)
    np.testing.assert_allclose(scaled.low, [0, 0])
    np.testing.assert_allclose(scaled.high, [0.5, 0.5])


def test_a_scale_per_frame_is_a_choice_and_says_so():
    scores = np.array([[[0.0, 0.5]], [[0.001, 0.0]]])
    scaled = normalise(scores, signed=False, scale="frame")
    np.testing.assert_allclose(scaled.values, [[[0, 1]], [[1, 0]]])
    np.testing.assert_allclose(scaled.high, [0.5, 0.001])
    assert scaled.scale == "frame"


def test_a_floor_at_the_lowest_score_is_a_choice_too():
    scores = np.array([[2.0, 3.0], [4.0, 4.0]])
    scaled = normalise(scores, signed=False, floor="lowest")
    np.testing.assert_allclose(scaled.values, [[0, 0.5], [1, 1]])
    assert (scaled.low[0], scaled.high[0]) == (2.0, 4.0)
    own = normalise(scores, signed=False, floor="lowest", scale="frame")
    np.testing.assert_allclose(own.values, [[0, 1], [0, 0]])
    np.testing.assert_allclose(own.low, [2, 4])


def test_signed_scores_keep_zero_in_the_middle():
    scaled = normalise(np.array([[-1.0, 0.0, 4.0]]), signed=True)
    np.testing.assert_allclose(scaled.values, [[0.375, 0.5, 1.0]])
    assert (scaled.low[0], scaled.high[0]) == (-4.0, 4.0)


@pytest.mark.parametrize("scale", ["clip", "frame"])
@pytest.mark.parametrize(("signed", "middle"), [(False, 0.0), (True, 0.5)])
def test_all_zero_scores_divide_by_nothing(scale, signed, middle):
    with np.errstate(all="raise"):
        scaled = normalise(np.zeros((2, 3, 3)), signed=signed, scale=scale)
    assert (scaled.values == middle).all()
    assert (scaled.high == 0).all()


def test_even_scores_stay_one_colour():
    scaled = normalise(np.full((2, 2, 2), 1 / 8), signed=False)
    assert (scaled.values == 1.0).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="finite"):
        normalise(np.array([0.1, bad]), signed=True)


def test_negative_scores_without_a_sign_are_refused():
    with pytest.raises(ValueError, match=r"negative.*-0\.1"):
        normalise(np.array([0.1, -0.1]), signed=False)


def test_colourise_hits_both_ends():
    np.testing.assert_array_equal(
        colourise(np.array([0.0, 1.0]), "viridis"), lut("viridis")[[0, 255]]
    )


# --- overlay --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("box", "height", "width", "hot", "rows", "columns"),
    [
        (SQUARE, 16, 16, (1, 2), slice(4, 8), slice(8, 12)),
        (LANDSCAPE, 16, 32, (1, 2), slice(4, 8), slice(16, 20)),
        (PORTRAIT, 32, 16, (1, 2), slice(12, 16), slice(8, 12)),
        (SQUARE, 16, 32, (3, 0), slice(12, 16), slice(0, 8)),  # squeezed: the crop is the frame
    ],
    ids=["square", "landscape", "portrait", "squish"],
)
def test_a_hot_patch_lands_on_its_pixels(box, height, width, hot, rows, columns):
    heat = np.zeros((4, 4))
    heat[hot] = 1.0
    frame = np.full((height, width, 3), 50, np.uint8)
    style = HeatStyle(opacity=1.0, outside=1.0)
    picture = render_overlay(frame, heat, box, colours="inferno", style=style, outline=False)
    expected = np.zeros((height, width), bool)
    expected[rows, columns] = True
    np.testing.assert_array_equal((picture == lut("inferno")[255]).all(-1), expected)
    inside = np.zeros_like(expected)
    inside[crop_pixels(box, height, width)] = True
    assert (picture[~inside] == 50).all()
    assert (picture[inside & ~expected] == lut("inferno")[0]).all()
    assert (frame == 50).all()


def test_opacity_mixes_and_the_outside_is_dimmed():
    frame = np.full((16, 32, 3), 100, np.uint8)
    style = HeatStyle(opacity=0.5, outside=0.8)
    picture = render_overlay(
        frame, np.ones((4, 4)), LANDSCAPE, colours="viridis", style=style, outline=False
    )
    expected = np.rint(50 + lut("viridis")[255].astype(np.float32) / 2)
    np.testing.assert_array_equal(picture[8, 16], expected)
    np.testing.assert_array_equal(picture[8, 7], [80, 80, 80])
    np.testing.assert_array_equal(picture[8, 24], [80, 80, 80])


def test_the_picture_under_heat_loses_its_colour():
    yellow = np.full((8, 8, 3), (240, 220, 0), np.uint8)

    def spread(opacity):
        style = HeatStyle(opacity=opacity)
        heat = np.zeros((2, 2))
        picture = render_overlay(
            yellow, heat, SQUARE, colours="inferno", style=style, outline=False
        )
        return int(np.ptp(picture[4, 4].astype(int)))

    assert spread(0.0) == 240
    assert 0 < spread(0.1) < 200
    assert spread(0.4) <= 2  # what inferno's darkest colour itself has


def test_the_outline_runs_just_inside_the_crop():
    frame = np.full((16, 32, 3), 100, np.uint8)
    style = HeatStyle(opacity=0.0, outside=1.0)
    picture = render_overlay(frame, None, LANDSCAPE, colours="cividis", style=style)
    light = (picture == 255).all(-1)
    assert light[:, 8].all()
    assert light[:, 23].all()
    assert light[[0, -1], 8:24].all()
    assert light.sum() == 2 * 16 + 2 * 16 - 4
    assert (picture[:, 7] == 100).all()


def test_crops_that_fall_between_pixels_share_no_pixel_twice():
    box = CropBox((426 - 240) / 2 / 426, 0.0, 240 / 426, 1.0)
    rows, columns = crop_pixels(box, 240, 426)
    assert (rows, columns) == (slice(0, 240), slice(93, 333))
    heat = np.arange(49.0).reshape(7, 7)
    values = heat_in_crop(heat, box, height=240, width=426)
    assert values.shape == (240, 240)
    counts = np.unique(values, return_counts=True)[1]
    assert counts.min() >= 34 * 34
    assert counts.max() <= 35 * 35


@pytest.mark.parametrize("size", [(2, 2), (20, 2000), (2000, 20), (1, 1)])
def test_extreme_frames_still_get_an_overlay(size):
    height, width = size
    side = min(size)
    box = CropBox(
        (width - side) / 2 / width, (height - side) / 2 / height, side / width, side / height
    )
    rows, columns = crop_pixels(box, height, width)
    assert rows.stop - rows.start == columns.stop - columns.start == side
    frame = np.zeros((height, width, 3), np.uint8)
    picture = render_overlay(frame, np.ones((14, 14)), box, colours="cividis", style=HeatStyle())
    assert picture.shape == frame.shape


def test_smoothing_meets_the_grid_at_patch_centres_and_never_overshoots():
    rng = np.random.default_rng(0)
    heat = rng.random((3, 3))
    smooth = heat_in_crop(heat, SQUARE, height=33, width=33, smoothing="smooth")
    np.testing.assert_allclose(smooth[5::11, 5::11], heat, rtol=1e-5)
    assert smooth.min() >= heat.min() - 1e-6
    assert smooth.max() <= heat.max() + 1e-6
    np.testing.assert_allclose(smooth[5, 5:17], np.linspace(heat[0, 0], heat[0, 1], 12), rtol=1e-5)


def test_frames_fit_without_changing_shape():
    assert fit_frame(np.zeros((240, 426, 3), np.uint8), max_width=213, max_height=999).shape == (
        120,
        213,
        3,
    )
    assert fit_frame(np.zeros((20, 2000, 3), np.uint8), max_width=50, max_height=50).shape == (
        1,
        50,
        3,
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"opacity": 1.5}, "opacity must be between 0 and 1"),
        ({"outside": -0.1}, "outside must be"),
        ({"opacity": float("nan")}, "opacity must be"),
        ({"scale": "video"}, "one of clip, frame"),
        ({"floor": "median"}, "one of zero, lowest"),
        ({"smoothing": "cubic"}, "one of grid, smooth"),
    ],
)
def test_a_style_out_of_range_is_refused(wrong, message):
    with pytest.raises(ParameterError, match=message):
        HeatStyle(**wrong)


# --- words ----------------------------------------------------------------------------------------


def test_words_stay_on_one_line_and_forge_nothing():
    shown = one_line("a\nb\x1b[31m\u202e\udcff\u2028.mp4")
    assert shown == r"a\nb\x1b[31m\u202e\udcff\u2028.mp4"
    assert one_line("видео 動画 ☕ é.mp4") == "видео 動画 ☕ é.mp4"
    assert one_line("a" * 50 + "b" * 50, limit=11) == "aaaaa…bbbbb"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.0, "0.00 s"), (2.4, "2.40 s"), (62.42, "1:02.4"), (119.96, "2:00.0")]
)
def test_time_stamps(seconds, words):
    assert time_stamp(seconds) == words


def test_parameters_read_as_words():
    assert parameters_line({"head_fusion": "mean", "discard_ratio": 0.9, "layer": 3}) == (
        "head fusion mean, discard ratio 0.9, layer 3"
    )


# --- figure, film, numbers ------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".pdf"])
@pytest.mark.filterwarnings("error")
def test_untrusted_words_neither_break_nor_format_the_figure(tmp_path, suffix):
    figure = render_strip(make_evidence(name=HOSTILE))
    path = tmp_path / f"strip{suffix}"
    save_figure(figure, path)
    assert path.read_bytes().startswith({".png": b"\x89PNG", ".pdf": b"%PDF"}[suffix])
    texts = [entry for entry in figure.findobj(Text) if entry.get_text()]
    assert not any(entry.get_parse_math() for entry in texts)
    shown = [entry.get_text() for entry in texts]
    assert any("<img src=x> $x$" in words and "\n" not in words for words in shown)
    assert {"$ru_n$", "70.0%", "0.00 s", "1.50 s"} <= set(shown)
    assert any("discard ratio 0.9" in words and "Rollout $title$" in words for words in shown)
    assert any("25.0% of the relevance" in words for words in shown)
    assert any("Not $effect$." in words for words in shown)


def test_the_figure_bars_are_the_frame_scores():
    evidence = make_evidence(n_frames=10)
    figure = render_strip(evidence)
    heights = [
        patch.get_height()
        for axes in figure.axes
        for patch in axes.patches
        if axes.get_ylim()[0] == 0 and axes.get_xlim()[0] == -0.5
    ]
    np.testing.assert_allclose(heights, evidence.explanation.frames, rtol=1e-6)


def test_the_colour_bar_shows_the_scores_range():
    shown = {entry.get_text() for entry in render_strip(make_evidence()).findobj(Text)}
    assert {"0", "0.025", "0.05", "0.075", "0.1"} <= shown
    signed = {entry.get_text() for entry in render_strip(make_evidence(signed=True)).findobj(Text)}
    assert {"−0.05", "0.05"} <= signed


@pytest.mark.parametrize("kind", ["frames", "patches", "none", "zero"])
def test_figures_and_films_of_partial_evidence(tmp_path, kind):
    whole = make_evidence(n_frames=3, height=40, width=20)
    scores = whole.explanation
    partial = {
        "frames": replace(scores, patches=None),
        "patches": replace(scores, frames=None),
        "none": None,
        "zero": replace(scores, frames=scores.frames * 0, patches=scores.patches * 0),
    }[kind]
    evidence = replace(whole, explanation=partial)
    save_figure(render_strip(evidence), tmp_path / "strip.png")
    assert (tmp_path / "strip.png").stat().st_size > 1000
    assert len(render_film(evidence)) == 3 * HOLD_FRAMES


@pytest.mark.parametrize(("height", "width"), [(16, 32), (33, 17), (2, 2), (20, 2000)])
@pytest.mark.parametrize("signed", [False, True])
def test_a_film_holds_each_frame_on_even_sides(height, width, signed):
    film = render_film(make_evidence(height=height, width=width, signed=signed))
    assert film.dtype == np.uint8
    assert film.shape[0] == 4 * HOLD_FRAMES
    assert film.shape[1] % 2 == 0
    assert film.shape[2] % 2 == 0
    assert pytest.approx(0.4) == HOLD_FRAMES / FILM_FPS
    for index in range(4):
        np.testing.assert_array_equal(film[HOLD_FRAMES * index], film[HOLD_FRAMES * index + 1])
    assert (film[0] != film[HOLD_FRAMES]).any()


def test_numbers_are_all_there_and_survive_json():
    evidence = make_evidence(name=HOSTILE)
    text = json.dumps(numbers(evidence, weights_digest="ab"), allow_nan=False)
    back = json.loads(text)
    assert back["clip"]["name"] == HOSTILE
    assert back["clip"]["frame_indices"] == [0, 1, 2, 3]
    assert back["clip"]["video"]["codec"] == "h264"
    assert back["model"]["weights"]["sha256_used"] == "ab"
    assert back["model"]["config"] == {"patch_size": 4}
    assert back["prediction"]["top"][0]["label"] == "$ru_n$"
    assert back["crop_box"] == {"left": 0.25, "top": 0.0, "width": 0.5, "height": 1.0}
    np.testing.assert_array_equal(
        np.array(back["explanation"]["patches"], np.float32), evidence.explanation.patches
    )
    assert back["explanation"]["target_label"] == "$ru_n$"
    assert back["explanation"]["parameters"] == {"head_fusion": "mean", "discard_ratio": 0.9}
    assert back["explanation"]["unattributed"] == 0.25
    assert "python" in back["versions"]


def test_numbers_that_are_not_finite_become_null():
    assert json_ready({1: (np.float32("nan"), np.int64(3), np.array([np.inf, 1.0]))}) == {
        "1": [None, 3, [None, 1.0]]
    }


def test_scores_must_fit_the_clip():
    whole = make_evidence(n_frames=4)
    with pytest.raises(ValueError, match="4 frames, a clip of 3"):
        replace(whole, clip=make_evidence(n_frames=3).clip)
