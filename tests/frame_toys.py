"""Games of frames whose answers can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from stam_core.record import Subject

Value = Callable[[torch.Tensor], torch.Tensor]


class HandModel(nn.Module):
    """Frame t's "embedding" is its one-hot name; the answer is whatever function it is given.

    It has no attention and no temporal stage to be recorded, as a model that takes the whole clip
    at once: every method on frames must do with `embed_frames` and `classify` alone.
    """

    def __init__(self, value: Value, threshold: float = 0.0, *, by_place: bool = False) -> None:
        super().__init__()
        self.value, self.threshold, self.by_place = value, threshold, by_place
        self.scheme = "joint"
        self.space_attention: list[nn.Module] = []
        self.time_attention: list[nn.Module] = []
        self.calls = 0

    def embed_frames(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :, 0, 0]  # [B,T,3,T,T] -> [B,T,T]

    def classify(
        self, embeddings: torch.Tensor, positions: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Logits: value of who is present [B,T] (or of who stands where), the threshold, -100."""
        self.calls += 1
        seen = embeddings if self.by_place else embeddings.sum(dim=1)
        value = self.value(seen)
        others = torch.tensor([self.threshold, -100.0]).expand(len(value), 2)
        return torch.cat([value[:, None], others], dim=1)


def hand_subject(
    num_frames: int, value: Value, threshold: float = 0.0, *, by_place: bool = False
) -> Subject:
    """The clip whose frame t has a bright pixel in column t."""
    x = torch.zeros(num_frames, 3, num_frames, num_frames)
    x[:, 0, 0] = torch.eye(num_frames)
    return Subject(HandModel(value, threshold, by_place=by_place).eval(), x, (1, 1))


def additive(*weights: float) -> Value:
    """Each frame brings its weight, whoever else is there."""
    return lambda present: present @ torch.tensor(weights)
