"""Which models there are, what their weights cost, and getting them only when asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from app import text
from stam_core.errors import UnknownNameError, WeightsError
from stam_core.models import MODELS, list_models, model_info, weights_at_hand

if TYPE_CHECKING:
    from app.session import Engines
    from stam_core.types import ModelInfo

TICK_SECONDS = 0.4  # between two signs of life; a visitor who left is noticed at the next one

News = SimpleQueue[tuple[str, float] | None]


class FetchStoppedError(Exception):
    """The visitor left or pressed cancel: ends the download from within its progress callback."""


class ModelDesk:
    """Answers what the page asks about models."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    def choices(self, in_use: str) -> list[tuple[str, str]]:
        """(title, key) of every named model, and of the one in use if it came from a file."""
        choices = [(info.title, info.name) for info in list_models()]
        if in_use not in MODELS:
            choices.append((self._engines.info(in_use).title, in_use))
        return choices

    def is_ready(self, name: object) -> bool:
        """Whether a model's weights are on this computer.

        Raises:
            UnknownNameError: there is no such model.
        """
        try:
            return weights_at_hand(_known(name)) is not None
        except WeightsError:  # the file of an embedded model was removed
            return False

    def card(self, name: object) -> dict[str, Any]:
        """Source, size and licence of a model's weights, for the page.

        Raises:
            UnknownNameError: there is no such model.
        """
        info = _known(name)
        size = info.weights.n_bytes
        shown = text.SIZE.format(megabytes=size / 1e6) if size else text.CARD_UNKNOWN_SIZE
        return {
            "title": text.CARD_TITLE.format(title=info.title),
            "rows": [
                [text.CARD_SOURCE, info.weights.source],
                [text.CARD_SIZE, shown],
                [text.CARD_LICENCE, info.weights.licence],
                *published_row(info),
                [text.CARD_PAPER, f"arXiv:{info.paper}"],
            ],
            "notes": [info.summary, text.CARD_NOTE],
            "progress": None,
        }

    def fetch(self, name: str) -> Iterator[dict[str, Any]]:
        """Make a model ready in a thread of its own; yields its card with the progress.

        Closing the iterator stops the download; what has arrived is kept for the next try.

        Raises:
            StamError: the weights cannot be had.
        """
        card = self.card(name)
        news: News = SimpleQueue()
        problems: list[BaseException] = []
        stop = threading.Event()

        def told(message: str, fraction: float) -> None:
            if stop.is_set():
                raise FetchStoppedError
            news.put((message, fraction))

        def work() -> None:
            try:
                self._engines.get(name, progress=told)
            # Whatever it is, a bug included, it is raised again in the caller's thread.
            except BaseException as problem:
                problems.append(problem)
            news.put(None)

        threading.Thread(target=work, name=f"fetch {name}", daemon=True).start()
        try:
            yield from _reports(news, card)
        finally:
            stop.set()
        if problems:
            raise problems[0]

    def open_file(self, name: str, path: str) -> str:
        """Open a checkpoint file for the model `name`; the key under which it can be used.

        Raises:
            UnknownNameError: there is no such model.
            WeightsError: the file is missing, unreadable, unsafe or of another model.
        """
        if not path.strip():
            raise WeightsError(text.NO_PATH)
        try:
            file = Path(path.strip()).expanduser()
        except RuntimeError as error:  # "~somebody" who has no home folder here
            raise WeightsError(text.NO_HOME) from error
        key = self._engines.add_file(_known(name).name, file)
        self._engines.get(key)
        return key

    def stays(self, in_use: str, problem: Exception) -> str:
        """The sentence for a model that cannot be had: what happened, and which one stays."""
        return text.STAYED.format(message=problem, title=self._engines.info(in_use).title)


def published_row(info: ModelInfo) -> list[list[str]]:
    """The figures its authors state, as one row; none where they state none."""
    told = [
        text.PUBLISHED_NAMES.get(name, name + " {value:g}").format(value=value)
        for name, value in info.published.items()
    ]
    return [[text.CARD_PUBLISHED, ", ".join(told)]] if told else []


def _known(name: object) -> ModelInfo:
    if not isinstance(name, str) or name not in MODELS:
        raise UnknownNameError("model", str(name)[:80], list(MODELS))
    return model_info(name)


def _reports(news: News, card: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The card with the latest news, at most every TICK_SECONDS, until None arrives."""
    latest: tuple[str, float] | None = ("", 0.0)
    while True:
        try:
            latest = news.get(timeout=TICK_SECONDS)
            while latest is not None and not news.empty():
                latest = news.get()
        except Empty:
            pass  # nothing new: yield the same once more, so that a visitor who left is noticed
        if latest is None:
            return
        message, fraction = latest
        yield {**card, "notes": [message], "progress": fraction}
