"""Damaged copies of valid files: each opens or is refused with a sentence, and nothing else.

`make fuzz` runs the same for as long as one likes: python -m tests.fuzz_video --seconds 60
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stam_core.limits import VideoLimits
from stam_core.video.apart import DecoderPool
from tests.fuzz_video import damaged, objections, outcome, seeds


@pytest.fixture(scope="module")
def pool():
    with DecoderPool(VideoLimits(deadline_seconds=30, workers=1)) as pool:
        yield pool


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    return seeds(tmp_path_factory.mktemp("seeds"))


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,  # the same damage in every run; `make fuzz` looks for new ones
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_damaged_files_are_survived(pool, originals, tmp_path, data):
    content = data.draw(damaged(originals))
    assert objections(outcome(pool, tmp_path / "damaged.bin", content)) == []


@settings(max_examples=60, deadline=None, derandomize=True)
@given(content=st.binary(max_size=400))
def test_any_bytes_are_survived(pool, tmp_path_factory, content):
    found = outcome(pool, tmp_path_factory.getbasetemp() / "any.bin", content)
    assert isinstance(found, str)  # bytes drawn blindly are no video
    assert objections(found) == []


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("It cannot be read, and that is all", "not a sentence"),
        ("Two lines are\nnot one sentence.", "not a sentence"),
        ("Too short.", "too short or too long"),
        ('"a.mp4" made the decoder crash: it is damaged.', "it crashed"),
        ('Opening "a.mp4" took longer than 30 s and was given up.', "it hung"),
    ],
)
def test_what_counts_as_not_survived(words, why):
    assert objections(words) == [(why, words)]
