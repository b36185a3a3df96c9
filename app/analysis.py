"""One visit's choices -> what the page shows: the only place where the page meets the engine."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import controls, payload, text
from app.compare.desk import CompareDesk
from app.compare.take_away import CompareTakeDesk
from app.explained import Explained, asks, with_methods, without_idle_foil
from app.frame_lab.desk import LabDesk
from app.frame_lab.take_away import LabTakeDesk
from app.inspect.model_choice import ModelDesk, published_row
from app.inspect.take_away import TakeDesk
from app.learn.desk import LearnDesk
from app.serving.jobs import current_job
from app.session import Build, Engines, Sources
from app.visit import EMBEDDED, Visit
from stam_core.errors import StamError, UnknownNameError
from stam_core.explain import EXPLAINERS
from stam_core.models.registry import ASSETS

if TYPE_CHECKING:
    from stam_core import Engine
    from stam_core.types import Cancel, Clip, ModelInfo

_LOG = logging.getLogger(__name__)

EXAMPLES_FOLDER = ASSETS / "examples"


@dataclass(frozen=True)
class Example:
    """An embedded clip."""

    name: str  # the file's name
    title: str
    path: Path


@dataclass(frozen=True)
class View:
    """What changes in the page; None: that part stays as it is."""

    visit: Visit
    clip: dict[str, Any] | None = None
    scores: dict[str, Any] | None = None
    predictions: dict[str, Any] | None = None
    heat_panel: dict[str, Any] | None = None
    bars_panel: dict[str, Any] | None = None
    sampling_panel: dict[str, Any] | None = None
    model_summary: dict[str, Any] | None = None
    model_facts: dict[str, Any] | None = None
    take: dict[str, Any] | None = None


class Analyst:
    """Answers every question of the page; shared by all visitors, with bounded caches only."""

    def __init__(self, examples: Path = EXAMPLES_FOLDER, build: Build | None = None) -> None:
        """Nothing is opened yet.

        Args:
            examples: the folder of embedded clips with its `examples.json`.
            build: makes models ready; None: in this process.
        """
        self.engines = Engines(build)
        self.models = ModelDesk(self.engines)
        self.sources = Sources()
        self.explained = Explained()
        self.lab = LabDesk(self)
        self.compare = CompareDesk(self)
        self.learn = LearnDesk(self)
        self.take = TakeDesk(self)
        self.lab_take = LabTakeDesk(self)
        self.compare_take = CompareTakeDesk(self)
        self._examples_folder = examples

    @cached_property
    def examples(self) -> dict[str, Example]:
        """The embedded clips by name, in the order of their list."""
        found = read_examples(self._examples_folder)
        return {example.name: example for example in found}

    @cached_property
    def _example_keys(self) -> dict[str, str]:
        return {
            name: self.sources.keep(example.path, example.title)
            for name, example in self.examples.items()
        }

    @cached_property
    def example_cards(self) -> dict[str, Any]:
        """The examples with their pictures, for the page; read once."""
        cards = []
        for name, example in self.examples.items():
            try:
                # For all visitors: whoever asks first may leave before it is there.
                clip = self._open(Visit(source=self._example_keys[name]), threading.Event())[1]
            except StamError as error:
                _LOG.warning("the example %s is left out. %s", name, error)
                continue
            picture = payload.thumbnail(clip.frames[clip.num_frames // 2])
            cards.append({"name": name, "title": example.title, "picture": picture})
        return {"items": cards}

    def example(self, visit: Visit, name: object) -> Visit:
        """The visit, turned to an embedded clip.

        Raises:
            UnknownNameError: there is no such example.
        """
        if not isinstance(name, str) or name not in self._example_keys:
            raise UnknownNameError("example", str(name)[:80], list(self.examples))
        return replace(visit, source=self._example_keys[name], span_seconds=None)

    def example_name(self, visit: Visit) -> str | None:
        """The embedded clip that the visit shows; None: a clip of the visitor's own, or none."""
        names = (name for name, key in self._example_keys.items() if key == visit.source)
        return next(names, None)

    def upload(self, visit: Visit, path: str, name: str, visitor: str = "") -> Visit:
        """The visit, turned to a file the visitor sent; `visitor` is whose it is."""
        key = self.sources.add(Path(path), name, visitor)
        return replace(visit, source=key, span_seconds=None)

    def show(self, visit: Visit) -> Iterator[View]:
        """First the frames, as soon as they are decoded, then what the model makes of them.

        Raises:
            StamError: the clip or the model cannot be opened; nothing was shown then.
        """
        engine, clip = self._open(visit)
        visit = with_methods(visit, engine.info)
        source = self.sources.get(visit.source)
        shown = payload.clip_payload(clip, engine.crop_box(clip), source.name)
        yield View(visit, clip=shown)
        prediction = engine.predict(clip)
        visit = without_idle_foil(visit, prediction)
        info = engine.info
        heat_panel, bars_panel = method_panels(visit, info)
        whole = View(
            visit,
            predictions=payload.prediction_payload(prediction, info),
            heat_panel=heat_panel,
            bars_panel=bars_panel,
            sampling_panel=controls.sampling_panel(visit.policy, visit.span_seconds, clip, info),
            model_summary={"title": "", "rows": [], "notes": [info.summary], "progress": None},
            model_facts=model_facts(engine),
            take=self.take.offer(visit),
        )
        for scores in self._scores(engine, clip, visit):
            yield replace(whole, scores=scores)
            whole = View(visit)

    def adjust(self, visit: Visit, place: controls.Place, data: dict[str, Any]) -> Iterator[View]:
        """Another method, class or parameters for the map or the bars: only the scores are new.

        Raises:
            StamError: the page sent something that does not exist or is out of range.
        """
        engine, clip = self._open(visit)
        info = engine.info
        before = visit = with_methods(visit, info)
        method, parameters = controls.read_method(place, data, info)
        classes = (visit.target, visit.foil)
        if EXPLAINERS[method].info.uses_target:
            classes = controls.read_classes(data, info, classes)
        visit = replace(visit, target=classes[0], foil=classes[1])
        if place == "patches":
            visit = replace(visit, heat=method, heat_parameters=parameters)
        else:
            visit = replace(visit, bars=method, bars_parameters=parameters)
        # Drawn anew only for another method: a slider in use must not vanish under the finger.
        panels = method_panels(visit, info)
        new_classes = classes != (before.target, before.foil)
        view = View(
            visit,
            heat_panel=panels[0] if visit.heat != before.heat or new_classes else None,
            bars_panel=panels[1] if visit.bars != before.bars or new_classes else None,
            take=self.take.offer(visit),
        )
        yield view  # at once: the choice stands even if another one follows before its scores
        for scores in self._scores(engine, clip, visit):
            # The panels again: of two answers on their way, the older may have come last.
            yield replace(view, scores=scores)

    def resample(self, visit: Visit, data: dict[str, Any]) -> Visit:
        """The visit with another choice of frames.

        Raises:
            StamError: no clip yet, no such policy, or an empty span.
        """
        _, clip = self._open(visit)
        policy, span = controls.read_sampling(data, controls.longest_span(clip))
        return replace(visit, policy=policy, span_seconds=span)

    def with_model(self, visit: Visit, key: str) -> Visit:
        """The visit with another model; parameters start anew, as their limits may differ.

        Methods stay where they can speak about it.
        """
        info = self.engines.info(key)
        policy = visit.policy if info.official_fps is not None else "uniform"
        visit = replace(
            visit, model=key, policy=policy, heat_parameters={}, bars_parameters={},
            target=None, foil=None,
        )  # fmt: skip
        return with_methods(visit, info)

    def warm_up(self) -> str:
        """Make the first page ready before the first visitor comes; the device it runs on."""
        engine = self.engines.get(EMBEDDED)
        if cards := self.example_cards["items"]:
            list(self.show(self.example(Visit(), cards[0]["name"])))
        return str(engine.device)

    def opened(self, visit: Visit) -> tuple[Engine, Clip]:
        """The visit's model and clip, for the other tabs.

        Raises:
            StamError: either cannot be had.
        """
        return self._open(visit)

    def _open(self, visit: Visit, cancel: Cancel | None = None) -> tuple[Engine, Clip]:
        """Given up once the job that asks is for nobody any more, or once `cancel` says so."""
        source = self.sources.get(visit.source)
        engine = self.engines.get(visit.model)
        clip = engine.open(
            source.path, sampling=visit.policy, span_seconds=visit.span_seconds,
            cancel=cancel or current_job(),
        )  # fmt: skip
        return engine, clip

    def _scores(self, engine: Engine, clip: Clip, visit: Visit) -> Iterator[dict[str, Any]]:
        """The map and the bars for the strip; they grow where their method gives parts.

        The first parts may have none yet: they are places where a newer question ends this one.
        """
        titles = controls.method_titles()
        labels = engine.info.labels
        heat_ask, bars_ask = asks(visit)
        for heat in self.explained.stream(engine, clip, heat_ask):
            if heat.done < 1:
                shown = None if heat.patches is None else heat
                yield payload.scores_payload(clip, shown, None, titles, labels)
        for bars in self.explained.stream(engine, clip, bars_ask):
            shown = None if bars.frames is None else bars
            yield payload.scores_payload(clip, heat, shown, titles, labels)


