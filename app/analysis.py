"""One visit's choices -> what the page shows: the only place where the page meets the engine."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import controls, payload, text
from app.model_choice import ModelDesk, published_row
from app.session import Engines, Sources
from app.visit import EMBEDDED, Visit
from stam_core.errors import StamError, UnknownNameError
from stam_core.models.registry import ASSETS

if TYPE_CHECKING:
    from stam_core import Engine
    from stam_core.types import Clip, Explanation

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


class Analyst:
    """Answers every question of the page; shared by all visitors, with bounded caches only."""

    def __init__(self, examples: Path = EXAMPLES_FOLDER) -> None:
        """`examples` is the folder of embedded clips with its `examples.json`."""
        self.engines = Engines()
        self.models = ModelDesk(self.engines)
        self.sources = Sources()
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
                clip = self._open(Visit(source=self._example_keys[name]))[1]
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

    def upload(self, visit: Visit, path: str, name: str) -> Visit:
        """The visit, turned to a file the visitor sent."""
        return replace(visit, source=self.sources.add(Path(path), name), span_seconds=None)

    def show(self, visit: Visit) -> Iterator[View]:
        """First the frames, as soon as they are decoded, then what the model makes of them.

        Raises:
            StamError: the clip or the model cannot be opened; nothing was shown then.
        """
        visit = with_methods(visit)
        engine, clip = self._open(visit)
        source = self.sources.get(visit.source)
        shown = payload.clip_payload(clip, engine.crop_box(clip), source.name)
        yield View(visit, clip=shown)
        prediction = engine.predict(clip)
        heat, bars = self._explain(engine, clip, visit)
        info = engine.info
        yield View(
            visit,
            scores=payload.scores_payload(clip, heat, bars, controls.method_titles()),
            predictions=payload.prediction_payload(prediction, info),
            heat_panel=controls.method_panel("patches", visit.heat, visit.heat_parameters, info),
            bars_panel=controls.method_panel("frames", visit.bars, visit.bars_parameters, info),
            sampling_panel=controls.sampling_panel(visit.policy, visit.span_seconds, clip, info),
            model_summary={"title": "", "rows": [], "notes": [info.summary], "progress": None},
            model_facts=model_facts(engine),
        )

    def adjust(self, visit: Visit, place: controls.Place, data: dict[str, Any]) -> View:
        """Another method or other parameters for the map or the bars: only the scores are new.

        Raises:
            StamError: the page sent something that does not exist or is out of range.
        """
        visit = with_methods(visit)
        engine, clip = self._open(visit)
        method, parameters = controls.read_method(place, data, engine.info)
        if place == "patches":
            changed = method != visit.heat
            visit = replace(visit, heat=method, heat_parameters=parameters)
        else:
            changed = method != visit.bars
            visit = replace(visit, bars=method, bars_parameters=parameters)
        heat, bars = self._explain(engine, clip, visit)
        scores = payload.scores_payload(clip, heat, bars, controls.method_titles())
        # Drawn anew only for another method: a slider in use must not vanish under the finger.
        panel = controls.method_panel(place, method, parameters, engine.info) if changed else None
        if place == "patches":
            return View(visit, scores=scores, heat_panel=panel)
        return View(visit, scores=scores, bars_panel=panel)

    def resample(self, visit: Visit, data: dict[str, Any]) -> Visit:
        """The visit with another choice of frames.

        Raises:
            StamError: no clip yet, no such policy, or an empty span.
        """
        _, clip = self._open(visit)
        policy, span = controls.read_sampling(data, controls.longest_span(clip))
        return replace(visit, policy=policy, span_seconds=span)

    def with_model(self, visit: Visit, key: str) -> Visit:
        """The visit with another model; parameters start anew, as their limits may differ."""
        info = self.engines.info(key)
        policy = visit.policy if info.official_fps is not None else "uniform"
        return replace(visit, model=key, policy=policy, heat_parameters={}, bars_parameters={})

    def warm_up(self) -> None:
        """Make the first page ready before the first visitor comes."""
        self.engines.get(EMBEDDED)
        if cards := self.example_cards["items"]:
            list(self.show(self.example(Visit(), cards[0]["name"])))

    def _open(self, visit: Visit) -> tuple[Engine, Clip]:
        source = self.sources.get(visit.source)
        engine = self.engines.get(visit.model)
        clip = engine.open(source.path, sampling=visit.policy, span_seconds=visit.span_seconds)
        return engine, clip

    def _explain(self, engine: Engine, clip: Clip, visit: Visit) -> tuple[Explanation, Explanation]:
        heat = engine.explain(clip, method=visit.heat, **visit.heat_parameters)
        if (visit.bars, visit.bars_parameters) == (visit.heat, visit.heat_parameters):
            return heat, heat
        return heat, engine.explain(clip, method=visit.bars, **visit.bars_parameters)


def with_methods(visit: Visit) -> Visit:
    """The visit with the first methods filled in where none were chosen yet."""
    heat = visit.heat or controls.default_method("patches")
    bars = visit.bars or controls.default_method("frames")
    return replace(visit, heat=heat, bars=bars)


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
