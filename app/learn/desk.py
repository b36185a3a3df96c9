"""Answers the lessons' questions: the only place where their page meets the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from app import payload
from app.frame_lab.payload import frames_payload
from app.learn import text
from app.learn.heads import head_by_numbers
from app.learn.layers import rollout_by_layers
from app.learn.lesson import FACTORISED, Ask
from app.learn.lies import pictures_lie
from app.learn.questions import read_serial
from app.learn.roads import two_roads
from app.learn.rules import frames_become_words, what_it_costs, who_may_look
from app.learn.state import Learn
from app.learn.trials import does_order_matter
from app.visit import Visit
from stam_core.cost_records import model_sizes
from stam_core.costs import cost
from stam_core.errors import ParameterError, StamError, VideoError

if TYPE_CHECKING:
    from app.analysis import Analyst
    from stam_core import Engine
    from stam_core.types import Clip, ModelInfo

# What a figure is told: at once, or in parts.
Lesson = Callable[[Ask], "dict[str, Any] | Iterator[dict[str, Any]]"]

# By the number of the chapter in `text.CHAPTERS`.
LESSONS: dict[int, Lesson] = {
    1: frames_become_words,
    2: who_may_look,
    3: head_by_numbers,
    4: two_roads,
    5: rollout_by_layers,
    6: what_it_costs,
    7: does_order_matter,
    8: pictures_lie,
}
# Chapters that ask the model itself; with one that is large, or that takes clips whole, they wait
# in its queue, where they have a deadline and can be left.
ASK_THE_MODEL = (3, 4, 5, 7, 8)
QUICK_MACS = 20e9  # of a pass: some 0.2 s on one core; the embedded STAM needs a tenth of it


@dataclass(frozen=True)
class LearnView:
    """What changes in the page; None: that part stays as it is."""

    learn: Learn | None = None
    clip: dict[str, Any] | None = None
    lesson: tuple[int, dict[str, Any]] | None = None  # a chapter's number and its figure's data
    note: str | None = None  # for a message box


class LearnDesk:
    """The lessons of all visitors; holds nothing of theirs."""

    def __init__(self, analyst: Analyst) -> None:
        """`analyst` has the models and the clips."""
        self._analyst = analyst

    def open(self, visit: Visit, learn: Learn) -> LearnView:
        """The clip that the lessons show; nothing where the page has it already.

        Raises:
            VideoError: there is no clip and no example either.
        """
        note = None
        try:
            engine, clip = self._opened(visit, learn)
        except StamError as error:
            learn = replace(learn, replaced=_name(visit))
            engine, clip = self._opened(visit, learn)
            note = text.FELL_BACK.format(reason=error)
        key = _key(engine, clip)
        if learn.shown == key:
            return LearnView(note=note)
        shown = self._shown(visit, learn)
        info = engine.info
        crop = engine.crop_box(clip)
        return LearnView(
            learn=replace(learn, shown=key),
            clip={
                **frames_payload(clip, self._analyst.sources.get(shown.source).name),
                "key": key,
                "example": self._analyst.example_name(shown),
                "model": info.title,
                "grid": list(info.patch_grid),
                "crop": [crop.left, crop.top, crop.width, crop.height],
                "palettes": payload.palettes(),
                "queued": list(queued_chapters(info)),
            },
            note=note,
        )

    def fall_back(self, visit: Visit, learn: Learn) -> LearnView:
        """The first example with the built-in model in place of what cannot be shown.

        Raises:
            VideoError: there is no example.
        """
        return self.open(visit, replace(learn, replaced=_name(visit), shown=""))

    def answer(
        self, visit: Visit, learn: Learn, data: dict[str, Any], *, at_once: bool = False
    ) -> Iterator[LearnView]:
        """What a figure asked for; in parts where it takes long.

        Args:
            visit: the visitor's clip and model.
            learn: what the tab remembers.
            data: of the event; anything may be forged.
            at_once: asked outside every queue, where nothing long may run.

        Raises:
            StamError: the event cannot be read, speaks of another clip, or must wait in a queue.
        """
        number = data.get("chapter")
        if type(number) is not int or number not in LESSONS:  # True would pass for 1
            raise ParameterError(text.NO_CHAPTER)
        engine, clip = self._opened(visit, learn)
        key = _key(engine, clip)
        if data.get("key") != key:
            raise ParameterError(text.OTHER_CLIP)
        if at_once and ("run" in data or number in queued_chapters(engine.info)):
            raise ParameterError(text.NOT_AT_ONCE)
        ask = Ask(engine, clip, data, first=data.get("first") is True)
        head: dict[str, Any] = {"key": key, "serial": read_serial(data)}
        if ask.first:
            head["about"] = about(number, engine.info)
        try:
            found = LESSONS[number](ask)
            for part in [found] if isinstance(found, dict) else found:
                yield LearnView(lesson=(number, {**head, **part}))
        except StamError as error:
            if not ask.first:  # the figure stays as it is
                raise
            yield LearnView(lesson=(number, {**head, "missing": str(error)}))

    def _opened(self, visit: Visit, learn: Learn) -> tuple[Engine, Clip]:
        return self._analyst.opened(self._shown(visit, learn))

    def _shown(self, visit: Visit, learn: Learn) -> Visit:
        """The visit; with the first example where it has no clip, alone where it was given up."""
        given_up = learn.replaced == _name(visit)
        if visit.source is not None and not given_up:
            return visit
        first = next(iter(self._analyst.examples), None)
        if first is None:
            raise VideoError(text.NO_EXAMPLES)
        return self._analyst.example(Visit() if given_up else visit, first)


def queued_chapters(info: ModelInfo) -> tuple[int, ...]:
    """The chapters whose questions take a model like this long."""
    quick = info.scheme == FACTORISED and cost(FACTORISED, model_sizes(info)).macs <= QUICK_MACS
    return () if quick else ASK_THE_MODEL


def about(number: int, info: ModelInfo) -> str:
    """What a chapter's text leaves open because it depends on the model."""
    stem = text.ABOUT_STEM.get(number, "") if info.config.stem_width else ""
    return f"{text.ABOUT.get(number, {}).get(info.scheme, '')} {stem}".strip()


def _name(visit: Visit) -> str:
    return f"{visit.model} {visit.source}"


def _key(engine: Engine, clip: Clip) -> str:
    """What tells one clip before one model from all others."""
    return f"{engine.info.name} {engine.report.sha256} {clip.digest}"
