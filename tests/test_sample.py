"""The sampling rules, by hand-computed cases, by properties, and against the official loader."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stam_core.errors import SamplingError, UnknownNameError
from stam_core.video.sample import (
    SAMPLING_POLICIES,
    official_indices,
    official_indices_clamped,
    sample_frames,
    span_indices,
    span_range,
    uniform_indices,
)


def times(n, fps=25.0):
    return [i / fps for i in range(n)]


@pytest.mark.parametrize(
    ("n_frames", "num_frames", "expected"),
    [
        (8, 4, [1, 3, 5, 7]),
        (9, 3, [1, 4, 7]),
        (4, 4, [0, 1, 2, 3]),
        (2, 4, [0, 0, 1, 1]),
        (1, 3, [0, 0, 0]),
        (5, 2, [1, 3]),
        (100, 1, [50]),
    ],
)
def test_uniform_takes_the_centres_of_equal_parts(n_frames, num_frames, expected):
    assert uniform_indices(n_frames, num_frames) == expected


def test_uniform_stays_within_start_and_stop():
    assert uniform_indices(100, 4, start=20, stop=28) == [21, 23, 25, 27]


@given(st.integers(1, 10**6), st.integers(1, 128))
def test_uniform_is_ordered_in_range_and_symmetric(n_frames, num_frames):
    indices = uniform_indices(n_frames, num_frames)
    assert len(indices) == num_frames
    assert indices == sorted(indices)
    assert indices[0] >= 0
    assert indices[-1] < n_frames
    # floor(x) + floor(n - x) is n - 1, or n where x is a whole number
    sums = {a + b for a, b in zip(indices, reversed(indices), strict=True)}
    assert sums <= {n_frames - 1, n_frames}


@given(st.integers(1, 64), st.integers(1, 64))
def test_uniform_repeats_only_when_frames_are_too_few(n_frames, num_frames):
    indices = uniform_indices(n_frames, num_frames)
    assert len(set(indices)) == min(n_frames, num_frames)


@pytest.mark.parametrize(("start", "stop"), [(5, 5), (6, 5), (-1, 5), (0, 11)])
def test_uniform_refuses_a_range_outside_the_clip(start, stop):
    with pytest.raises(SamplingError, match="10 frames"):
        uniform_indices(10, 4, start, stop)


@pytest.mark.parametrize("num_frames", [0, -3])
def test_no_frames_asked_for_is_an_error(num_frames):
    with pytest.raises(SamplingError, match="At least 1 frame"):
        uniform_indices(10, num_frames)
    with pytest.raises(SamplingError, match="At least 1 frame"):
        official_indices(10, 25.0, num_frames, 1.6)


def test_a_clip_without_frames_is_an_error():
    with pytest.raises(SamplingError, match="no frames"):
        uniform_indices(0, 4)
    with pytest.raises(SamplingError, match="no frames"):
        span_range([], (0.0, 1.0))


def test_official_reproduces_every_golden_case(shared):
    golden = json.loads((shared / "parity" / "sampling_a.json").read_text())
    cases = golden["stam"]["cases"]
    assert len(cases) >= 11
    for case in cases:
        indices = official_indices(
            case["n_frames"], case["fps"], case["clip_len"], case["frame_rate"]
        )
        assert indices == case["indices"], case


def test_official_by_hand():
    # 30 / 1.6 = 18.75 frames a step: 0, 18.75, 37.5, 56.25
    assert official_indices(300, 30.0, 16, 1.6)[:4] == [0, 18, 37, 56]
    # one frame short of 10 s: floor(299 * 1.6 / 30) = 15 < 16, so the loader drops it
    assert official_indices(299, 30.0, 16, 1.6) is None
    # 24 / 1.6 = 15 is a whole step, for which the loader slices: 226 frames already give 16
    assert official_indices(226, 24.0, 16, 1.6) == list(range(0, 226, 15))
    assert official_indices(225, 24.0, 16, 1.6) is None


@given(
    st.integers(1, 5000),
    st.floats(1, 240),
    st.sampled_from([(8, 0.8), (16, 1.6), (32, 3.2), (64, 6.4)]),
)
def test_official_is_valid_or_dropped_and_clamped_agrees(n_frames, fps, model):
    num_frames, rate = model
    indices = official_indices(n_frames, fps, num_frames, rate)
    clamped = official_indices_clamped(n_frames, fps, num_frames, rate)
    assert len(clamped) == num_frames
    assert clamped == sorted(clamped)
    assert clamped[0] == 0
    assert clamped[-1] < n_frames
    if indices is not None:
        assert indices == clamped
    else:
        assert n_frames / fps < num_frames / rate * 1.001


@pytest.mark.parametrize(("fps", "rate"), [(0.0, 1.6), (25.0, 0.0), (math.nan, 1.6), (-1.0, 1.6)])
def test_official_refuses_impossible_rates(fps, rate):
    with pytest.raises(SamplingError, match="Frame rates must be above 0"):
        official_indices(100, fps, 16, rate)


def test_span_takes_the_frames_on_screen():
    # frames at 0.00 0.04 0.08 0.12 ... ; 0.05 s falls into frame 1, 0.12 s is where frame 3 begins
    assert span_range(times(10), (0.05, 0.12)) == (1, 3)
    assert span_range(times(10), (0.05, 0.06)) == (1, 2)
    assert span_range(times(10), (0.0, 99.0)) == (0, 10)
    assert span_indices(times(100), 4, (1.0, 2.0)) == [28, 34, 40, 46]


def test_span_follows_the_frames_own_times():
    uneven = [0.0, 0.1, 0.2, 5.0, 5.1]
    assert span_range(uneven, (1.0, 5.05)) == (2, 4)


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ((1.0, 1.0), "is empty"),
        ((2.0, 1.0), "is empty"),
        ((math.nan, 1.0), "is empty"),
        ((0.0, math.inf), "is empty"),
        ((-1.0, 1.0), "outside the clip"),
        ((4.0, 5.0), "between 0 s and 3.96 s"),
    ],
)
def test_impossible_spans_are_errors(span, message):
    with pytest.raises(SamplingError, match=message):
        span_indices(times(100), 4, span)


@given(st.integers(1, 500), st.integers(1, 64), st.floats(0, 1), st.floats(0.001, 30))
def test_any_span_that_starts_in_the_clip_gives_frames_of_it(n_frames, num_frames, share, length):
    seconds = times(n_frames)
    start = share * seconds[-1]
    first, stop = span_range(seconds, (start, start + length))
    indices = span_indices(seconds, num_frames, (start, start + length))
    assert 0 <= first < stop <= n_frames
    assert seconds[first] <= start
    assert all(first <= i < stop for i in indices)


def test_few_frames_are_reported():
    choice = sample_frames(times(5), num_frames=16, fps=25.0)
    assert choice.notes == ("The clip has 5 frames; the model needs 16, so frames repeat.",)
    assert set(choice.indices) == {0, 1, 2, 3, 4}
    assert sample_frames(times(16), num_frames=16, fps=25.0).notes == ()


def test_frames_that_lie_far_apart_are_reported():
    long = times(25 * 60 * 60, 25.0)
    assert "about 4 min apart" in sample_frames(long, num_frames=16, fps=25.0).notes[-1]
    minute = sample_frames(long, num_frames=16, fps=25.0, span_seconds=(60.0, 120.0))
    assert "about 4 s apart" in minute.notes[-1]
    close = sample_frames(long, num_frames=16, fps=25.0, span_seconds=(60.0, 70.0))
    assert not any("apart" in note for note in close.notes)
    assert not any(
        "apart" in note for note in sample_frames(times(1), num_frames=16, fps=25.0).notes
    )


def test_a_clip_the_official_loader_drops_is_clamped_and_reported():
    choice = sample_frames(
        times(90, 30.0), num_frames=16, fps=30.0, policy="official", official_fps=1.6
    )
    assert choice.indices == (0, 18, 37, 56, 75, *[89] * 11)
    assert len(choice.notes) == 1
    assert "official loader would have dropped this clip" in choice.notes[0]
    assert "3.00 s (90 frames)" in choice.notes[0]


def test_official_says_when_it_ignores_the_rest():
    choice = sample_frames(
        times(900, 30.0), num_frames=16, fps=30.0, policy="official", official_fps=1.6
    )
    assert choice.indices[-1] == 281
    assert "Only the first 10 s are seen" in choice.notes[0]


def test_official_without_a_rate_is_an_error():
    with pytest.raises(SamplingError, match="states none"):
        sample_frames(times(90), num_frames=16, fps=30.0, policy="official")


def test_a_span_is_reported_and_shifts_any_policy():
    choice = sample_frames(times(100), num_frames=4, fps=25.0, span_seconds=(1.0, 2.0))
    assert choice.indices == (28, 34, 40, 46)
    assert choice.notes == ("Only the part from 1.00 s to 2.00 s of the clip is used (25 frames).",)
    official = sample_frames(
        times(400),
        num_frames=16,
        fps=25.0,
        policy="official",
        span_seconds=(2.0, 99.0),
        official_fps=1.6,
    )
    assert official.indices[:3] == (50, 65, 81)


def test_few_frames_in_a_span_are_reported():
    choice = sample_frames(times(100), num_frames=16, fps=25.0, span_seconds=(1.0, 1.2))
    assert choice.notes[1] == (
        "The chosen span has 5 frames; the model needs 16, so frames repeat."
    )


def test_an_unknown_policy_lists_the_known():
    with pytest.raises(UnknownNameError, match="Known: uniform, official"):
        sample_frames(times(10), num_frames=4, fps=25.0, policy="random")


def test_every_policy_explains_itself():
    assert list(SAMPLING_POLICIES) == ["uniform", "official"]
    for policy in SAMPLING_POLICIES.values():
        assert policy.title
        assert policy.help.endswith(".")
