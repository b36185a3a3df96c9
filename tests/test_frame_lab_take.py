"""The frame lab's "Take it away" without a browser: figure, numbers, link, lines."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pytest
from test_app import make_clip, make_explanation
from test_frame_lab import prediction

from app import text
from app.analysis import Analyst
from app.frame_lab.links import as_opened, read_lab, read_slots, write_slots
from app.frame_lab.state import Lab, Shown, Start
from app.frame_lab.take_away import KINDS, edit_words
from app.takeaway.links import read_methods, read_view
from app.visit import Visit
from stam_core.errors import ParameterError, StamError
from stam_core.models import model_info
from stam_core.render.edited import EditedClip, Place, Row
from stam_core.render.edited_figure import render_edited, shown_classes
from stam_core.render.edited_numbers import edited_numbers, sum_check
from stam_core.render.sheet import save_figure
from stam_core.types import Target

HEADS = {"png": b"\x89PNG", "pdf": b"%PDF-1", "json": b"{"}
CLIP = make_clip(np.zeros((4, 24, 32, 3), np.uint8))


def slots_of(*rows: tuple[int, int, bool]) -> tuple[tuple[int, int, bool], ...]:
    return rows


# --- what is drawn and written down ---


def edited(**fields: Any) -> EditedClip:
    values: dict[str, Any] = {
        "clips": (CLIP,),
        "clip_names": ("a $clip$.mp4",),
        "model": model_info("stam-actions"),
        "places": (Place(0), Place(2, kept=False), Place(2), Place(1)),
        "removal": "drop",
        "positions": "keep",
        "edit_words": "3 of 4 frames kept.",
        "original": prediction(0.5, 0.3, 0.2),
        "edited": prediction(0.1, 0.3, 0.6),
        "target": Target(0),
    }
    return EditedClip(**{**values, **fields})


def test_every_place_says_what_was_done_there() -> None:
    second = make_clip(np.zeros((4, 48, 20, 3), np.uint8))
    places = (Place(1), Place(1, kept=False), Place(3, clip=1), Place(3))
    found = edited(clips=(CLIP, second), clip_names=("a", "b"), places=places)
    assert [found.changes(index) for index in range(4)] == [
        ("repeated",), ("removed",), ("second clip",), ()
    ]  # fmt: skip
    assert edited(places=(Place(1), Place(0))).changes(0) == ("moved",)
    assert found.n_kept == 3


@pytest.mark.parametrize("place", [Place(4), Place(-1), Place(0, clip=1)])
def test_a_place_that_cannot_be_is_no_record(place: Place) -> None:
    with pytest.raises(ValueError, match="no"):
        edited(places=(place,))


def test_the_classes_drawn_are_the_likeliest_of_both_answers() -> None:
    before = prediction(*np.full(7, 1 / 7))
    after = prediction(0.01, 0.01, 0.1, 0.2, 0.1, 0.2, 0.38)
    found = edited(original=before, edited=after, target=Target(1, 0))
    assert shown_classes(found, count=1) == [0, 1, 6]


def test_the_figure_is_drawn_with_everything_and_with_nothing(tmp_path: Path) -> None:
    curve = np.linspace(-0.2, 0.9, 5, dtype=np.float32)
    series = {"prefix": curve, "suffix": curve, "depth": curve[:2]}
    orders = {
        "original": curve[:1], "reversed": curve[:1], "shuffles": curve, "frozen": curve[1:],
    }  # fmt: skip
    scores = make_explanation(
        frames=np.array([-1, 2, 0, 1], np.float32), signed=True,
        series={"low": curve[:4] - 1, "high": curve[:4] + 1}, done=0.5,
    )  # fmt: skip
    whole = edited(
        target=Target(0, 2),
        rows=(Row("shapley", "Shapley $x$", scores, "sum"), Row("leave-one-out", "L", None)),
        decision=make_explanation(series=series),
        order=make_explanation(series=orders),
        sentences=("Here they agree.",),
        told={"decision": "At once.", "sufficient": "Frame 1."},
    )
    sizes = []
    for found in (whole, edited(), edited(places=())):
        figure = render_edited(found)
        save_figure(figure, tmp_path / "a.png")
        assert (tmp_path / "a.png").read_bytes().startswith(HEADS["png"])
        sizes.append(figure.get_size_inches()[1])
    assert sizes[0] > sizes[1]
    words = [part.get_text() for part in render_edited(whole).texts]
    assert "a $clip$.mp4" in words
    assert "Shapley $x$ (50%)" in words
    assert "moved" in words
    assert not any(word == "L" for word in words)  # a row that is not computed is not drawn


def test_the_numbers_hold_both_answers_of_all_classes_and_the_sum_check() -> None:
    scores = make_explanation(
        method="shapley", frames=np.array([1, 2, 3, 4], np.float32), signed=True,
        details={"v_all": 7.0, "v_none": -2.5},
    )  # fmt: skip
    found = edited_numbers(
        edited(rows=(Row("shapley", "Shapley", scores), Row("x", "X", None))), weights_digest="d"
    )
    json.dumps(found, allow_nan=False)
    assert found["answer"]["original"]["labels"] == ["a", "b", "c"]
    assert found["answer"]["change"] == pytest.approx([-0.4, 0.0, 0.4], abs=1e-6)
    assert found["answer"]["changed"]
    assert found["edit"]["places"][1] == {
        "place": 1, "clip": 0, "frame": 2, "seconds": float(CLIP.seconds[2]), "kept": False,
        "changes": ["removed", "repeated"],
    }  # fmt: skip
    check = found["effects"][0]["sum_check"]
    assert check == {"sum": 10.0, "all_frames": 7.0, "no_frame": -2.5, "difference": 0.5}
    assert found["effects"][1]["frames"] is None
    assert found["model"]["weights"]["sha256_used"] == "d"
    assert sum_check(make_explanation(frames=np.zeros(4, np.float32))) is None


# --- the link ---


def test_the_edit_travels_in_the_address() -> None:
    slots = slots_of((0, 0, True), (0, 3, False), (1, 6, True), (1, 9, False), *as_opened(12))
    assert write_slots(slots)[:16] == "1.4x.b7.b10x.1.2"
    assert read_slots(write_slots(slots), 16) == slots


@pytest.mark.parametrize(
    "forged",
    ["", "1.2.3", "0.1.2.3", "1.2.3.5", "1.2.3.4.4", "1.2.3.-4", "1.2.3.x4", "c1.2.3.4", "1,2,3,4",
     "1.2.3.٣", "1.2.3.nan", "1.2.3.4 ", "1.2.3.99999999999999999999", "1." * 100_000],
)  # fmt: skip
def test_a_forged_edit_is_refused(forged: str) -> None:
    with pytest.raises(StamError, match="cannot be read or does not fit"):
        read_slots(forged, 4)


@pytest.fixture
def visit(analyst: Analyst) -> Visit:
    return analyst.example(Visit(), next(iter(analyst.examples)))


@pytest.fixture
def lab(analyst: Analyst, visit: Visit) -> Lab:
    second = analyst.example(visit, list(analyst.examples)[1]).source
    return Lab(second=second, removal="mean", places="close")


EDIT = slots_of((0, 5, True), (0, 1, False), (1, 4, True), *as_opened(16)[3:])


def shown(analyst: Analyst, visit: Visit, lab: Lab) -> Shown:
    clips = [visit, replace(visit, source=lab.second)]
    keys = tuple(analyst.opened(one)[1].digest for one in clips)
    return Shown(keys, EDIT, lab.removal, lab.places)


def query_of(analyst: Analyst, visit: Visit, lab: Lab) -> dict[str, str]:
    link = analyst.lab_take.offer(visit, lab, shown(analyst, visit, lab))["link"]
    return dict(parse_qsl(link.removeprefix("?")))


def test_the_link_gives_the_edited_strip_again(analyst: Analyst, visit: Visit, lab: Lab) -> None:
    lab = replace(lab, target=3, foil=5)
    query = query_of(analyst, visit, lab)
    assert query["tab"] == "frame-lab"
    assert query["second"] == list(analyst.examples)[1]
    again, notes = read_view(analyst, query)
    again, more = read_methods(again, query, analyst.engines.info(again.model))
    found, last = read_lab(analyst, again, query)
    assert [*notes, *more, *last] == []
    assert found == Lab(
        second=lab.second, removal="mean", places="close", start=Start(str(visit.source), EDIT)
    )
    view = analyst.lab.open(again, found)
    assert view.lab is not None
    assert (view.lab.target, view.lab.foil, view.lab.start) == (3, 5, None)
    assert view.clip is not None
    assert view.second is not None
    assert view.clip["edit"] == {
        "slots": [list(slot) for slot in EDIT], "removal": "mean", "places": "close",
        "second": view.second["key"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"frames": "1.2.3"}, "does not fit"),
        ({"frames": "<script>"}, "does not fit"),
        ({"second": "../../etc/passwd"}, "no example"),
        ({"removal": "burn"}, "no removal 'burn'"),
        ({"places": "swap" * 100}, "no places setting"),
    ],
)
def test_a_forged_link_shows_the_clip_as_opened_and_says_so(
    analyst: Analyst, visit: Visit, lab: Lab, change: dict[str, str], note: str
) -> None:
    found, notes = read_lab(analyst, visit, query_of(analyst, visit, lab) | change)
    assert found == Lab()
    (told,) = notes
    assert note in told


def test_an_edit_of_a_clip_that_is_not_in_view_is_left(
    analyst: Analyst, visit: Visit, lab: Lab
) -> None:
    query = query_of(analyst, visit, lab)
    other = analyst.example(visit, list(analyst.examples)[2])
    assert read_lab(analyst, other, query) == (Lab(), [])
    assert read_lab(analyst, visit, {"example": "a"}) == (Lab(), [])
    found, _ = read_lab(analyst, visit, query)
    view = analyst.lab.open(other, found)  # another clip was chosen before the tab was opened
    assert view.clip is not None
    assert view.clip["edit"] is None
    assert view.second == {}


# --- files and lines, with the embedded model ---


def test_files_hold_what_was_measured_so_far(analyst: Analyst, visit: Visit, lab: Lab) -> None:
    asked: list[int] = []

    def alive() -> bool:  # until Shapley's first part
        asked.append(1)
        return len(asked) < 8

    views = list(analyst.lab.effects(visit, lab, alive))
    assert views[-1].effects is not None
    told = views[-1].effects
    answer = analyst.lab.answer(visit, lab, {**shown(analyst, visit, lab).data(), "serial": 4})
    assert answer.shown == shown(analyst, visit, lab)
    assert answer.answer is not None
    with analyst.lab_take.file(visit, lab, answer.shown, "json") as path:
        found = json.loads(path.read_text())
        assert path.name.endswith(".frame-lab.json")
    assert not path.exists()
    probabilities = found["answer"]["edited"]["probabilities"]
    assert len(probabilities) == len(analyst.engines.info(visit.model).labels)
    for row in answer.answer["rows"]:
        assert probabilities[row["index"]] == pytest.approx(row["after"])
    for sent, kept in zip(told["rows"], found["effects"], strict=True):
        assert kept["name"] == sent["name"]
        assert kept["done"] == pytest.approx(sent["done"])
        assert kept["frames"] == (sent["values"] and pytest.approx(sent["values"]))
        assert kept["note"] == sent["note"]
    assert found["agreement"]["sentences"] == told["sentences"]
    assert found["second_clip"]["digest"] == answer.shown.keys[1]
    assert found["edit"]["removal"] == "mean"
    assert found["decision_curve"]["series"]["prefix"]
    assert len(found["order_reliance"]["series"]["shuffles"]) == 64
    for kind in ("png", "pdf"):
        with analyst.lab_take.file(visit, lab, answer.shown, kind) as path:
            assert path.read_bytes().startswith(HEADS[kind])


@pytest.mark.parametrize("kind", ["exe", "mp4", None, ["png"], "../png", ""])
def test_forged_kinds_are_refused(analyst: Analyst, visit: Visit, kind: object) -> None:
    assert KINDS == ("png", "pdf", "json")
    with (
        pytest.raises(ParameterError, match="no such file"),
        analyst.lab_take.file(visit, Lab(), Shown(), kind),
    ):
        pass


def test_an_edit_of_another_clip_is_not_taken(analyst: Analyst, visit: Visit, lab: Lab) -> None:
    stale = replace(shown(analyst, visit, lab), keys=("another clip",))
    with (
        pytest.raises(ParameterError, match="another clip"),
        analyst.lab_take.file(visit, lab, stale, "json"),
    ):
        pass


def test_the_python_lines_run_and_give_the_same_answer(
    analyst: Analyst, visit: Visit, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[1])
    slow = ("shapley", "sufficient-frames", "leave-one-out", "decision-curve", "order-reliance")
    offer = analyst.lab_take.offer(visit, lab, shown(analyst, visit, lab))
    lines = [line for line in offer["python"].splitlines() if not line[5:].startswith(slow)]
    assert len(lines) == len(offer["python"].splitlines()) - len(slow)
    held: dict[str, Any] = {}
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile("\n".join(lines), "lines", "exec"), held)
    _, expected = analyst.lab_take.edited(visit, lab, shown(analyst, visit, lab))
    np.testing.assert_allclose(
        held["edited"].probabilities, expected.edited.probabilities, atol=1e-5
    )
    assert "temporal-attention" in said.getvalue()
    assert offer["command"].startswith("python -m stam_core explain --method shapley")
    assert "--removal=mean" in offer["command"]


def test_own_clips_have_lines_but_no_link(
    analyst: Analyst, visit: Visit, lab: Lab, tmp_path: Path
) -> None:
    film = tmp_path / "it's mine.mp4"
    film.write_bytes(analyst.sources.get(visit.source).path.read_bytes())
    own = analyst.upload(visit, str(film), film.name)
    edit = shown(analyst, visit, lab)
    for offer in (
        analyst.lab_take.offer(own, lab, edit),
        analyst.lab_take.offer(visit, replace(lab, second=own.source), edit),
    ):
        assert offer["link"] is None
        assert '"it\'s mine.mp4"' in offer["python"]
        assert str(tmp_path) not in json.dumps(offer)
    back = replace(edit, slots=as_opened(16))  # of the second clip no frame is used any more
    assert analyst.lab_take.offer(visit, replace(lab, second=own.source), back)["link"] is not None


def test_the_edit_is_told_in_words() -> None:
    keys = ("a",)
    assert edit_words(Shown(keys, as_opened(4))) == text.LAB_AS_OPENED
    moved = slots_of((0, 1, True), (0, 0, True), (0, 2, False), (0, 0, True))
    assert edit_words(Shown(keys, moved, places="close")) == (
        "3 of 4 frames kept; order changed; frames repeated. A removed frame leaves nothing; the "
        "others close the gap."
    )
    spliced = slots_of((0, 0, True), (1, 0, True))
    assert edit_words(Shown(keys, spliced, "hold")) == (
        "2 of 2 frames kept; frames of the second clip: 1."
    )
