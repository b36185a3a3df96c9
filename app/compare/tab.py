"""The tab "Compare": two methods, classes, models or clips side by side, and what each is worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from app import text
from app.backstage import Backstage
from app.compare.state import Pair
from app.components import FrameStrip, ParameterPanel, update
from app.components.compare import Scoreboard
from app.events import MODEL_QUEUE, event_data
from app.guard import guarded
from app.takeaway.part import Linked, TakeAway, build_take_away
from app.turns import Turns
from app.visit import Visit

if TYPE_CHECKING:
    from app.compare.desk import CompareView

Changes = dict[Any, Any]
SIDES = ("a", "b")


@dataclass(frozen=True)
class CompareTab:
    """The parts of the tab that handlers write to."""

    pair: gr.State
    panels: tuple[ParameterPanel, ParameterPanel]
    strips: tuple[FrameStrip, FrameStrip]
    board: Scoreboard
    take: TakeAway

    @property
    def shown(self) -> list[Any]:
        """Everything that a change of one side can change."""
        return [self.pair, *self.panels, *self.strips, self.board, self.take.offer]

    def updates(self, view: CompareView) -> Changes:
        """What gradio is to change for a view: only what the view has."""
        changes: Changes = {} if view.pair is None else {self.pair: view.pair}
        for index, strip in enumerate(self.strips):
            panel, clip = view.panels[index], view.clips[index]
            if panel is not None:
                changes[self.panels[index]] = panel
            new: dict[str, Any] = {} if clip is None else {"clip": clip}
            if view.scores is not None:
                new["value"] = view.scores[index]
            if new:
                changes[strip] = update(**new)
        if view.board is not None:
            changes[self.board] = view.board
        if view.take is not None:
            changes[self.take.offer] = view.take
        return changes


def build_compare_tab(backstage: Backstage, *, visit: gr.State, opened: gr.Tab) -> CompareTab:
    """Lay the tab out and connect it.

    Args:
        backstage: has the core.
        visit: the clip and model chosen in the tab "Inspect", with which the comparison begins.
        opened: this tab; the comparison is made when it comes into view.
    """
    gr.Markdown(text.COMPARE_INTRO, elem_id="compare-intro")
    panels, strips = [], []
    with gr.Column(elem_id="compare-bench"):
        for side in SIDES:
            with gr.Column(elem_classes="pane", elem_id=f"compare-{side}"):
                panels.append(
                    ParameterPanel(elem_id=f"compare-panel-{side}", words=text.PANEL_WORDS)
                )
            with gr.Column(elem_classes="pane", elem_id=f"compare-frames-{side}"):
                strips.append(
                    FrameStrip(
                        elem_id=f"compare-strip-{side}",
                        clip=None,
                        words=text.STRIP_WORDS,
                        half=True,
                        # The right side is drawn as the left one's toolbar says.
                        follows="#compare-frames-a" if side == "b" else "",
                    )
                )
    with gr.Column(elem_classes="pane"):
        board = Scoreboard(elem_id="compare-board", words=text.COMPARE_SCORE_WORDS)
    take = build_take_away(text.COMPARE_TAKE_WORDS, "compare-take")
    tab = CompareTab(gr.State(Pair()), (panels[0], panels[1]), (strips[0], strips[1]), board, take)
    _wire(tab, backstage, visit, opened)
    return tab


def read_address(tab: CompareTab, backstage: Backstage) -> Linked:
    """What of an address the comparison understands, for the page that opens."""

    def read(visit: Visit, query: dict[str, str]) -> tuple[Changes, list[str]]:
        from app.compare.links import read_pair  # the page is laid out before the core is loaded

        pair, notes = read_pair(backstage.analyst, visit, query)
        return ({tab.pair: pair} if pair.linked else {}), notes

    return read


def _wire(tab: CompareTab, backstage: Backstage, visit: gr.State, opened: gr.Tab) -> None:
    turns = Turns()

    def open_tab(visit: Visit, pair: Pair, request: gr.Request) -> Iterator[Changes]:
        if visit.source is None or backstage.analyst.compare.is_open(visit, pair):
            return
        turn = turns.begin(str(request.session_hash))
        for view in turn.follow(backstage.analyst.compare.open(visit, pair)):
            yield tab.updates(view)

    def adjust(side: int) -> Callable[..., Iterator[Changes]]:
        def handler(pair: Pair, event: gr.EventData, request: gr.Request) -> Iterator[Changes]:
            data = event_data(event)
            turn = turns.begin(str(request.session_hash), data.get("asked"))
            for view in turn.follow(backstage.analyst.compare.adjust(pair, side, data)):
                yield tab.updates(view)

        return guarded(handler)

    def take(pair: Pair, event: gr.EventData) -> Iterator[Changes]:
        desk = backstage.analyst.compare_take
        yield from tab.take.hand_out(event, lambda kind: desk.file(pair, kind))

    tab.take.wire(take, [tab.pair])
    board: Any = tab.board  # gradio finds the names of its events in the script
    for event in (opened.select, board.renew):
        event(guarded(open_tab), [visit, tab.pair], tab.shown, **MODEL_QUEUE)
    for side, panel in enumerate(tab.panels):
        asked: Any = panel
        asked.adjust(adjust(side), [tab.pair], tab.shown, **MODEL_QUEUE)
