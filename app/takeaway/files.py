"""Files for a visitor to keep, and what Python or the command line must be asked for the same."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import text
from app.visit import EMBEDDED
from stam_core.cli.output import safe_stem
from stam_core.errors import ParameterError
from stam_core.models import MODELS
from stam_core.render.repeat import Question

if TYPE_CHECKING:
    from app.analysis import Analyst
    from app.explained import Ask
    from app.visit import Visit


def kinds_of(words: dict[str, Any]) -> tuple[str, ...]:
    """The suffixes of the files that a part of the page offers."""
    return tuple(kind for kind, _ in words["kinds"])


def checked_kind(kind: object, kinds: Sequence[str]) -> str:
    """A kind of file that is offered.

    Raises:
        ParameterError: there is no such kind.
    """
    if not isinstance(kind, str) or kind not in kinds:
        raise ParameterError(text.TAKE_NO_KIND)
    return kind


@contextmanager
def handed_out(
    clip_name: str, view: str, kind: str, write: Callable[[Path], None]
) -> Iterator[Path]:
    """A file under a telling name, gone when the block ends.

    Args:
        clip_name: untrusted text.
        view: a word for what is shown of it.
        kind: its suffix.
        write: makes it at a path.
    """
    with tempfile.TemporaryDirectory(prefix="take-") as folder:
        path = Path(folder) / f"{safe_stem(clip_name)}.{view}.{kind}"
        write(path)
        yield path


def write_json(path: Path, figures: dict[str, Any]) -> None:
    """Figures as JSON that any program reads."""
    path.write_text(json.dumps(figures, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def clip_path(analyst: Analyst, visit: Visit) -> str:
    """Where the visit's clip lies for somebody with the program; of an own clip the name alone."""
    name = analyst.example_name(visit)
    return analyst.sources.get(visit.source).name if name is None else f"assets/examples/{name}"


def question_of(analyst: Analyst, visit: Visit, ask: Ask) -> Question:
    """What Python or the command line must be asked to give an explanation again."""
    info = analyst.engines.info(visit.model)
    return Question(
        clip=clip_path(analyst, visit),
        model=info.name if visit.model in MODELS else EMBEDDED,
        weights=None if visit.model in MODELS else text.OWN_WEIGHTS,
        sampling=None if visit.policy == info.sampling else visit.policy,
        span_seconds=visit.span_seconds,
        method=ask.method,
        target=None if ask.target is None else info.labels[ask.target],
        foil=None if ask.foil is None else info.labels[ask.foil],
        parameters=ask.parameters,
    )
