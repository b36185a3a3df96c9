"""What is on the disc after anything can happen."""

from __future__ import annotations

import errno
import os

import pytest

from stam_core.evaluate import EvaluationError, journal
from stam_core.evaluate.journal import Journal, read_journals, remove_journals
from stam_core.evaluate.scores import ClipResult

HEADER = {"model": "m", "weights": "abc", "protocol": "uniform", "root": "/clips", "list": "xyz"}
FIRST = ClipResult(0, "a\n\udcff<b>.mp4", 1, 1, 0.1 + 0.2, 1)
SECOND = ClipResult(1, "b.mp4", 1, None, None, None, "broken", True)


def begin(folder, *results):
    with Journal(folder / "journal.jsonl", HEADER) as opened:
        opened.add(results)
    return folder / "journal.jsonl"


def read(folder):
    return read_journals(folder, HEADER, 2)


def test_what_was_added_is_read_back_exactly(tmp_path):
    begin(tmp_path, FIRST)
    begin(tmp_path, SECOND)
    with Journal(tmp_path / "journal.jsonl", HEADER) as opened:
        opened.add_timing(2.5, 2)
    assert read(tmp_path) == ({0: FIRST, 1: SECOND}, 2.5, 2)


@pytest.mark.parametrize("torn", [1, 20])
def test_a_torn_last_line_is_dropped(tmp_path, torn):
    path = begin(tmp_path, FIRST, SECOND)
    path.write_bytes(path.read_bytes()[:-torn])
    assert read(tmp_path)[0] == {0: FIRST}
    begin(tmp_path, SECOND)
    assert read(tmp_path)[0] == {0: FIRST, 1: SECOND}


def test_all_journals_of_a_folder_are_read(tmp_path):
    begin(tmp_path, FIRST)
    with Journal(tmp_path / "journal-1.jsonl", HEADER) as opened:
        opened.add([SECOND])
    assert read(tmp_path)[0] == {0: FIRST, 1: SECOND}


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("model", "another model"),
        ("weights", "other weights"),
        ("protocol", "another protocol"),
        ("list", "other clips"),
        ("root", "another folder"),
    ],
)
def test_another_question_is_refused(tmp_path, key, words):
    begin(tmp_path, FIRST)
    with pytest.raises(EvaluationError, match=f"{words} .*--fresh"):
        Journal(tmp_path / "journal.jsonl", {**HEADER, key: "other"})
    remove_journals(tmp_path)
    assert read(tmp_path)[0] == {}


@pytest.mark.parametrize("line", ["no json", "[]", '{"index": 5}', '{"index": "x"}'])
def test_a_damaged_journal_is_refused(tmp_path, line):
    path = begin(tmp_path, FIRST)
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(EvaluationError, match="damaged"):
        read(tmp_path)


def test_one_evaluation_at_a_time(tmp_path):
    with (
        Journal(tmp_path / "journal.jsonl", HEADER),
        pytest.raises(EvaluationError, match="Another evaluation"),
    ):
        Journal(tmp_path / "journal.jsonl", HEADER)


def test_a_full_disc_keeps_what_was_done(tmp_path, monkeypatch):
    opened = Journal(tmp_path / "journal.jsonl", HEADER)
    opened.add([FIRST])
    written = os.write

    class FullDisc:
        def __getattr__(self, name):
            return getattr(os, name)

        @staticmethod
        def write(file, data):
            if len(data) < 12:
                raise OSError(errno.ENOSPC, "No space left on device")
            return written(file, data[: len(data) // 2])

    monkeypatch.setattr(journal, "os", FullDisc())
    with pytest.raises(EvaluationError, match=r"No space left on device.*is kept"):
        opened.add([SECOND])
    monkeypatch.undo()
    opened.close()
    assert read(tmp_path)[0] == {0: FIRST}
    begin(tmp_path, SECOND)
    assert read(tmp_path)[0] == {0: FIRST, 1: SECOND}


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(EvaluationError, match=r"Cannot write .*No such file"):
        Journal(tmp_path / "absent" / "journal.jsonl", HEADER)
