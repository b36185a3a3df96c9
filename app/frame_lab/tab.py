"""The tab "Frame lab": frames are taken away, moved and spliced, and the answer follows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from app import text
from app.backstage import Backstage
from app.components import update
from app.components.frame_lab import AnswerBars, DecisionCurves, EffectBars, LabStrip
from app.components.quick import FileButton
from app.events import AT_ONCE, CLIP_TYPES, MODEL_QUEUE, NAME_LENGTH, event_data
from app.frame_lab.state import Lab, Shown
from app.guard import guarded, guarded_answer
from app.takeaway.part import Linked, TakeAway, build_take_away
from app.turns import Turns
from app.visit import Visit

# What handlers take is imported here, not below: gradio reads their annotations.
if TYPE_CHECKING:
    from app.frame_lab.desk import LabDesk, LabView

Changes = dict[Any, Any]

# A choice takes milliseconds: it must not wait for another visitor's clip to be analysed.
CHOICE_QUEUE: dict[str, Any] = MODEL_QUEUE | {"concurrency_id": "choice", "concurrency_limit": 2}
# Sums that take seconds leave the model to others between their steps.
EFFECT_QUEUE: dict[str, Any] = MODEL_QUEUE | {
    "concurrency_id": "effects",
    "concurrency_limit": 2,  # a newer question ends the older one, see `Turns`
}


@dataclass(frozen=True)
class FrameLabTab:
    """The parts of the tab that handlers write to."""

    lab: gr.State
    edit: gr.State  # the edit whose answer is shown
    explained: gr.State  # the question that the effects on the page answer; "": none
    strip: LabStrip
    upload: FileButton
    answer: AnswerBars
    effects: EffectBars
    curves: DecisionCurves
    take: TakeAway

    def updates(self, view: LabView) -> Changes:
        """What gradio is to change for a view: only what the view has."""
        parts = {
            self.lab: view.lab,
            self.edit: view.shown,
            self.effects: view.effects,
            self.curves: view.curves,
        }
        changes: Changes = {part: value for part, value in parts.items() if value is not None}
        strip: dict[str, Any] = {"clip": view.clip, "second": view.second, "sources": view.sources}
        answer: dict[str, Any] = {"value": view.answer, "aim": view.aim}
        for part, properties in ((self.strip, strip), (self.answer, answer)):
            if new := {name: value for name, value in properties.items() if value is not None}:
                changes[part] = update(**new)
        return changes


def build_frame_lab_tab(backstage: Backstage, *, visit: gr.State, opened: gr.Tab) -> FrameLabTab:
    """Lay the tab out and connect it.

    Args:
        backstage: has the core.
        visit: the clip and model chosen in the tab "Inspect".
        opened: this tab; the clip is read when it comes into view.
    """
    gr.Markdown(text.LAB_INTRO, elem_id="lab-intro")
    with gr.Row(elem_id="lab-bench"):
        with gr.Column(scale=9, min_width=300, elem_classes="pane", elem_id="lab-strip-pane"):
            strip = LabStrip(
                elem_id="lab-strip", clip={}, second={}, sources=[], words=text.LAB_WORDS
            )
            upload = FileButton(
                text.LAB_SECOND_UPLOAD, file_types=CLIP_TYPES, size="sm", elem_id="lab-upload"
            )
        with gr.Column(scale=4, min_width=280, elem_classes="pane", elem_id="lab-answer-pane"):
            answer = AnswerBars(elem_id="lab-answer", aim={}, words=text.ANSWER_WORDS)
    with gr.Column(elem_classes="pane"):
        effects = EffectBars(elem_id="lab-effects", words=text.EFFECT_WORDS)
    with gr.Column(elem_classes="pane"):
        curves = DecisionCurves(elem_id="lab-curves", words=text.CURVE_WORDS)
    take = build_take_away(text.LAB_TAKE_WORDS, "lab-take")
    tab = FrameLabTab(
        gr.State(Lab()),
        gr.State(Shown()),
        gr.State(""),
        strip,
        upload,
        answer,
        effects,
        curves,
        take,
    )
    FrameLabHandlers(tab, backstage, visit).wire(opened)
    return tab


def read_address(tab: FrameLabTab, backstage: Backstage) -> Linked:
    """What of an address the lab understands, for the page that opens."""

    def read(visit: Visit, query: dict[str, str]) -> tuple[Changes, list[str]]:
        from app.frame_lab.links import read_lab  # the page is laid out before the core is loaded

        lab, notes = read_lab(backstage.analyst, visit, query)
        return ({} if lab == Lab() else {tab.lab: lab}), notes

    return read


class FrameLabHandlers:
    """What happens when the page asks for something."""

    def __init__(self, tab: FrameLabTab, backstage: Backstage, visit: gr.State) -> None:
        """`visit` names the clip and the model."""
        self.tab = tab
        self.visit = visit
        self._backstage = backstage
        self._turns = Turns()
        self._edits = Turns()

    @property
    def _desk(self) -> LabDesk:
        return self._backstage.analyst.lab

    def wire(self, opened: gr.Tab) -> None:
        """Connect the parts."""
        tab = self.tab
        both = [self.visit, tab.lab]
        edited = [*both, tab.edit]
        bench = [tab.lab, tab.edit, tab.strip, tab.answer, tab.take.offer]
        strip: Any = tab.strip  # gradio finds the names of its events in the script
        answer: Any = tab.answer
        effects: Any = tab.effects
        asked = [
            *(
                event(guarded(self.open), edited, [*bench, tab.effects], **MODEL_QUEUE)
                for event in (opened.select, strip.renew)
            ),
            answer.aim(guarded(self.aim), edited, bench, **CHOICE_QUEUE),
            strip.operate(guarded(self.operate), both, bench, **CHOICE_QUEUE),
        ]
        shown = [tab.explained, tab.effects, tab.curves]
        for event in asked:
            event.success(guarded(self.explain), [*both, tab.explained], shown, **EFFECT_QUEUE)
        arrange = guarded_answer(self.arrange)  # each page sends one at a time: `lab_edits.js`
        strip.arrange(arrange, both, [tab.answer, tab.edit, tab.take.offer], **AT_ONCE)
        tab.take.wire(self.take, edited)
        strip.splice(guarded(self.splice), both, [tab.lab, tab.strip], **MODEL_QUEUE)
        tab.upload.upload(
            guarded(self.upload),
            [*both, tab.upload],
            [tab.lab, tab.strip, tab.upload],
            **MODEL_QUEUE,
        )
        effects.halt(
            self.halt, None, None,
            queue=False, api_visibility="private", show_progress="hidden",
        )  # fmt: skip

    def open(self, visit: Visit, lab: Lab, edit: Shown) -> Iterator[Changes]:
        """The tab comes into view."""
        if visit.source is None:
            return
        if changes := self._changes(self._desk.open(visit, lab), visit, lab, edit):
            yield changes  # gradio takes an empty record for a mistake

    def arrange(self, visit: Visit, lab: Lab, event: gr.EventData, request: gr.Request) -> Changes:
        """Frames were removed, moved or replaced."""
        turn = self._edits.begin(str(request.session_hash))
        view = self._desk.answer(visit, lab, event_data(event))
        assert view.shown is not None
        if not turn.is_wanted():  # overtaken: the part that shows answers knows which is newest
            return {self.tab.answer: update(value=view.answer)}
        # The page tells the choice to "operate" too, which may come later.
        lab = replace(lab, removal=view.shown.removal, places=view.shown.places)
        return self._changes(view, visit, lab, view.shown)

    def take(self, visit: Visit, lab: Lab, edit: Shown, event: gr.EventData) -> Iterator[Changes]:
        """A file of what is shown was asked for."""
        desk = self._backstage.analyst.lab_take
        yield from self.tab.take.hand_out(event, lambda kind: desk.file(visit, lab, edit, kind))

    def _changes(self, view: LabView, visit: Visit, lab: Lab, edit: Shown) -> Changes:
        """What changes with a view, and what of it can be taken away; `edit` is that so far."""
        changes = self.tab.updates(view)
        if changes:
            offer = self._backstage.analyst.lab_take.offer
            changes[self.tab.take.offer] = offer(visit, view.lab or lab, view.shown or edit)
        return changes

    def splice(self, visit: Visit, lab: Lab, event: gr.EventData) -> Iterator[Changes]:
        """An embedded clip was chosen as the second one."""
        yield self.tab.updates(self._desk.splice_example(visit, lab, event_data(event).get("name")))

    def upload(
        self, visit: Visit, lab: Lab, path: str | None, request: gr.Request
    ) -> Iterator[Changes]:
        """A file was sent as the second clip."""
        if path is None:
            return
        yield {self.tab.upload: None}  # the same file can be chosen again
        name = Path(path).name[:NAME_LENGTH]
        visitor = str(request.session_hash)
        source = self._backstage.analyst.sources.add(Path(path), name, visitor)
        yield self.tab.updates(self._desk.splice(visit, lab, source))

    def aim(self, visit: Visit, lab: Lab, edit: Shown, event: gr.EventData) -> Iterator[Changes]:
        """Another class was asked about."""
        yield self._changes(self._desk.aim(visit, lab, event_data(event)), visit, lab, edit)

    def operate(self, visit: Visit, lab: Lab, event: gr.EventData) -> Iterator[Changes]:
        """Another way to remove frames was chosen."""
        del visit
        yield self.tab.updates(self._desk.operate(lab, event_data(event)))

    def explain(
        self, visit: Visit, lab: Lab, explained: str, request: gr.Request
    ) -> Iterator[Changes]:
        """Attention, effect and curves; nothing where the page shows them already."""
        if visit.source is None:
            return
        question = self._desk.question(visit, lab)
        if question == explained:
            return
        turn = self._turns.begin(str(request.session_hash))
        yield {self.tab.explained: ""}
        for view in self._desk.effects(visit, lab, turn.is_wanted):
            if turn.is_replaced():
                return
            yield self.tab.updates(view)
        if turn.is_wanted():
            yield {self.tab.explained: question}

    def halt(self, request: gr.Request) -> None:
        """The person has seen enough."""
        self._turns.end(str(request.session_hash))
