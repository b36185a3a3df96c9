"""The engine: one model, made ready, and everything that can be asked of it about a clip.

The browser, Python and the command line all go through here and get the same numbers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch
from cachetools import LRUCache

from stam_core.device import pick_device, pick_dtype
from stam_core.edits import Edit, check_edit, put_together
from stam_core.errors import ParameterError, UnknownNameError
from stam_core.explain import Explainer, configure, find_explainer
from stam_core.explain.base import Scores, set_down
from stam_core.models import load_model
from stam_core.record import Subject, VideoModel, embeds_frames
from stam_core.types import Clip, CropBox, Explanation, Prediction, Progress, Target
from stam_core.video import clip_from_array, crop_box, open_clip, preprocess
from stam_core.video.apart import default_pool

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Short side, in pixels, at which frames are kept to be looked at; more where the model needs more.
DISPLAY_SIDE = 256
CACHE_BYTES = 512 * 2**20
MAX_EDITED_FRAMES = 256


def _softmax(logits: torch.Tensor, labels: tuple[str, ...]) -> Prediction:
    logits = logits.float().cpu()
    return Prediction(logits.numpy(), logits.softmax(dim=-1).numpy(), labels)


class Engine:
    """One model with its weights on one device; safe to use from several threads.

    The first question about a clip runs the model once and records what explanations need (about
    a tenth more than a plain pass); every later question about that clip reuses it.
    """

    def __init__(
        self,
        model: str = "stam-actions",
        *,
        weights: str | Path | None = None,
        device: str = "auto",
        dtype: str = "auto",
        cache_bytes: int = CACHE_BYTES,
        decoding: Literal["here", "apart"] = "here",
        progress: Progress | None = None,
    ) -> None:
        """Load a model.

        Args:
            model: A name from `list_models()`.
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
        if decoding not in ("here", "apart"):
            raise UnknownNameError("way of decoding", decoding, ["here", "apart"])
        self.decoding = decoding
        self.device = pick_device(device)
        self.dtype = pick_dtype(dtype, self.device)
        loaded = load_model(model, weights=weights, progress=progress)
        self.info = loaded.info
        self.report = loaded.report
        self.model = loaded.model.eval().requires_grad_(False).to(self.device)
        if dtype == "auto" and not embeds_frames(self._video_model):
            # Here methods compare whole passes, whose differences rounding must not drown.
            self.dtype = torch.float32
        self._lock = threading.RLock()
        self._clips: LRUCache[tuple[Any, ...], Clip] = LRUCache(
            cache_bytes // 2, getsizeof=lambda clip: clip.frames.nbytes
        )
        self._subjects: LRUCache[str, Subject] = LRUCache(
            cache_bytes // 2, getsizeof=lambda subject: subject.n_bytes
        )

    @property
    def _video_model(self) -> VideoModel:
        return cast("VideoModel", self.model)

    def open(
        self,
        source: str | Path | NDArray[np.uint8],
        *,
        sampling: str | None = None,
        span_seconds: tuple[float, float] | None = None,
        fps: float = 25.0,
        progress: Progress | None = None,
        cancel: threading.Event | None = None,
    ) -> Clip:
        """Decode the frames this model looks at.

        Args:
            source: A video file, or an array [n,H,W,3] uint8 RGB.
            sampling: "uniform" or "official"; None: the model's default.
            span_seconds: (start, end) of the part to look at; None: all of it.
            fps: Frames per second of an array.
            progress: Called with a sentence and a share in [0,1].
            cancel: Once set, decoding apart ends at once; decoding here runs to its end.

        Raises:
            VideoError: Not a video that can be decoded.
            SamplingError: The span holds no frame, or the policy is unknown.
        """
        options: dict[str, Any] = {
            "num_frames": self.info.num_frames,
            "policy": sampling or self.info.sampling,
            "span_seconds": span_seconds,
            "official_fps": self.info.official_fps,
            "official_rule": self.info.official_rule,
            "short_side": max(DISPLAY_SIDE, self.info.preprocessing.resize_side),
        }
        if isinstance(source, np.ndarray):
            return clip_from_array(source, fps=fps, **options)
        path = Path(source)
        key = (_identity(path), *(str(value) for value in options.values()))
        with self._lock:
            known = self._clips.get(key)
        if known is not None:
            return known
        if self.decoding == "apart":
            clip = default_pool().open_clip(path, progress=progress, cancel=cancel, **options)
        else:
            clip = open_clip(path, progress=progress, **options)
        with self._lock:
            _remember(self._clips, key, clip)
        return clip

    def predict(self, clip: Clip) -> Prediction:
        """The predicted actions of a clip."""
        with self._lock:
            subject = self._subject(clip)
            logits = subject.trace().logits
            self._keep(clip, subject)
        return _softmax(logits, self.info.labels)

    def explain(
        self,
        clip: Clip,
        *,
        method: str = "rollout",
        target: int | str | None = None,
        foil: int | str | None = None,
        **parameters: Any,  # noqa: ANN401 - each method's own fields, checked against them
    ) -> Explanation:
        """Raw scores of one method for one clip.

        Args:
            clip: From `open`.
            method: A key of `EXPLAINERS`.
            target: Class index or label for methods that use one; None: the predicted class.
            foil: Class that the target is held against ("why not this one?"); None: none.
            parameters: The method's own; see `parameter_specs`.

        Raises:
            UnknownNameError: No such method, parameter or label.
            ParameterError: A value is out of range.
        """
        for explanation in self.stream(clip, method=method, target=target, foil=foil, **parameters):
            last = explanation
        return last

    def stream(
        self,
        clip: Clip,
        *,
        method: str,
        target: int | str | None = None,
        foil: int | str | None = None,
        **parameters: Any,  # noqa: ANN401
    ) -> Iterator[Explanation]:
        """As `explain`, partial explanations first where the method has any; the last is whole.

        The model is free for others between two of them; whoever has seen enough closes the stream.
        """
        found = find_explainer(method)
        explainer = configure(found, self.info, parameters)
        asked = None
        if found.info.uses_target:
            asked = self.target(clip, target, foil)
        elif target is not None or foil is not None:
            self._check_classes(target, foil)
        return self._stream(clip, explainer, asked)

    def target(
        self, clip: Clip, target: int | str | None = None, foil: int | str | None = None
    ) -> Target:
        """The class to speak about, None: the predicted one; and the one it is held against.

        Raises:
            UnknownNameError: no such label.
            ParameterError: no such class, or a class against itself.
        """
        index, other = self._check_classes(target, foil)
        if index is None:
            index = int(self.predict(clip).logits.argmax())
        if other == index:
            raise ParameterError(
                f"{self.info.labels[index]!r} cannot be held against itself. Choose another class."
            )
        return Target(index, other)

    def _check_classes(
        self, target: int | str | None, foil: int | str | None
    ) -> tuple[int | None, int | None]:
        return (
            None if target is None else self._class_index(target),
            None if foil is None else self._class_index(foil),
        )

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
        """The answer for other frames of the clip: dropped, reordered or repeated.

        Where the model embeds frames one by one, only its temporal stage runs again. The result is
        exactly that of the edited clip.

        Args:
            clip: From `open`.
            frames: Positions 0..T-1 in the clip, in their new order; empty: no frame at all.
            positions: "close": the frames take the slots 0, 1, 2, ... (at most T of them);
                "keep": each keeps the slot it had, so that dropping leaves a gap.

        Raises:
            ParameterError: A frame that is not there, or more frames than slots.
        """
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
        """The answer for a clip put together from frames of one or more; see `Edit`.

        Like `edit` it runs the temporal stage alone where there is one, and is exact.

        Args:
            clips: From `open`; the slots name them by their place in this list.
            edit: Frames in their new order, and what stands where one was taken away.

        Raises:
            ParameterError: A clip or frame that is not there, or more slots than the model has.
        """
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

    def crop_box(self, clip: Clip) -> CropBox:
        """The part of the displayed frames that the model sees."""
        height, width = clip.frames.shape[1:3]
        return crop_box(width, height, self.info.preprocessing)

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

    def _class_index(self, target: int | str) -> int:
        labels = self.info.labels
        if isinstance(target, str):
            if target not in labels:
                raise UnknownNameError("class", target, list(labels[:20]))
            return labels.index(target)
        if not 0 <= target < len(labels):
            raise ParameterError(f"Classes run from 0 to {len(labels) - 1}, not {target}.")
        return int(target)

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
        _remember(self._subjects, clip.digest, subject)


def _identity(path: Path) -> tuple[str, int, int]:
    """What tells a file from another or from its earlier self; zeros where there is none."""
    try:
        facts = path.stat()
    except OSError:  # open_clip says what is wrong with it
        return str(path), 0, 0
    return str(path.resolve()), facts.st_size, facts.st_mtime_ns


def _remember(cache: LRUCache[Any, Any], key: object, value: object) -> None:
    """Keep the value unless it alone is larger than the whole cache."""
    if cache.getsizeof(value) <= cache.maxsize:
        cache[key] = value
