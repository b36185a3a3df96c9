"""Answers "let me have that": files of the view, its link, and the lines that give it again."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import text
from app.explained import asks, with_methods
from app.inspect.links import read_methods, write_link
from app.visit import EMBEDDED, Visit
from stam_core.cli.output import safe_stem
from stam_core.errors import ParameterError, StamError
from stam_core.gather import gather_evidence
from stam_core.models import MODELS
from stam_core.render.evidence import Evidence
from stam_core.render.figures import render_strip, save_figure
from stam_core.render.film import FILM_FPS, render_film, write_gif
from stam_core.render.numbers import numbers
from stam_core.render.repeat import Question, command_line, python_lines
from stam_core.render.report import render_report, write_report
from stam_core.video.encode import write_mp4

if TYPE_CHECKING:
    from app.analysis import Analyst
    from stam_core import Engine

KINDS = tuple(kind for kind, _ in text.TAKE_WORDS["kinds"])


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
        """The view that an address asks for, and a sentence for what of it is not here."""
        analyst, notes = self._analyst, []
        visit = Visit()
        names = [card["name"] for card in analyst.example_cards["items"]]
        wanted = query.get("example")
        if wanted is not None and wanted not in names:
            notes.append(text.LINK_NO_EXAMPLE)
        model = query.get("model", EMBEDDED)
        if model in MODELS and analyst.models.is_ready(model):
            visit = analyst.with_model(visit, model)
        else:
            notes.append(text.LINK_NO_MODEL)
        if names:
            visit = analyst.example(visit, wanted if wanted in names else names[0])
        visit, more = read_methods(visit, query, analyst.engines.info(visit.model))
        return visit, [text.LINK_FELL_BACK.format(reason=reason) for reason in notes + more]

    @contextmanager
    def file(self, visit: Visit, kind: object) -> Iterator[Path]:
        """The view as a file of that kind, gone when the block ends.

        Raises:
            ParameterError: there is no such kind.
            StamError: the clip or the model cannot be had.
        """
        if kind not in KINDS:
            raise ParameterError(text.TAKE_NO_KIND)
        visit = with_methods(visit, self._analyst.engines.info(visit.model))
        engine, evidence = self.evidence(visit)
        stem = f"{safe_stem(evidence.clip_name)}.{visit.heat}"
        with tempfile.TemporaryDirectory(prefix="take-") as folder:
            path = Path(folder) / f"{stem}.{kind}"
            write_file(path, evidence, self._question(visit), engine)
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
        info = self._analyst.engines.info(visit.model)
        visit = with_methods(visit, info)
        ask, _ = asks(visit)
        name = self._analyst.example_name(visit)
        clip = self._analyst.sources.get(visit.source).name
        return Question(
            clip=clip if name is None else f"assets/examples/{name}",
            model=info.name if visit.model in MODELS else EMBEDDED,
            weights=None if visit.model in MODELS else text.OWN_WEIGHTS,
            sampling=None if visit.policy == info.sampling else visit.policy,
            span_seconds=visit.span_seconds,
            method=ask.method,
            target=None if ask.target is None else info.labels[ask.target],
            foil=None if ask.foil is None else info.labels[ask.foil],
            parameters=ask.parameters,
        )


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
            figures = numbers(evidence, weights_digest=digest)
            path.write_text(json.dumps(figures, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        case other:
            raise StamError(f"No file of the kind {other!r} can be made.")
