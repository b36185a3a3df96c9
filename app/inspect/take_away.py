"""Answers "let me have that": files of the view, its link, and the lines that give it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from app import text
from app.explained import asks, with_methods
from app.takeaway.files import checked_kind, handed_out, kinds_of, question_of, write_json
from app.takeaway.links import read_methods, read_view, write_link
from stam_core.errors import StamError
from stam_core.gather import gather_evidence
from stam_core.models import MODELS
from stam_core.render.figures import render_strip, save_figure
from stam_core.render.film import FILM_FPS, render_film, write_gif
from stam_core.render.numbers import json_ready, numbers
from stam_core.render.repeat import command_line, python_lines
from stam_core.render.report import render_report, write_report
from stam_core.video.encode import write_mp4

if TYPE_CHECKING:
    from pathlib import Path

    from app.analysis import Analyst
    from app.visit import Visit
    from stam_core import Engine
    from stam_core.render.evidence import Evidence
    from stam_core.render.repeat import Question

KINDS = kinds_of(text.TAKE_WORDS)


class TakeDesk:
    """Files, links and lines of all visitors; holds nothing of theirs."""

    def __init__(self, analyst: Analyst) -> None:
        """`analyst` has the models and the clips."""
        self._analyst = analyst

    def offer(self, visit: Visit) -> dict[str, Any]:
        """The link and the lines of a view, for the page."""
        info = self._analyst.engines.info(visit.model)
        example = self._analyst.example_name(visit)
        question = self._question(visit)
        return {
            "link": None if example is None or visit.model not in MODELS
            else write_link(visit, example, info),
            "python": python_lines(question),
            "command": command_line(question),
        }  # fmt: skip

    def read(self, query: Mapping[str, str]) -> tuple[Visit, list[str]]:
        """The view that an address asks for, and a reason for each part that is not here."""
        visit, notes = read_view(self._analyst, query)
        visit, more = read_methods(visit, query, self._analyst.engines.info(visit.model))
        return visit, notes + more

    @contextmanager
    def file(self, visit: Visit, kind: object) -> Iterator[Path]:
        """The view as a file of that kind, gone when the block ends.

        Raises:
            ParameterError: there is no such kind.
            StamError: the clip or the model cannot be had.
        """
        suffix = checked_kind(kind, KINDS)
        visit = with_methods(visit, self._analyst.engines.info(visit.model))
        engine, evidence = self.evidence(visit)

        def write(path: Path) -> None:
            write_file(path, evidence, self._question(visit), engine)

        with handed_out(evidence.clip_name, visit.heat, suffix, write) as path:
            yield path

    def evidence(self, visit: Visit) -> tuple[Engine, Evidence]:
        """The model and everything that the page shows of the clip.

        Raises:
            StamError: the clip or the model cannot be had.
        """
        engine, clip = self._analyst.opened(visit)
        heat, bars = (self._analyst.explained.get(engine, clip, ask) for ask in asks(visit))
        name = self._analyst.sources.get(visit.source).name
        evidence = gather_evidence(engine, clip, clip_name=name, explanation=heat, bars=bars)
        return engine, evidence

    def _question(self, visit: Visit) -> Question:
        """What Python or the command line must be asked to give the heat map again."""
        visit = with_methods(visit, self._analyst.engines.info(visit.model))
        return question_of(self._analyst, visit, asks(visit)[0])


def write_file(path: Path, evidence: Evidence, question: Question, engine: Engine) -> None:
    """Write one kind of file, told by the path's suffix.

    Raises:
        StamError: it cannot be made.
    """
    digest = engine.report.sha256
    match path.suffix:
        case ".png" | ".pdf":
            save_figure(render_strip(evidence), path)
        case ".mp4":
            write_mp4(path, render_film(evidence), FILM_FPS)
        case ".gif":
            write_gif(path, render_film(evidence), FILM_FPS)
        case ".html":
            report = render_report(evidence, question=question, weights_digest=digest)
            write_report(path, report)
        case ".json":
            # The settings too: a span or a parameter is a number of the page like any other.
            asked = {"question": json_ready(asdict(question))}
            write_json(path, numbers(evidence, weights_digest=digest) | asked)
        case other:
            raise StamError(f"No file of the kind {other!r} can be made.")
