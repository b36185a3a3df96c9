"""Worker processes, and their deaths."""

from __future__ import annotations

import signal

import deadly
import pytest

from stam_core.evaluate.lists import Entry
from stam_core.evaluate.loader import death_of_decoder, decoded_clips


def entries(folder, *names):
    return [Entry(index, folder / name, name, 0) for index, name in enumerate(names)]


def test_a_clip_that_kills_its_decoder_costs_itself(tmp_path):
    listed = entries(tmp_path, "a", "dead", "b", "shy", "c", "d", "e")
    found = {
        entry.shown: clip for entry, clip in decoded_clips(listed, deadly.dies_of_some, workers=1)
    }
    assert set(found) == {entry.shown for entry in listed}
    lost = {name: clip.reason for name, clip in found.items() if clip.pixels is None}
    assert list(lost) == ["dead"]
    assert "SIGSEGV" in lost["dead"]
    assert "tried alone" in lost["dead"]


def test_without_workers_clips_come_in_order(tmp_path):
    listed = entries(tmp_path, "a", "b", "c")
    found = list(decoded_clips(listed, deadly.dies_of_some, workers=0))
    assert [entry.shown for entry, _ in found] == ["a", "b", "c"]


def test_the_handler_of_dead_children_is_left_alone(tmp_path):
    before = signal.getsignal(signal.SIGCHLD)
    assert len(list(decoded_clips(entries(tmp_path, "a"), deadly.dies_of_some, workers=1))) == 1
    assert signal.getsignal(signal.SIGCHLD) == before


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-9, "SIGKILL"),
        (-14, "takes more than 300 s"),
        (3, "exit code 3"),
        (None, "of the clip, also"),
    ],
)
def test_deaths_are_named(code, words):
    assert words in death_of_decoder(code)
