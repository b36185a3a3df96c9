"""The engine: one model, made ready, and everything that can be asked of it about a clip.

The browser, Python and the command line all go through here and get the same numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Concatenate, Literal, ParamSpec, TypeVar, cast

import numpy as np
import torch
from cachetools import LRUCache

from stam_core.any_engine import CACHE_BYTES, DISPLAY_SIDE, AnyEngine, Decoding, remember
from stam_core.device import pick_device, pick_dtype
from stam_core.edits import Edit, check_edit, put_together
from stam_core.errors import ParameterError
from stam_core.explain import Explainer
from stam_core.explain.base import Scores, set_down
from stam_core.models import LoadedModel, load_model
from stam_core.record import Subject, VideoModel, embeds_frames
from stam_core.types import Clip, Explanation, Prediction, Progress, Target
from stam_core.video import preprocess

__all__ = ["CACHE_BYTES", "DISPLAY_SIDE", "MAX_EDITED_FRAMES", "Engine"]

MAX_EDITED_FRAMES = 256
P = ParamSpec("P")
Answer = TypeVar("Answer")


def _softmax(logits: torch.Tensor, labels: tuple[str, ...]) -> Prediction:
    logits = logits.float().cpu()
    return Prediction(logits.numpy(), logits.softmax(dim=-1).numpy(), labels)


class Engine(AnyEngine):
    """One model with its weights on one device; safe to use from several threads.

    The first question about a clip runs the model once and records what explanations need (about
    a tenth more than a plain pass); every later question about that clip reuses it.
    """

    def __init__(
        self,
        model: str | LoadedModel = "stam-actions",
        *,
        weights: str | Path | None = None,
        device: str = "auto",
        dtype: str = "auto",
        cache_bytes: int = CACHE_BYTES,
        decoding: Decoding = "here",
        progress: Progress | None = None,
    ) -> None:
        """Load a model.

        Args:
            model: A name from `list_models()`, or a model that was loaded already; its own module
                is then the one in use.
            weights: A checkpoint file or https URL in place of the model's own source.
            device: "auto", "cpu", "cuda", ...
            dtype: "auto", "float32", "bfloat16" or "float16", of all but a temporal stage, which
                is always float32; "auto" is float32 where a model has no such stage.
            cache_bytes: Bound on the memory kept for decoded clips and recordings.
            decoding: "here": files are decoded in this process; "apart": in one of its own, for
                files nobody vouches for (docs/SECURITY.md).
            progress: Called with a sentence and a share in [0,1] while weights are fetched.

        Raises:
            UnknownNameError: No such model.
            WeightsError: The weights are not there, unreadable, or another model's.
            ParameterError: No such device or type, or way of decoding.
        """
        super().__init__(decoding, cache_bytes // 2)
        self.device: torch.device = pick_device(device)
        self.dtype = pick_dtype(dtype, self.device)
        loaded = (
            load_model(model, weights=weights, progress=progress)
            if isinstance(model, str)
            else model
        )
        self.info = loaded.info
        self.report = loaded.report
        self.model = loaded.model.eval().requires_grad_(False).to(self.device)
        if dtype == "auto" and not embeds_frames(self._video_model):
            # Here methods compare whole passes, whose differences rounding must not drown.
            self.dtype = torch.float32
        self._subjects: LRUCache[str, Subject] = LRUCache(
            cache_bytes // 2, getsizeof=lambda subject: subject.n_bytes
        )

    @property
    def _video_model(self) -> VideoModel:
        return cast("VideoModel", self.model)

    def predict(self, clip: Clip) -> Prediction:
        """The predicted actions of a clip."""
        with self._lock:
            subject = self._subject(clip)
            logits = subject.trace().logits
            self._keep(clip, subject)
        return _softmax(logits, self.info.labels)

    def _stream(
        self, clip: Clip, explainer: Explainer, target: Target | None
    ) -> Iterator[Explanation]:
        steps: Iterator[Scores] | None = None
        seconds = passes = 0.0  # of the computing for this stream alone
        while True:
            with self._lock:
                subject = self._subject(clip)
                started, counted = time.perf_counter(), subject.meter.passes
                steps = steps or explainer.stream(subject, target)
                scores = next(steps, None)
                self._keep(clip, subject)
                seconds += time.perf_counter() - started
                passes += subject.meter.passes - counted
            if scores is None:
                return
            yield set_down(
                explainer, scores, target,
                scheme=self.info.scheme, seconds=seconds, passes=passes,
            )  # fmt: skip

    def edit(
        self,
        clip: Clip,
        *,
        frames: Sequence[int],
        positions: Literal["close", "keep"] = "close",
    ) -> Prediction:
        """See `AnyEngine.edit`."""
        n_slots = self.info.num_frames
        chosen = self._chosen_frames(frames, clip.num_frames)
        if positions == "close" and len(chosen) > n_slots:
            raise ParameterError(
                f"{len(chosen)} frames do not fit the model's {n_slots} slots. Use fewer frames."
            )
        slots = chosen if positions == "keep" else list(range(len(chosen)))
        with self._lock:
            subject = self._subject(clip)
            embeddings = subject.frame_embeddings[chosen]
            logits = subject.classify(embeddings[None], torch.tensor([slots], dtype=torch.long))[0]
            self._keep(clip, subject)
        return _softmax(logits, self.info.labels)

    def assemble(self, clips: Sequence[Clip], edit: Edit) -> Prediction:
        """See `AnyEngine.assemble`."""
        check_edit(edit, clips, self.info.num_frames)
        own = []
        with self._lock:
            for clip in clips:
                subject = self._subject(clip)
                own.append(subject.frame_embeddings)
                self._keep(clip, subject)
            embeddings, places = put_together(own, edit)
            logits = subject.classify(embeddings[None], places[None])[0]
        return _softmax(logits, self.info.labels)

    def ask(
        self,
        question: Callable[Concatenate[Subject, P], Answer],
        clip: Clip,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Answer:
        """See `AnyEngine.ask`."""
        with self.subject(clip) as subject:
            return question(subject, *args, **kwargs)

    def follow(
        self,
        question: Callable[Concatenate[Subject, P], Iterator[Answer]],
        clip: Clip,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Iterator[Answer]:
        """See `AnyEngine.follow`."""
        yield from self.ask(question, clip, *args, **kwargs)

    @contextmanager
    def subject(self, clip: Clip) -> Iterator[Subject]:
        """The clip before the model, for as long as the block lasts; everybody else waits.

        For questions of many small steps (`stam_core.metrics`). The model is shared: leave no hook
        and no changed weight behind.
        """
        with self._lock:
            subject = self._subject(clip)
            yield subject
            self._keep(clip, subject)

    def _chosen_frames(self, frames: Sequence[int], num_frames: int) -> list[int]:
        if len(frames) > MAX_EDITED_FRAMES:
            raise ParameterError(f"An edit holds at most {MAX_EDITED_FRAMES} frames.")
        for frame in frames:
            if isinstance(frame, bool) or not isinstance(frame, (int, np.integer)):
                raise ParameterError(f"Frames are whole numbers, not {frame!r}.")
            if not 0 <= frame < num_frames:
                raise ParameterError(
                    f"There is no frame {frame}: the clip has frames 0 to {num_frames - 1}."
                )
        return [int(frame) for frame in frames]

    def _subject(self, clip: Clip) -> Subject:
        """The clip as the model's input, remembered; the lock must be held."""
        known = self._subjects.get(clip.digest)
        if known is not None:
            return known
        if clip.num_frames != self.info.num_frames:
            raise ParameterError(
                f"The clip holds {clip.num_frames} frames and {self.info.name} takes "
                f"{self.info.num_frames}. Open the video with this engine."
            )
        x, _ = preprocess(clip.frames, self.info.preprocessing)  # [T,3,S,S]
        return Subject(
            self._video_model, x.to(self.device), self.info.patch_grid, self.dtype,
            self.info.preprocessing.mean, self.info.preprocessing.std,
        )  # fmt: skip

    def _keep(self, clip: Clip, subject: Subject) -> None:
        """Put the subject back with its new size; the lock must be held."""
        self._subjects.pop(clip.digest, None)
        remember(self._subjects, clip.digest, subject)
