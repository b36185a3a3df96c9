"""Which clips are listed, with which class, and what is said about the others."""

from __future__ import annotations

import pytest

from stam_core.evaluate import EvaluationError
from stam_core.evaluate.csv_lists import ABSENT
from stam_core.evaluate.lists import list_clips, match_labels

LABELS = ("walk", "sit down", "drop/catch", "<b>kick</b>", "7")


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def listed(data, **options):
    return [(e.shown, LABELS[e.target]) for e in list_clips(data, LABELS, **options).entries]


def test_a_folder_of_classes(tmp_path):
    touch(tmp_path, "walk/b.mp4", "walk/a.mp4", "sit down/c.mp4", "walk/.DS_Store")
    assert listed(tmp_path) == [
        ("sit down/c.mp4", "sit down"),
        ("walk/a.mp4", "walk"),
        ("walk/b.mp4", "walk"),
    ]


def test_val_goes_before_train(tmp_path):
    touch(tmp_path, "train/walk/a.mp4", "val/walk/b.mp4")
    assert listed(tmp_path) == [("walk/b.mp4", "walk")]


def test_what_is_not_used_is_said(tmp_path):
    touch(tmp_path, "walk/a.mp4", "walk/deeper/b.mp4", "notes.txt")
    (tmp_path / "sit down").mkdir()
    notes = " ".join(list_clips(tmp_path, LABELS).notes)
    assert "1 file lies beside" in notes
    assert "1 folder(s) inside class folders" in notes
    assert "'sit down' is empty" in notes
    assert "one class" in notes


def test_unknown_classes_are_counted(tmp_path):
    touch(tmp_path, "walk/a.mp4", "fly/a.mp4", "fly/b.mp4", "<img src=x>/c.mp4")
    found = list_clips(tmp_path, LABELS)
    assert found.unknown == {"fly": 2, "<img src=x>": 1}
    assert len(found.entries) == 1


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("walk", "walk"),
        ("WALK", "walk"),
        ("Sit_Down", "sit down"),
        ("sitdown", "sit down"),
        ("drop_catch", "drop/catch"),
        ("<B>Kick<_B>", "<b>kick</b>"),
        ("walking", None),
    ],
)
def test_names_match_without_case_spaces_and_underscores(name, label):
    found = match_labels([name], LABELS)[name]
    assert (None if found is None else LABELS[found]) == label


def test_an_exact_name_goes_first_and_doubt_matches_nothing():
    labels = ("a b", "A_B", "ab")
    assert match_labels(["A_B", "a b", "AB"], labels) == {"A_B": 1, "a b": 0, "AB": None}


def test_the_limit_spreads_over_the_list(tmp_path):
    touch(tmp_path, *(f"walk/{n}.mp4" for n in range(8)), *(f"sit down/{n}.mp4" for n in range(8)))
    assert [label for _, label in listed(tmp_path, limit=4)] == ["sit down"] * 2 + ["walk"] * 2
    assert len(listed(tmp_path, limit=99)) == 16


@pytest.mark.parametrize(
    "text",
    [
        "path,label\nwalk/a.mp4,walk\nb c.mp4,sit down\n",
        "label,path\nwalk,walk/a.mp4\nsit down,b c.mp4\n",
        "walk/a.mp4,walk\nb c.mp4,sit down\n",
        "\ufeffpath,label\r\nwalk/a.mp4,walk\r\n\r\nb c.mp4,sit down\r\n",
        '"walk/a.mp4","walk"\n"b c.mp4","sit down"\n',
        "walk/a.mp4 0\nb c.mp4 1\n",
        "walk/a.mp4\t0\nb c.mp4\t1\n",
    ],
    ids=["header", "turned", "bare", "bom-crlf", "quoted", "index", "tabs"],
)
def test_kinds_of_lists(tmp_path, text):
    touch(tmp_path, "walk/a.mp4", "b c.mp4")
    path = tmp_path / "list.csv"
    path.write_bytes(text.encode())
    assert listed(path) == [("walk/a.mp4", "walk"), ("b c.mp4", "sit down")]


def test_a_label_that_is_a_number_is_no_index(tmp_path):
    touch(tmp_path, "a.mp4", "b.mp4")
    path = tmp_path / "list.txt"
    path.write_text("a.mp4 7\nb.mp4 99\n")
    assert listed(path) == [("a.mp4", "7")]
    assert list_clips(path, LABELS).unknown == {"99": 1}


def test_kinetics_own_list(tmp_path):
    touch(tmp_path / "k", "val/walk/-aB_1_000003_000013.mp4", "x/zz.mkv")
    path = tmp_path / "val.csv"
    path.write_text(
        "label,youtube_id,time_start,time_end,split\n"
        '"walk",-aB_1,3,13,val\nsit down,zz,0,10,val\nsit down,gone,5,15,val\n'
    )
    entries = list_clips(path, LABELS, root=tmp_path / "k").entries
    assert [(entry.path.name, entry.reason) for entry in entries] == [
        ("-aB_1_000003_000013.mp4", ""),
        ("zz.mkv", ""),
        ("gone_000005_000015", ABSENT),
    ]


def test_repeats_count_once_and_contradictions_not_at_all(tmp_path):
    touch(tmp_path, "a.mp4", "b.mp4")
    path = tmp_path / "list.csv"
    path.write_text("a.mp4,walk\na.mp4,walk\nb.mp4,walk\nb.mp4,sit down\n")
    found = list_clips(path, LABELS)
    assert [entry.reason for entry in found.entries] == [
        "",
        "The list gives it two labels: walk and sit down.",
    ]
    assert "2 line(s) of the list repeat" in found.notes[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("path,label\n", "no clips"),
        ("path,other\na.mp4,walk\n", "no column 'label'"),
        ("label,other\nwalk,1\n", "no column 'path'"),
        ("youtube_id,time_start,time_end,split\nx,0,10,test\n", "no column label"),
        ("a.mp4,walk\nb.mp4\n", "Line 2 .* has no path or no label"),
        ("a.mp4,walk\n,walk\n", "Line 2"),
        ("gone.mp4,walk\n", "None of the 1 clips .*--root"),
        ("a.mp4,fly\n", "knows none of the 1 classes"),
        ('"a.mp4,walk\n', "not a CSV file"),
    ],
)
def test_lists_that_cannot_be_used(tmp_path, text, words):
    touch(tmp_path, "a.mp4", "b.mp4")
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(EvaluationError, match=words):
        list_clips(path, LABELS)


def test_files_that_are_no_lists(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"\x00\x00\x00\x20ftyp\xff\xfe")
    with pytest.raises(EvaluationError, match="not UTF-8"):
        list_clips(path, LABELS)
    with pytest.raises(EvaluationError, match="There is no folder or list"):
        list_clips(tmp_path / "absent", LABELS)
    with pytest.raises(EvaluationError, match="holds no class folders"):
        list_clips(tmp_path, LABELS)
    (tmp_path / "walk").mkdir()
    with pytest.raises(EvaluationError, match="hold no files"):
        list_clips(tmp_path, LABELS)
    with pytest.raises(EvaluationError, match=r"cannot be read|no folder"):
        list_clips("a\0b", LABELS)


def test_the_digest_tells_lists_apart(tmp_path):
    touch(tmp_path, "walk/a.mp4", "sit down/a.mp4")
    both, one = (list_clips(tmp_path, LABELS, limit=limit).digest for limit in (None, 1))
    assert both != one
    assert both == list_clips(tmp_path, LABELS).digest
