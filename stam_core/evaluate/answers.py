"""Pixels of clips in, the model's answers out, in batches that all have the same shape.

The products of matrices of another shape are rounded in another order, so the same clip in a batch
of 3 and in one of 8 differs in the last digits. Every batch is therefore filled up to the same
size: what else is in it, and where a clip stands in it, then changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray

from stam_core.evaluate.errors import EvaluationError
from stam_core.record import VideoModel, classify_clips, embed_frames

if TYPE_CHECKING:
    from torch import nn

    from stam_core.types import ModelInfo

Tag = TypeVar("Tag")
# Tokens that pass through together when no batch is asked for: on a CPU what stays near the cache,
# on a GPU enough to fill it (STAM-16: 2 and 20 clips).
CPU_TOKENS = 8_192
GPU_TOKENS = 65_536


MOST_WAITING = 16  # clips without pixels that wait for a batch to be full


@dataclass(frozen=True, eq=False)
class Given(Generic[Tag]):
    """One clip to answer for."""

    tag: Tag  # whatever tells the clip
    target: int  # its true class
    pixels: NDArray[np.uint8] | None  # [T,3,S,S]; None: it cannot be used


@dataclass(frozen=True)
class Answer:
    """What the model says about one clip."""

    predicted: int  # class index
    probability: float  # of the predicted class, in [0,1]
    rank: int  # of the true class: 1 is the likeliest


def default_batch(info: ModelInfo, device: torch.device) -> int:
    """Clips per batch that suit the model's size and the kind of device."""
    height, width = info.patch_grid
    tokens = info.num_frames * (height * width + 1)
    return max(1, (CPU_TOKENS if device.type == "cpu" else GPU_TOKENS) // tokens)


class Answerer:
    """A model on its device that answers for clips."""

    def __init__(
        self,
        model: nn.Module,
        info: ModelInfo,
        *,
        device: torch.device,
        dtype: torch.dtype,
        batch: int,
    ) -> None:
        """Put the model on the device, in eval mode.

        Args:
            model: of any scheme.
            info: of the model.
            device: to run on.
            dtype: float32, or the type of the matrix products (but for a temporal stage).
            batch: clips that pass through together.
        """
        self.model = cast("VideoModel", model.eval().requires_grad_(False).to(device))
        self.device, self.dtype, self.batch = device, dtype, batch
        shape = (1, 1, 3, 1, 1)
        self.mean = torch.tensor(info.preprocessing.mean, device=device).view(shape)
        self.std = torch.tensor(info.preprocessing.std, device=device).view(shape)

    def logits(self, clips: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
        """At most `batch` clips [T,3,S,S] u8 -> logits [n,K]; a GPU may still be at work on them.

        Raises:
            EvaluationError: the batch does not fit into the GPU's memory.
        """
        pixels = np.zeros((self.batch, *clips[0].shape), np.uint8)
        pixels[: len(clips)] = clips
        try:
            with torch.inference_mode():
                return self._forward(torch.from_numpy(pixels))[: len(clips)]
        except torch.cuda.OutOfMemoryError as error:
            raise EvaluationError(
                f"A batch of {self.batch} clips does not fit into the GPU's memory. "
                "Use a smaller --batch; the clips done so far are kept."
            ) from error

    def _forward(self, pixels: torch.Tensor) -> torch.Tensor:
        if self.device.type == "cuda":
            pixels = pixels.pin_memory()
        x = pixels.to(self.device, non_blocking=True).float().div_(255.0)
        x = x.sub_(self.mean).div_(self.std)  # [B,T,3,S,S]
        frames = x.flatten(0, 1)  # [B*T,3,S,S]
        embeddings = embed_frames(self.model, frames, dtype=self.dtype, at_once=len(frames))
        return classify_clips(self.model, embeddings.view(*x.shape[:2], -1), dtype=self.dtype)

    def answers(self, clips: Iterable[Given[Tag]]) -> Iterator[list[tuple[Tag, Answer | None]]]:
        """Answers for a stream of clips, a batch at a time.

        While a GPU computes a batch, the next one is gathered.

        Args:
            clips: in any order.

        Yields:
            The clips of one batch with their answers; None where there are no pixels, or where a
            logit is not a number.
        """
        before: tuple[list[Given[Tag]], torch.Tensor | None] | None = None
        for group in _groups(clips, self.batch):
            pixels = [clip.pixels for clip in group if clip.pixels is not None]
            logits = self.logits(pixels) if pixels else None
            if before is not None:
                yield _scored(*before)
            before = group, logits
        if before is not None:
            yield _scored(*before)


def _groups(clips: Iterable[Given[Tag]], size: int) -> Iterator[list[Given[Tag]]]:
    """Groups with at most `size` clips that have pixels; many without do not wait for it."""
    group: list[Given[Tag]] = []
    usable = 0
    for clip in clips:
        group.append(clip)
        usable += clip.pixels is not None
        if usable == size or len(group) == 2 * size + MOST_WAITING:
            yield group
            group, usable = [], 0
    if group:
        yield group


def _scored(
    clips: Sequence[Given[Tag]], logits: torch.Tensor | None
) -> list[tuple[Tag, Answer | None]]:
    rows = iter(() if logits is None else logits.cpu())
    return [
        (clip.tag, None if clip.pixels is None else score(next(rows), clip.target))
        for clip in clips
    ]


def score(logits: torch.Tensor, target: int) -> Answer | None:
    """The answer in logits [K], and where the true class stands in it; None: not all are numbers.

    Of equal logits the lower class index goes first, as argmax has it: a model that gives every
    class the same is right for one class only.

    Args:
        logits: [K] float32 on the CPU.
        target: the true class.
    """
    if not bool(torch.isfinite(logits).all()):
        return None
    ahead = int((logits > logits[target]).sum()) + int((logits[:target] == logits[target]).sum())
    predicted = int(logits.numpy().argmax())  # the first of equals; torch does not promise that
    return Answer(predicted, float(logits.softmax(dim=0)[predicted]), ahead + 1)
