"""Damaged copies of valid files: each opens or is refused with a sentence, and nothing else.

`make fuzz` runs the same for as long as one likes: python -m tests.fuzz_video --seconds 60
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stam_core.limits import VideoLimits
from stam_core.video.apart import DecoderPool
from tests.fuzz_video import damaged, seeds, survives


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
    survives(pool, tmp_path / "damaged.bin", data.draw(damaged(originals)))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(content=st.binary(max_size=400))
def test_any_bytes_are_survived(pool, tmp_path_factory, content):
    survives(pool, tmp_path_factory.getbasetemp() / "any.bin", content)