def method_panels(visit: Visit, info: ModelInfo) -> tuple[dict[str, Any], dict[str, Any]]:
    """The panels of the map and of the bars."""
    classes = (visit.target, visit.foil)
    return (
        controls.method_panel("patches", visit.heat, visit.heat_parameters, info, classes),
        controls.method_panel("frames", visit.bars, visit.bars_parameters, info, classes),
    )


def read_examples(folder: Path) -> list[Example]:
    """The clips that `examples.json` lists and that exist."""
    listing = folder / "examples.json"
    if not listing.is_file():
        return []
    entries = json.loads(listing.read_text(encoding="utf-8"))
    found = [
        Example(name=entry["file"], title=entry["title"], path=folder / entry["file"])
        for entry in entries
    ]
    return [example for example in found if example.path.is_file()]


def model_facts(engine: Engine) -> dict[str, Any]:
    """What the model in use takes and knows, for the page."""
    info = engine.info
    rows, columns = info.patch_grid
    takes = text.FACT_MODEL_FRAMES.format(
        frames=info.num_frames, side=info.preprocessing.side, h=rows, w=columns
    )
    runs = f"{engine.device}, {str(engine.dtype).removeprefix('torch.')}"
    return {
        "title": "",
        "rows": [
            [text.MODEL_TAKES, takes],
            [text.MODEL_RUNS, runs],
            *published_row(info),
        ],
        "notes": list(engine.report.notes),
        "progress": None,
    }
