"""The part of the page where a model is chosen, fetched or opened from a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app import text
from app.backstage import Backstage
from app.components import FactSheet
from app.components.quick import FileButton
from app.guard import guarded, user_fault, warn
from app.visit import EMBEDDED, Visit

Changes = dict[Any, Any]
Show = Callable[[Visit, gr.Request], Iterator[Changes]]

CHECKPOINT_TYPES = [".pth", ".pt", ".safetensors"]
# Fetching takes minutes: it must not hold the queue of those who only want to look at a clip.
FETCH_QUEUE: dict[str, Any] = {
    "concurrency_id": "fetch",
    "concurrency_limit": 2,
    "api_visibility": "private",
    "show_progress": "hidden",
}
HIDDEN: dict[str, Any] = gr.update(visible=False)


@dataclass(frozen=True)
class ModelChoice:
    """The model in use: which, and what it knows."""

    choice: gr.Dropdown
    summary: FactSheet
    facts: FactSheet
    own: FileButton


@dataclass(frozen=True)
class ModelOffer:
    """Weights that are not here yet: their terms, and the ways to get them."""

    box: gr.Column
    card: FactSheet
    download: gr.Button
    cancel: gr.Button
    file: FileButton
    path: gr.Textbox
    path_button: gr.Button


def build_model_choice() -> ModelChoice:
    """Lay out the choice; the other models' names arrive when the page is opened."""
    FactSheet({"title": text.MODEL, "rows": [], "notes": [], "progress": None})
    choice = gr.Dropdown(
        [(text.WAKING, EMBEDDED)],
        value=EMBEDDED,
        label=text.MODEL,
        filterable=False,
        container=False,
        elem_id="model",
    )
    summary = FactSheet(elem_id="model-summary")
    with gr.Accordion(text.MODEL_MORE, open=False, elem_id="more"):
        facts = FactSheet(elem_id="model-facts")
        own = FileButton(text.OWN_CHECKPOINT, file_types=[".safetensors"], size="sm", elem_id="own")
    return ModelChoice(choice, summary, facts, own)


def build_model_offer(*, local: bool) -> ModelOffer:
    """Lay out the offer, hidden at first; `local`: a path on this computer may be typed in."""
    from stam_core.limits import default_limits  # the page is laid out before the core is loaded

    with (
        gr.Column(visible=False, elem_id="offer", elem_classes="pane") as box,
        gr.Row(equal_height=False),
    ):
        with gr.Column(scale=3, min_width=280):
            card = FactSheet(elem_id="card")
        with gr.Column(scale=2, min_width=260, elem_id="ways"):
            download = gr.Button(text.DOWNLOAD, variant="primary", size="md", elem_id="download")
            file = FileButton(
                text.FILE_UPLOAD.format(size=default_limits().max_upload_mib),
                file_types=CHECKPOINT_TYPES,
                size="md",
                elem_id="weights-file",
            )
            path = gr.Textbox(
                label=text.FILE_PATH,
                placeholder=text.FILE_PATH_EXAMPLE,
                visible=local,
                max_lines=1,
                elem_id="weights-path",
            )
            path_button = gr.Button(
                text.FILE_PATH_BUTTON, visible=local, size="md", elem_id="weights-path-use"
            )
            cancel = gr.Button(text.CANCEL, size="md", elem_id="stay")
    return ModelOffer(box, card, download, cancel, file, path, path_button)


class ModelHandlers:
    """What happens on the page when a model is asked for.

    A model that cannot be had leaves everything as it was, the choice included.
    """

    def __init__(
        self, chooser: ModelChoice, offer: ModelOffer, backstage: Backstage, show: Show
    ) -> None:
        """`show` analyses a visit's clip anew and yields the changes of the page that asked."""
        self.chooser = chooser
        self.offer = offer
        self.backstage = backstage
        self.show = show

    def wire(self, visit: gr.State, shown: list[Any]) -> None:
        """Connect the parts; `shown` is everything that another model may change."""
        both = [visit, self.chooser.choice]
        outputs = [*shown, self.offer.box, self.offer.card, self.offer.file, self.chooser.own]
        self.chooser.choice.input(guarded(self.choose), both, outputs, **FETCH_QUEUE)
        started = self.offer.download.click(
            guarded(self.fetch, timed=False), both, outputs, **FETCH_QUEUE
        )
        # The visit is read anew: minutes have passed, and another clip may be in view.
        started.success(guarded(self.choose), both, outputs, **FETCH_QUEUE)
        self.offer.cancel.click(
            guarded(self.stay),
            [visit],
            outputs,
            cancels=[started],
            queue=False,
            api_visibility="private",
            show_progress="hidden",
        )
        uploaded = [*both, self.offer.file]
        self.offer.file.upload(guarded(self.open_file), uploaded, outputs, **FETCH_QUEUE)
        typed = [*both, self.offer.path]
        self.offer.path_button.click(guarded(self.open_path), typed, outputs, **FETCH_QUEUE)
        own = [visit, self.chooser.own]
        self.chooser.own.upload(guarded(self.open_own), own, outputs, **FETCH_QUEUE)

    def choose(self, visit: Visit, name: str, request: gr.Request) -> Iterator[Changes]:
        """A model picked from the list: used at once if it is here, else its terms are shown."""
        models = self.backstage.analyst.models
        if name == visit.model:
            yield self._back(visit)
        elif not models.is_ready(name):
            yield {self.offer.box: gr.update(visible=True), self.offer.card: models.card(name)}
        else:
            yield from self._use(visit, name, request)

    def fetch(self, visit: Visit, name: str) -> Iterator[Changes]:
        """The download was asked for; `choose` follows."""
        try:
            for card in self.backstage.analyst.models.fetch(name):
                yield {self.offer.card: card}
        except user_fault() as problem:
            yield self._stays(visit, problem)

    def open_file(
        self, visit: Visit, name: str, path: str | None, request: gr.Request
    ) -> Iterator[Changes]:
        """A checkpoint file was sent for the model chosen in the list."""
        if path is None:
            return
        yield {self.offer.file: None, self.chooser.own: None}
        try:
            key = self.backstage.analyst.models.open_file(name, path)
        except user_fault() as problem:
            yield self._stays(visit, problem)
            return
        yield from self._use(visit, key, request)

    def open_own(self, visit: Visit, path: str | None, request: gr.Request) -> Iterator[Changes]:
        """A checkpoint that describes itself was sent."""
        yield from self.open_file(visit, EMBEDDED, path, request)

    def open_path(
        self, visit: Visit, name: str, path: str, request: gr.Request
    ) -> Iterator[Changes]:
        """The path of a checkpoint on this computer was typed in."""
        if not self.offer.path.visible:
            raise gr.Error(text.PATH_NOT_ALLOWED, title=text.PROBLEM)
        yield from self.open_file(visit, name, path, request)

    def stay(self, visit: Visit) -> Iterator[Changes]:
        """The offer was declined."""
        yield self._back(visit)

    def _use(self, visit: Visit, key: str, request: gr.Request) -> Iterator[Changes]:
        analyst = self.backstage.analyst
        visit = analyst.with_model(visit, key)
        choices = analyst.models.choices(key)
        yield {self.chooser.choice: gr.update(choices=choices, value=key), self.offer.box: HIDDEN}
        yield from self.show(visit, request)

    def _back(self, visit: Visit) -> Changes:
        return {self.chooser.choice: gr.update(value=visit.model), self.offer.box: HIDDEN}

    def _stays(self, visit: Visit, problem: Exception) -> Changes:
        warn(self.backstage.analyst.models.stays(visit.model, problem))
        return self._back(visit)
