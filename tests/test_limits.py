"""Limits on videos: read from the environment, checked, and documented where people look."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from stam_core.errors import ParameterError
from stam_core.limits import VideoLimits, describe_limits, variable

ROOT = Path(__file__).resolve().parent.parent


def test_the_environment_sets_them():
    limits = VideoLimits.from_environment(
        {"STAM_MAX_SECONDS": "90.5", "STAM_WORKERS": " 3 ", "STAM_MAX_SIDE": "", "OTHER": "x"}
    )
    assert limits == VideoLimits(max_seconds=90.5, workers=3)
    assert VideoLimits.from_environment({}) == VideoLimits()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("STAM_WORKERS", "2.5", "STAM_WORKERS must be a whole number, for instance 2"),
        ("STAM_WORKERS", "0", "STAM_WORKERS must lie between 1 and 64 processes; got 0"),
        ("STAM_MAX_SECONDS", "long", "STAM_MAX_SECONDS must be a number, for instance 14400"),
        ("STAM_MAX_SECONDS", "nan", "must be a number"),
        ("STAM_DEADLINE_SECONDS", "-1", "must lie between"),
        ("STAM_WORKER_MIB", "64", "must lie between 512"),
    ],
)
def test_nonsense_is_said(name, text, message):
    with pytest.raises(ParameterError, match=message):
        VideoLimits.from_environment({name: text})


def test_each_is_documented():
    page = (ROOT / "docs" / "SECURITY.md").read_text()
    for limit in fields(VideoLimits):
        row = (
            f"| `{variable(limit.name)}` | {limit.default:.9g} {limit.metadata['unit']} "
            f"| {limit.metadata['help']}"
        )
        assert row in page, row
        assert variable(limit.name) in describe_limits()


def test_the_command_line_shows_them(capsys):
    from stam_core.__main__ import main

    assert main(["predict", "--help"]) == 0
    assert "STAM_DEADLINE_SECONDS" in capsys.readouterr().out


def test_a_wrong_one_is_one_line_on_the_command_line(monkeypatch, capsys):
    from stam_core import limits
    from stam_core.__main__ import main
    from stam_core.video.apart import pool

    limits.default_limits.cache_clear()
    monkeypatch.setattr(pool, "_default", [])  # as in a program that has just begun
    monkeypatch.setenv("STAM_WORKERS", "many")
    assert main(["predict", "absent.mp4"]) == 2
    assert "STAM_WORKERS must be a whole number" in capsys.readouterr().err
    limits.default_limits.cache_clear()
