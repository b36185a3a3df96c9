"""What every engine offers, wherever its model runs: the shared half of `Engine`.

Opening clips, classes and the checks of what is asked need a model's facts alone and are done here;
what needs the model itself is left to whoever holds it or knows who does.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar

import numpy as np
from cachetools import LRUCache

from stam_core.errors import ParameterError, UnknownNameError
from stam_core.explain import Explainer, configure, find_explainer
from stam_core.types import Cancel, Clip, CropBox, Explanation, Prediction, Progress, Target
from stam_core.video import clip_from_array, crop_box, open_clip
from stam_core.video.apart import default_pool

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from stam_core.edits import Edit
    from stam_core.models import LoadReport
    from stam_core.record import Subject
    from stam_core.types import ModelInfo

# Short side, in pixels, at which frames are kept to be looked at; more where the model needs more.
DISPLAY_SIDE = 256
CACHE_BYTES = 512 * 2**20

Decoding = Literal["here", "apart"]
P = ParamSpec("P")
Answer = TypeVar("Answer")


class AnyEngine(ABC):
    """A model that can be asked about clips."""

    info: ModelInfo
    report: LoadReport  # of its weights
    device: torch.device | str  # that it runs on
    dtype: torch.dtype  # of its matrix products

    def __init__(self, decoding: Decoding, clip_bytes: int) -> None:
        """No clip yet.

        Args:
            decoding: "here": files are decoded in this process; "apart": in one of its own.
            clip_bytes: Bound on the memory kept for decoded clips.

        Raises:
            UnknownNameError: No such way of decoding.
        """
        if decoding not in ("here", "apart"):
            raise UnknownNameError("way of decoding", decoding, ["here", "apart"])
        self.decoding = decoding
        self._clips: LRUCache[tuple[Any, ...], Clip] = LRUCache(
            clip_bytes, getsizeof=lambda clip: clip.frames.nbytes
        )
        self._lock = threading.RLock()

    def open(
        self,
        source: str | Path | NDArray[np.uint8],
        *,
        sampling: str | None = None,
        span_seconds: tuple[float, float] | None = None,
        fps: float = 25.0,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
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
            remember(self._clips, key, clip)
        return clip

    @abstractmethod
    def predict(self, clip: Clip) -> Prediction:
        """The predicted actions of a clip."""

    @abstractmethod
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

    @abstractmethod
    def assemble(self, clips: Sequence[Clip], edit: Edit) -> Prediction:
        """The answer for a clip put together from frames of one or more; see `Edit`.

        Like `edit` it runs the temporal stage alone where there is one, and is exact.

        Args:
            clips: From `open`; the slots name them by their place in this list.
            edit: Frames in their new order, and what stands where one was taken away.

        Raises:
            ParameterError: A clip or frame that is not there, or more slots than the model has.
        """

    @abstractmethod
    def ask(
        self,
        question: Callable[Concatenate[Subject, P], Answer],
        clip: Clip,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Answer:
        """What a function of the clip before the model returns; everybody else waits for it.

        For questions of many small steps (`stam_core.metrics`). The model is shared: leave no hook
        and no changed weight behind.

        Args:
            question: A function of a module, so that it can be asked on another machine too; what
                it takes and returns is small and can be pickled.
            clip: From `open`.
            args: For the question, after the subject.
            kwargs: For the question.
        """

    @abstractmethod
    def follow(
        self,
        question: Callable[Concatenate[Subject, P], Iterator[Answer]],
        clip: Clip,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Iterator[Answer]:
        """As `ask`, for a question whose answer comes in parts.

        Only until `question` returns is the model its own: what its iterator then does must not
        need the model, and others ask it meanwhile. (A generator function returns at once.)
        """

    @abstractmethod
    def _stream(
        self, clip: Clip, explainer: Explainer, target: Target | None
    ) -> Iterator[Explanation]:
        """What `stream` gives, once it is checked."""

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

    def crop_box(self, clip: Clip) -> CropBox:
        """The part of the displayed frames that the model sees."""
        height, width = clip.frames.shape[1:3]
        return crop_box(width, height, self.info.preprocessing)

    def _class_index(self, target: int | str) -> int:
        labels = self.info.labels
        if isinstance(target, str):
            if target not in labels:
                raise UnknownNameError("class", target, list(labels[:20]))
            return labels.index(target)
        if not 0 <= target < len(labels):
            raise ParameterError(f"Classes run from 0 to {len(labels) - 1}, not {target}.")
        return int(target)


def _identity(path: Path) -> tuple[str, int, int]:
    """What tells a file from another or from its earlier self; zeros where there is none."""
    try:
        facts = path.stat()
    except OSError:  # open_clip says what is wrong with it
        return str(path), 0, 0
    return str(path.resolve()), facts.st_size, facts.st_mtime_ns


def remember(cache: LRUCache[Any, Any], key: object, value: object) -> None:
    """Keep the value unless it alone is larger than the whole cache."""
    if cache.getsizeof(value) <= cache.maxsize:
        cache[key] = value
