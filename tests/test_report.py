"""The offline report, the GIF, and the lines that repeat a question."""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import shlex
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_cli import clip, fail, run_quietly, tiny  # noqa: F401 - two of them are fixtures
from test_render import HOSTILE, make_evidence

from app import text
from stam_core.cli.parser import _add_explain
from stam_core.render.evidence import Evidence
from stam_core.render.film import FILM_FPS, GIF_SIDE, HOLD_FRAMES, render_film, write_gif
from stam_core.render.numbers import numbers
from stam_core.render.repeat import EXPLAIN_FLAGS, Question, command_line, python_lines
from stam_core.render.report import render_report
from stam_core.render.report_page import STRIP_SCRIPTS, page_script, page_style, strip_words
from stam_core.types import Prediction

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


class Seen(HTMLParser):
    """Tags, their attributes, and what stands inside them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {}

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.inside.setdefault(tag, []).append("")

    def handle_data(self, data):
        if self.tags and self.inside.get(self.tags[-1][0]):
            self.inside[self.tags[-1][0]][-1] += data


def read(report: str) -> Seen:
    seen = Seen()
    seen.feed(report)
    return seen


def with_labels(evidence: Evidence, labels: tuple[str, ...]) -> Evidence:
    said = evidence.prediction
    return replace(evidence, prediction=Prediction(said.logits, said.probabilities, labels))


def test_the_report_asks_for_nothing_outside_itself():
    seen = read(render_report(make_evidence(), question=Question("a.mp4")))
    for tag, attributes in seen.tags:
        assert tag not in {"link", "iframe", "object", "embed", "base", "form", "img"}
        assert not {"src", "href", "srcset", "style"} & set(attributes), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes)
    assert "@import" not in page_style()
    assert "url(" not in page_style()
    for word in ("fetch(", "XMLHttpRequest", "WebSocket", "innerHTML", "eval("):
        assert word not in page_script()


def test_the_policy_allows_the_one_script_and_style_and_nothing_else():
    report = render_report(make_evidence())
    seen = read(report)
    policy = next(
        attributes["content"]
        for tag, attributes in seen.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    for rule, tag in (("script-src", "script"), ("style-src", "style")):
        content = re.findall(rf"<{tag}>(.*?)</{tag}>", report, re.DOTALL)
        assert len(content) == 1
        digest = base64.b64encode(hashlib.sha256(content[0].encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"


def test_untrusted_words_stay_words():
    evidence = make_evidence(name=f"/private/folder/{HOSTILE}")
    report = render_report(
        with_labels(replace(evidence, method_title=EVIL, caveat=EVIL), (EVIL, EVIL + "2", "sit")),
        question=Question(EVIL, target=EVIL, parameters={"x": EVIL}),
    )
    seen = read(report)
    assert "img" not in seen.inside
    assert len(seen.inside["script"]) == 3
    assert "alert(1)</script>" not in report
    assert "/private" not in report
    assert "\x1b" not in report


def test_lone_surrogates_of_odd_file_names_can_be_written():
    report = render_report(make_evidence(name="a\udcff.mp4"), question=Question("a\udcff.mp4"))
    assert report.encode("utf-8")


def test_the_report_holds_every_number():
    evidence = make_evidence(name="clip.mp4")
    seen = read(render_report(evidence, weights_digest="ab"))
    blocks = [
        json.loads(inside)
        for (tag, attributes), inside in zip(
            [entry for entry in seen.tags if entry[0] == "script"],
            seen.inside["script"],
            strict=True,
        )
        if attributes.get("type") == "application/json"
    ]
    data, held = blocks
    assert held == numbers(evidence, weights_digest="ab")
    assert data["clip"]["key"] == data["scores"]["key"] == evidence.clip.digest
    assert data["scores"]["heat"]["grid"] == [4, 4]
    assert len(data["scores"]["bars"]["values"]) == 4
    assert data["clip"]["sprite"].startswith("data:image/jpeg;base64,")


def test_bars_of_another_method_are_drawn_and_told():
    evidence = make_evidence()
    assert evidence.explanation is not None
    heat = replace(evidence.explanation, frames=None)
    bars = replace(
        evidence.explanation,
        method="other",
        patches=None,
        frames=np.array([0.1, 0.2, 0.3, 0.4], np.float32),
    )
    both = replace(evidence, explanation=heat, bars=bars, bars_title="The other")
    assert both.frame_scores is bars
    report = render_report(both)
    assert "The other" in report
    assert numbers(both)["bars"]["method"] == "other"
    assert {"target_label", "foil_label"} <= numbers(both)["bars"].keys()
    assert (render_film(both) != render_film(replace(both, bars=None))).any()


def test_curves_are_drawn_with_their_limits():
    evidence = make_evidence()
    assert evidence.explanation is not None
    scores = replace(
        evidence.explanation,
        series={"prefix": np.array([0.0, 1.0, 0.5], np.float32), "two": np.zeros(2, np.float32)},
        details={"sum_error": 1e-7},
    )
    report = render_report(replace(evidence, explanation=scores))
    assert 'points="0.0,60.0 150.0,0.0 300.0,30.0"' in report
    assert "prefix: 3 values from 0 to 1" in report
    assert "two: " not in report
    assert "sum error" in report


def test_the_report_speaks_as_the_page_does():
    own, page = strip_words(), text.STRIP_WORDS
    assert {name for name in page if page[name] != own[name]} == {"waiting"}
    assert own.keys() == page.keys()
    assert STRIP_SCRIPTS[0] == "begin.js"


# --- GIF ------------------------------------------------------------------------------------------


def test_a_gif_holds_each_frame_once_for_as_long_as_the_film(tmp_path):
    film = render_film(make_evidence(n_frames=4))
    path = write_gif(tmp_path / "a.gif", film, FILM_FPS)
    with Image.open(path) as gif:
        assert gif.n_frames == 4
        assert max(gif.size) <= GIF_SIDE
        total = 0
        for index in range(gif.n_frames):
            gif.seek(index)
            total += gif.info["duration"]
    assert total == 4 * HOLD_FRAMES * 1000 / FILM_FPS
    assert [file.name for file in tmp_path.iterdir()] == ["a.gif"]


def test_a_gif_shows_the_films_colours(tmp_path):
    film = render_film(make_evidence(n_frames=4))
    path = write_gif(tmp_path / "a.gif", film, FILM_FPS)
    with Image.open(path) as gif:
        gif.seek(3)
        shown = np.asarray(gif.convert("RGB"), np.float64)
    wanted = Image.fromarray(film[-1])
    wanted.thumbnail((GIF_SIDE, GIF_SIDE), Image.Resampling.LANCZOS)
    assert np.abs(shown - np.asarray(wanted, np.float64)).mean() < 2.5


# --- the same again -------------------------------------------------------------------------------


def test_python_lines_are_python_and_hold_every_choice():
    question = Question(
        'it\'s "a" clip\n.mp4',
        sampling="uniform",
        span_seconds=(0.5, 2.0),
        method="rollout",
        target="sit 'down'",
        foil="walk",
        parameters={"residual": 0.25},
    )
    lines = python_lines(question)
    compile(lines, "lines", "exec")
    assert "span_seconds=(0.5, 2.0)" in lines
    assert "method='rollout', target=\"sit 'down'\", foil='walk', residual=0.25" in lines
    assert len(lines.splitlines()) == 7


@pytest.mark.parametrize("name", ["-rf.mp4", "$(touch x).mp4", "a b'c\".mp4", "; ls #.mp4"])
def test_the_command_line_keeps_words_together(name):
    line = command_line(Question(name, target="--out=/etc", parameters={"start_layer": 2}))
    words = shlex.split(line)
    assert words[-2:] == ["--", name]
    assert "--target=--out=/etc" in words
    assert "--start-layer=2" in words


def test_a_parameter_with_the_name_of_a_flag_gets_one_of_its_own():
    line = command_line(Question("a.mp4", parameters={"scale": "logit"}))
    assert "--method-scale=logit" in line
    parser = argparse.ArgumentParser()
    _add_explain(parser)
    known = {word.removeprefix("--") for word in parser._option_string_actions if "--" in word}
    assert known <= EXPLAIN_FLAGS


# --- from the command line ------------------------------------------------------------------------


def test_explain_leaves_a_gif_and_a_report_where_asked(capfd, clip, tiny, tmp_path):  # noqa: F811
    out = tmp_path / "out"
    code, said = run_quietly(
        capfd, "explain", clip, "--model", tiny, "--gif", "--report", "--out", str(out)
    )
    assert code == 0
    names = sorted(path.name for path in out.iterdir())
    assert names == [f"clip.rollout.{ending}" for ending in ("gif", "html", "json", "mp4", "png")]
    report = (out / "clip.rollout.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;kick&lt;/b&gt;" in report
    assert "<b>kick" not in report
    for private in (str(tmp_path), str(Path(tiny).parent)):
        assert private not in report
    assert said.count("wrote") == 5


def test_a_contrast_is_explained_and_told(capfd, clip, tiny, tmp_path):  # noqa: F811
    arguments = ("explain", clip, "--model", tiny, "--method", "leave-one-out", "--json")
    code, out = run_quietly(capfd, *arguments, "--target", "walk", "--foil", "jump")
    assert code == 0
    scores = json.loads(out)["explanation"]
    assert (scores["target_label"], scores["foil_label"]) == ("walk", "jump")
    _, out = run_quietly(capfd, *arguments, "--target", "jump", "--foil", "walk")
    turned = json.loads(out)["explanation"]
    np.testing.assert_allclose(turned["frames"], -np.array(scores["frames"]), atol=1e-5)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--gif",), "--gif writes a file: name a folder for it with --out"),
        (("--report",), "--report writes a file"),
        (("--foil", "walk"), "rollout knows no class"),
        (("--method", "leave-one-out", "--foil", "nothing"), "no label 'nothing'"),
        (("--method", "leave-one-out", "--target", "walk", "--foil", "walk"), "against itself"),
    ],
)
def test_flags_that_would_do_nothing_are_refused(capfd, clip, tiny, flags, message):  # noqa: F811
    assert message in fail(capfd, "explain", clip, "--model", tiny, *flags)
