"""The tab "Learn": how space-time attention works, by chapters, on the visitor's own clip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from app.backstage import Backstage
from app.components import update
from app.components.learn import LessonFigure, LessonNav
from app.events import AT_ONCE, MODEL_QUEUE, event_data
from app.guard import guarded, guarded_answer, warn
from app.learn import text
from app.learn.state import Learn
from app.visit import Visit

# What handlers take is imported here, not below: gradio reads their annotations.
if TYPE_CHECKING:
    from app.learn.desk import LearnView

Changes = dict[Any, Any]

# What takes seconds must not keep others from their figures.
TRIAL_QUEUE: dict[str, Any] = MODEL_QUEUE | {"concurrency_id": "trial", "concurrency_limit": 1}
FORMULAS = [
    {"left": "$$", "right": "$$", "display": True},
    {"left": "$", "right": "$", "display": False},
]


@dataclass(frozen=True)
class LearnTab:
    """The parts of the tab that handlers write to."""

    learn: gr.State
    nav: LessonNav
    figure: LessonFigure

    def updates(self, view: LearnView) -> Changes:
        """What gradio is to change for a view: only what the view has."""
        changes: Changes = {} if view.learn is None else {self.learn: view.learn}
        figure: dict[str, Any] = {}
        if view.clip is not None:
            figure["clip"] = view.clip
            changes[self.nav] = update(example=view.clip["example"] or "")
        if view.lesson is not None:
            number, data = view.lesson
            figure[f"lesson{number}"] = data
        if figure:
            changes[self.figure] = update(**figure)
        return changes


def build_learn_tab(backstage: Backstage, *, visit: gr.State, opened: gr.Tab) -> LearnTab:
    """Lay the tab out and connect it.

    Args:
        backstage: has the core.
        visit: the clip and model chosen in the tab "Inspect".
        opened: this tab; the clip is read when it comes into view.
    """
    gr.Markdown(text.INTRO, elem_id="learn-intro")
    with gr.Column(elem_id="learn-book"):
        nav = LessonNav(elem_id="learn-nav", example="", words=text.NAV_WORDS)
        with gr.Row(elem_id="learn-page"):
            with gr.Column(scale=4, min_width=280, elem_classes="pane", elem_id="learn-texts"):
                for chapter in text.CHAPTERS:
                    gr.Markdown(
                        f"## {chapter.number}. {chapter.title}\n{chapter.text}",
                        elem_id=f"learn-text-{chapter.number}",
                        elem_classes="learn-text",
                        latex_delimiters=FORMULAS,
                    )
            with gr.Column(scale=9, min_width=300, elem_classes="pane", elem_id="learn-figures"):
                lessons: dict[str, Any] = {f"lesson{c.number}": {} for c in text.CHAPTERS}
                figure = LessonFigure(
                    elem_id="learn-figure", clip={}, words=text.FIGURE_WORDS, **lessons
                )
    tab = LearnTab(gr.State(Learn()), nav, figure)
    _wire(tab, backstage, visit, opened)
    return tab


def _wire(tab: LearnTab, backstage: Backstage, visit: gr.State, opened: gr.Tab) -> None:
    def show(view: LearnView) -> Iterator[Changes]:
        if view.note is not None:
            warn(view.note)
        if changes := tab.updates(view):  # gradio takes an empty record for a mistake
            yield changes

    def open_tab(visit: Visit, learn: Learn) -> Iterator[Changes]:
        yield from show(backstage.analyst.learn.open(visit, learn))

    def fall_back(visit: Visit, learn: Learn) -> Iterator[Changes]:
        yield from show(backstage.analyst.learn.fall_back(visit, learn))

    def ask(visit: Visit, learn: Learn, event: gr.EventData) -> Changes:
        views = backstage.analyst.learn.answer(visit, learn, event_data(event), at_once=True)
        return tab.updates(next(views))

    def attempt(visit: Visit, learn: Learn, event: gr.EventData) -> Iterator[Changes]:
        for view in backstage.analyst.learn.answer(visit, learn, event_data(event)):
            yield from show(view)

    figure: Any = tab.figure  # gradio finds the names of its events in the script
    both = [visit, tab.learn]
    shown = [tab.learn, tab.nav, tab.figure]
    for event in (opened.select, figure.renew):
        event(guarded(open_tab), both, shown, **MODEL_QUEUE)
    figure.example(guarded(fall_back), both, shown, **MODEL_QUEUE)
    figure.ask(guarded_answer(ask), both, tab.figure, **AT_ONCE)
    figure.reckon(guarded(attempt), both, shown, **MODEL_QUEUE)
    figure.attempt(guarded(attempt), both, shown, **TRIAL_QUEUE)
