"""What an offline report of one explained clip says; `report_page` turns it into HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from stam_core.render.numbers import numbers
from stam_core.render.repeat import Question, bare_name, command_line, python_lines
from stam_core.render.report_page import (
    code,
    curve,
    facts,
    html_page,
    paragraph,
    save_button,
    section,
    shares,
    strip_place,
    strip_words,
    text,
)
from stam_core.render.strip_data import clip_payload, method_title, scores_payload
from stam_core.render.words import parameters_line

if TYPE_CHECKING:
    from pathlib import Path

    from stam_core.render.evidence import Evidence
    from stam_core.types import Explanation

TOP_ACTIONS = 5
LEAST_POINTS = 3  # of a curve; fewer stand in the numbers only
NOTE = (
    "A model gives one of its labels to every clip, also to clips that show none of its actions. "
    "Attention is not effect: what was read need not have changed the answer."
)
SAVE = "Save every number (JSON)"


def render_report(
    evidence: Evidence,
    *,
    question: Question | None = None,
    weights_digest: str | None = None,
) -> str:
    """One HTML file with the frames, their scores, the answer and how to get them again.

    Args:
        evidence: the clip, the prediction and (optional) the scores.
        question: what was asked, for the lines that repeat it; None: without them.
        weights_digest: SHA-256 of the weights that were used, where known.

    Returns:
        HTML that asks for nothing outside itself.
    """
    # The folders of whoever sends the report are nobody's business.
    weights = evidence.model.weights
    model = replace(evidence.model, weights=replace(weights, source=_public(weights.source)))
    evidence = replace(evidence, clip_name=bare_name(evidence.clip_name), model=model)
    label, share = evidence.prediction.top(1)[0]
    top = (
        f"<header><h1>{text(label)}: {share:.1%}</h1>"
        f'<p class="sub">{text(evidence.clip_name)} · {text(evidence.model.title)}</p></header>'
    )
    sections = [top, section("Frames", strip_place())]
    answer = section("Predicted action", shares(evidence.prediction.top(TOP_ACTIONS)))
    sections.append(f'<div class="pair">{answer}{_about(evidence)}</div>')
    sections += _more_figures(evidence)
    if question is not None:
        sections.append(_repeat(question))
    sections.append(
        section("The numbers", paragraph(NOTE), _small_print(evidence), save_button(SAVE))
    )
    return html_page(
        f"{label}: {evidence.clip_name}",
        sections,
        data=_strip_data(evidence),
        numbers=numbers(evidence, weights_digest=weights_digest),
    )


def _public(source: str) -> str:
    return source if source.startswith("https://") else bare_name(source)


def write_report(path: Path, report: str) -> Path:
    """Write the report of `render_report`."""
    path.write_text(report, encoding="utf-8", newline="\n")
    return path


def _strip_data(evidence: Evidence) -> dict[str, Any]:
    heat, bars = evidence.explanation, evidence.frame_scores
    titles = _titles(evidence)
    return {
        "clip": clip_payload(evidence.clip, evidence.crop_box, evidence.clip_name),
        "scores": scores_payload(
            evidence.clip,
            heat if heat is not None and heat.patches is not None else None,
            bars,
            titles,
            evidence.prediction.labels,
        ),
        "words": strip_words(),
        "file": "numbers.json",
    }


def _titles(evidence: Evidence) -> dict[str, str]:
    titles = {}
    if evidence.bars is not None:
        titles[evidence.bars.method] = evidence.bars_title or evidence.bars.method
    if evidence.explanation is not None:
        method = evidence.explanation.method
        titles[method] = evidence.method_title or method
    return titles


def _about(evidence: Evidence) -> str:
    """Which methods spoke, about which class, with which settings, at which cost."""
    scores = evidence.explanation
    if scores is None:
        return section("The model", paragraph(evidence.model.summary))
    titles, labels = _titles(evidence), evidence.prediction.labels
    rows = [
        *_method_rows(
            "Heat map" if scores.patches is not None else "Method", scores, titles, labels
        )
    ]
    if evidence.bars is not None and evidence.bars is not scores:
        rows += _method_rows("Bars", evidence.bars, titles, labels)
    parts = [facts(rows)]
    if evidence.caveat:
        parts.insert(0, paragraph(evidence.caveat))
    return section("How the scores were made", *parts)


def _method_rows(
    place: str, scores: Explanation, titles: Mapping[str, str], labels: tuple[str, ...]
) -> list[tuple[str, str]]:
    rows = [(place, method_title(scores, titles, labels))]
    if settings := parameters_line(scores.parameters):
        rows.append(("Settings", settings))
    rows.append(("Cost", f"{scores.passes:.3g} × one pass of the model, {scores.seconds:.2f} s"))
    if scores.unattributed is not None:
        rows.append(("Unattributed", f"{scores.unattributed:.1%} stays on CLS tokens"))
    if scores.done < 1:
        rows.append(("Unfinished", f"{scores.done:.0%} of the work lies behind these scores"))
    rows += [(name.replace("_", " "), f"{value:.5g}") for name, value in scores.details.items()]
    return rows


def _more_figures(evidence: Evidence) -> list[str]:
    """Curves and distributions that are no score of a frame each."""
    drawn = [
        curve(name.replace("_", " "), [float(value) for value in values])
        for scores in (evidence.explanation, evidence.bars)
        if scores is not None
        for name, values in scores.series.items()
        if len(values) >= LEAST_POINTS and np.isfinite(values).all()
    ]
    return [section("Curves", *drawn)] if drawn else []


def _repeat(question: Question) -> str:
    return section(
        "The same again",
        code(python_lines(question), "Python"),
        code(command_line(question), "Command line"),
    )


def _small_print(evidence: Evidence) -> str:
    weights = evidence.model.weights
    return facts(
        [
            ("Model", f"{evidence.model.name}, arXiv:{evidence.model.paper}"),
            ("Weights", f"{weights.source} ({weights.licence})"),
            ("Clip", f"SHA-256 over file and choice of frames: {evidence.clip.digest[:16]}…"),
        ]
    )
