"""The tab "Inspect": a clip in; the action, the frames' attention and the heat maps out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from app import text
from app.backstage import Backstage
from app.components import ExamplePicker, FrameStrip, ParameterPanel, Predictions, update
from app.components.opening import OpeningLine, told_while_opening
from app.components.quick import FileButton
from app.components.webcam import Webcam
from app.events import CLIP_TYPES, MODEL_QUEUE, NAME_LENGTH, event_data
from app.guard import guarded, warn
from app.inspect.model_part import (
    Changes,
    ModelChoice,
    ModelHandlers,
    ModelOffer,
    build_model_choice,
    build_model_offer,
)
from app.takeaway.part import Linked, TakeAway, build_take_away
from app.turns import Turn, Turns
from app.visit import Visit

if TYPE_CHECKING:
    from app.analysis import View
    from app.controls import Place

ONCE_MORE_SECONDS = 0.5
NO_EXAMPLE = ""  # gradio takes None in an update for "as before"


@dataclass(frozen=True)
class ClipSources:
    """Where a clip may come from: the examples, a file, the camera."""

    examples: ExamplePicker
    upload: FileButton
    camera: gr.Button
    webcam: Webcam


@dataclass(frozen=True)
class InspectTab:
    """The parts of the tab that handlers write to."""

    turns: Turns
    visit: gr.State
    sources: ClipSources
    predictions: Predictions
    strip: FrameStrip
    heat: ParameterPanel
    bars: ParameterPanel
    sampling: ParameterPanel
    model: ModelChoice
    take: TakeAway

    def begin(self, request: gr.Request, event: gr.EventData | None = None) -> Turn:
        """A new question of this page."""
        asked = None if event is None else event_data(event).get("asked")
        return self.turns.begin(str(request.session_hash), asked)

    def updates(self, view: View) -> Changes:
        """What gradio is to change for a view: only what the view has."""
        changes: Changes = {self.visit: view.visit}
        parts = {
            self.heat: view.heat_panel,
            self.bars: view.bars_panel,
            self.sampling: view.sampling_panel,
            self.model.summary: view.model_summary,
            self.model.facts: view.model_facts,
            self.take.offer: view.take,
        }
        changes |= {part: value for part, value in parts.items() if value is not None}
        strip: dict[str, Any] = {"clip": view.clip, "value": view.scores}
        if view.predictions is not None:
            changes[self.predictions] = update(value=view.predictions, old=False)
        elif view.clip is not None:
            changes[self.predictions] = update(old=True)
        if new := {name: value for name, value in strip.items() if value is not None}:
            changes[self.strip] = update(**new)
        return changes

    @property
    def shown(self) -> list[Any]:
        """Everything a new clip or model can change."""
        return [
            self.visit, self.sources.examples, self.sources.upload, self.sources.webcam,
            self.predictions, self.strip,
            self.heat, self.bars, self.sampling, self.model.choice,
            self.model.summary,
            self.model.facts,
            self.take.offer,
        ]  # fmt: skip


def build_inspect_tab(backstage: Backstage, *, local: bool) -> InspectTab:
    """Lay the tab out and connect it.

    Args:
        backstage: has the core.
        local: the page is served to this computer only, so that a path on it may be typed in.
    """
    visit = gr.State(Visit())
    with gr.Row(equal_height=True):
        with gr.Column(scale=5, min_width=300, elem_classes="pane", elem_id="clip-card"):
            sources = build_clip_sources()
        with gr.Column(scale=4, min_width=280, elem_classes="pane"):
            predictions = Predictions(
                elem_id="predictions",
                old=False,
                words={"title": text.PREDICTIONS, "waiting": text.WAKING},
            )
        with gr.Column(scale=4, min_width=280, elem_classes="pane"):
            model = build_model_choice()
    offer = build_model_offer(local=local)
    with gr.Column(elem_classes="pane"):
        strip = FrameStrip(elem_id="strip", clip=None, words=text.STRIP_WORDS)
    with gr.Row(equal_height=True):
        heat = _panel("heat")
        bars = _panel("bars")
        sampling = _panel("sampling", text.SAMPLING_WORDS)
    take = build_take_away(text.TAKE_WORDS, "take")
    with gr.Accordion(text.ABOUT_TITLE, open=False, elem_id="about"):
        gr.Markdown(text.ABOUT)
    tab = InspectTab(Turns(), visit, sources, predictions, strip, heat, bars, sampling, model, take)
    _wire(tab, offer, backstage)
    return tab


def build_clip_sources() -> ClipSources:
    """Lay out the parts through which a clip comes."""
    from stam_core.limits import default_limits  # the page is laid out before the core is loaded

    limits = default_limits()
    drop = text.DROP.format(
        size=limits.max_upload_mib,
        hours=limits.max_seconds / 3600,
        megapixels=limits.max_pixels / 1e6,
        frames=limits.max_decoded_frames,
    )
    examples = ExamplePicker(
        elem_id="examples",
        chosen=NO_EXAMPLE,
        drop_on="#clip-card",
        drop_into="#sources",
        words={
            "title": text.EXAMPLES,
            "none": text.NO_EXAMPLES,
            "drop": drop,
        },
    )
    with gr.Row(elem_id="sources"):
        upload = FileButton(
            text.UPLOAD, file_types=CLIP_TYPES, variant="primary", size="md", elem_id="upload"
        )
        camera = gr.Button(text.WEBCAM, size="md", elem_id="camera")
    webcam = Webcam(label=text.WEBCAM_VIDEO, elem_id="webcam", height=320, visible=False)
    OpeningLine(elem_id="opening", words=text.OPENING_WORDS)
    return ClipSources(examples, upload, camera, webcam)


def _wire(tab: InspectTab, offer: ModelOffer, backstage: Backstage) -> None:
    _wire_take_away(tab, backstage)
    _wire_clips(tab, backstage)
    _wire_panels(tab, backstage)

    def show(visit: Visit, request: gr.Request) -> Iterator[Changes]:
        return _shown(tab, backstage, visit, tab.begin(request))

    ModelHandlers(tab.model, offer, backstage, show).wire(tab.visit, tab.shown)


def _wire_take_away(tab: InspectTab, backstage: Backstage) -> None:
    def take(visit: Visit, event: gr.EventData) -> Iterator[Changes]:
        yield from tab.take.hand_out(event, lambda kind: backstage.analyst.take.file(visit, kind))

    tab.take.wire(take, [tab.visit])


def _panel(elem_id: str, words: dict[str, str] = text.PANEL_WORDS) -> ParameterPanel:
    with gr.Column(min_width=280, elem_classes="pane"):
        return ParameterPanel(elem_id=elem_id, words=words)


def first_page(
    tab: InspectTab, backstage: Backstage, others: Sequence[Linked] = ()
) -> Callable[[gr.Request], Iterator[Changes]]:
    """The handler for a page that opens: the example of its address, or the first one, analysed.

    Args:
        tab: this one.
        backstage: has the core.
        others: of other tabs, what each reads from the address.
    """

    def open_page(request: gr.Request) -> Iterator[Changes]:
        turn = tab.begin(request)
        analyst = backstage.analyst
        yield {tab.model.choice: gr.update(choices=analyst.models.choices(Visit().model))}
        cards = analyst.example_cards
        query = dict(request.query_params)
        visit, notes = analyst.take.read(query)
        for read in others:
            changes, more = read(visit, query)
            notes += more
            if changes:
                yield changes
        if visit.model != Visit().model:
            yield {tab.model.choice: gr.update(value=visit.model)}
        name = analyst.example_name(visit)
        yield {tab.sources.examples: update(value=cards, chosen=name or NO_EXAMPLE)}
        if name is not None:
            yield from _shown(tab, backstage, visit, turn)
        for note in notes:
            warn(text.LINK_FELL_BACK.format(reason=note))

    return guarded(open_page)


def _shown(tab: InspectTab, backstage: Backstage, visit: Visit, turn: Turn) -> Iterator[Changes]:
    for view in turn.follow(backstage.analyst.show(visit)):
        yield tab.updates(view)


def _wire_clips(tab: InspectTab, backstage: Backstage) -> None:
    """Examples, uploads and recordings."""

    def pick(visit: Visit, event: gr.EventData, request: gr.Request) -> Iterator[Changes]:
        turn = tab.begin(request, event)
        name = event_data(event).get("name")
        visit = backstage.analyst.example(visit, name)
        chosen = {tab.sources.examples: update(chosen=name)}
        if turn.is_wanted():
            yield chosen
        # Once more with what is shown: another handler's word may have come between.
        for changes in _shown(tab, backstage, visit, turn):
            yield {**chosen, **changes}

    def upload(visit: Visit, path: str | None, request: gr.Request) -> Iterator[Changes]:
        if path is None:
            return
        turn = tab.begin(request)
        # The button empties at once: the same file can be chosen again, whatever becomes of it.
        yield {tab.sources.upload: None}
        visit = backstage.analyst.upload(
            visit, path, Path(path).name[:NAME_LENGTH], str(request.session_hash)
        )
        for changes in _shown(tab, backstage, visit, turn):
            yield {tab.sources.examples: update(chosen=NO_EXAMPLE), **changes}

    def record(visit: Visit, path: str | None, request: gr.Request) -> Iterator[Changes]:
        if path is None:
            return
        turn = tab.begin(request)
        visit = backstage.analyst.upload(visit, path, text.RECORDING, str(request.session_hash))
        for changes in _shown(tab, backstage, visit, turn):
            yield {
                tab.sources.examples: update(chosen=NO_EXAMPLE),
                tab.sources.webcam: gr.update(value=None, visible=False),
                **changes,
            }

    sources, shown = tab.sources, tab.shown
    sources.camera.click(
        lambda: gr.update(visible=True), None, sources.webcam,
        queue=False, api_visibility="private", show_progress="hidden",
    )  # fmt: skip
    sent, recorded = [tab.visit, sources.upload], [tab.visit, sources.webcam]
    for event, handler, given in (
        (sources.examples.pick, pick, [tab.visit]),
        (sources.upload.upload, upload, sent),
        (sources.webcam.stop_recording, record, recorded),
    ):
        told_while_opening(event, guarded(handler), given, shown, **MODEL_QUEUE)


def _wire_panels(tab: InspectTab, backstage: Backstage) -> None:
    """Methods, their parameters, and the choice of frames."""

    def adjust(place: Place) -> Callable[..., Iterator[Changes]]:
        def handler(visit: Visit, event: gr.EventData, request: gr.Request) -> Iterator[Changes]:
            turn = tab.begin(request, event)
            for view in turn.follow(backstage.analyst.adjust(visit, place, event_data(event))):
                yield tab.updates(view)
            if turn.hurried:  # an older answer on its way may come last: said once more
                time.sleep(ONCE_MORE_SECONDS)
                if turn.is_wanted():
                    yield tab.updates(view)

        return guarded(handler)

    def resample(visit: Visit, event: gr.EventData, request: gr.Request) -> Iterator[Changes]:
        turn = tab.begin(request, event)
        visit = backstage.analyst.resample(visit, event_data(event))
        yield from _shown(tab, backstage, visit, turn)

    scores = [tab.visit, tab.strip, tab.heat, tab.bars, tab.take.offer]
    tab.heat.adjust(adjust("patches"), [tab.visit], scores, **MODEL_QUEUE)
    tab.bars.adjust(adjust("frames"), [tab.visit], scores, **MODEL_QUEUE)
    tab.sampling.adjust(guarded(resample), [tab.visit], tab.shown, **MODEL_QUEUE)
