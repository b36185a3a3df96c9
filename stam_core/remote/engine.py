"""An engine whose model runs elsewhere; the same questions, the same answers, the same errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

from cachetools import LRUCache

from stam_core.any_engine import CACHE_BYTES, AnyEngine, Decoding, remember
from stam_core.edits import Edit
from stam_core.engine import Engine
from stam_core.explain import Explainer
from stam_core.models import load_model
from stam_core.record import Subject
from stam_core.remote.replica import facts
from stam_core.remote.work import Caller, Sent, Work
from stam_core.types import Clip, Explanation, Prediction, Progress, Target

SENT_BYTES = 64 * 2**20  # of decoded clips kept where replicas can fetch them
PREDICTIONS_KEPT = 512  # of a few kB

P = ParamSpec("P")
Answer = TypeVar("Answer")


class RemoteEngine(AnyEngine):
    """One model that replicas hold; safe to use from several threads.

    Weights are read here, once, and sent to a replica when it needs them: a replica reads no files
    and fetches nothing. Which of them answers is the caller's choice.
    """

    def __init__(
        self,
        model: str = "stam-actions",
        *,
        caller: Caller,
        weights: str | Path | None = None,
        cache_bytes: int = CACHE_BYTES,
        decoding: Decoding = "here",
        progress: Progress | None = None,
    ) -> None:
        """Load a model's weights and let a first replica make it ready.

        Args:
            model: A name from `list_models()`.
            caller: Brings questions to replicas.
            weights: A checkpoint file or https URL in place of the model's own source.
            cache_bytes: As of `Engine`; here half of it is for decoded clips.
            decoding: As of `Engine`; files are always decoded on this machine.
            progress: Called with a sentence and a share in [0,1] while weights are fetched.

        Raises:
            UnknownNameError: No such model.
            WeightsError: The weights are not there, unreadable, or another model's.
            RemoteError: No replica answered.
        """
        super().__init__(decoding, cache_bytes // 2)
        loaded = load_model(model, weights=weights, progress=progress)
        self.info, self.report = loaded.info, loaded.report
        self._caller = caller
        self._model = Sent(f"{self.info.name} {self.report.sha256}", caller.put(loaded))
        self._sent: LRUCache[str, tuple[int, Sent]] = LRUCache(SENT_BYTES, lambda kept: kept[0])
        self._predictions: LRUCache[str, Prediction] = LRUCache(PREDICTIONS_KEPT)
        self.device, self.dtype = caller.call(Work(facts, self._model))

    def predict(self, clip: Clip) -> Prediction:
        """The predicted actions of a clip; asked once, as most questions need them first."""
        with self._lock:
            known = self._predictions.get(clip.digest)
        if known is not None:
            return known
        found: Prediction = self._caller.call(self._work(Engine.predict, [clip]))
        with self._lock:
            self._predictions[clip.digest] = found
        return found

    def edit(
        self,
        clip: Clip,
        *,
        frames: Sequence[int],
        positions: Literal["close", "keep"] = "close",
    ) -> Prediction:
        """See `AnyEngine.edit`."""
        work = self._work(Engine.edit, [clip], frames=frames, positions=positions)
        found: Prediction = self._caller.call(work)
        return found

    def assemble(self, clips: Sequence[Clip], edit: Edit) -> Prediction:
        """See `AnyEngine.assemble`."""
        found: Prediction = self._caller.call(self._work(_assembled, clips, edit=edit))
        return found

    def ask(
        self,
        question: Callable[Concatenate[Subject, P], Answer],
        clip: Clip,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Answer:
        """See `AnyEngine.ask`."""
        found: Answer = self._caller.call(self._work(_asked, [clip], question, args, kwargs))
        return found

    def follow(
        self,
        question: Callable[Concatenate[Subject, P], Iterator[Answer]],
        clip: Clip,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Iterator[Answer]:
        """See `AnyEngine.follow`."""
        return self._caller.parts(self._work(_followed, [clip], question, args, kwargs))

    def _stream(
        self, clip: Clip, explainer: Explainer, target: Target | None
    ) -> Iterator[Explanation]:
        return self._caller.parts(self._work(Engine._stream, [clip], explainer, target))

    def _work(
        self,
        question: Callable[..., Any],
        clips: Sequence[Clip],
        *arguments: Any,  # noqa: ANN401 - the question's own
        **named: Any,  # noqa: ANN401
    ) -> Work:
        sent = tuple(self._send(clip) for clip in clips)
        return Work(question, self._model, sent, arguments, named)

    def _send(self, clip: Clip) -> Sent:
        """Put the clip where replicas find it, once; one that was pushed out is put there again."""
        with self._lock:
            known = self._sent.get(clip.digest)
            if known is not None:
                return known[1]
        sent = Sent(clip.digest, self._caller.put(clip))
        with self._lock:
            remember(self._sent, clip.digest, (clip.frames.nbytes, sent))
        return sent


def _assembled(engine: Engine, *clips: Clip, edit: Edit) -> Prediction:
    return engine.assemble(clips, edit)


def _asked(
    engine: Engine,
    clip: Clip,
    question: Callable[..., Answer],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Answer:
    return engine.ask(question, clip, *args, **kwargs)


def _followed(
    engine: Engine,
    clip: Clip,
    question: Callable[..., Iterator[Answer]],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Iterator[Answer]:
    return engine.follow(question, clip, *args, **kwargs)
