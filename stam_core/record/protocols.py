"""What a model offers to whoever records and questions it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import nn

from stam_core.types import Scheme


class VideoModel(Protocol):
    """What every model offers.

    One that is "factorised" sees each frame by itself in `embed_frames`, which costs nearly all,
    and `classify` is its temporal stage. The others take the clip whole: their "embeddings" are the
    frames themselves, flattened, and `classify` is the model.
    """

    @property
    def scheme(self) -> Scheme:
        """How its attention joins space and time; says which of the lists below hold modules."""
        ...

    @property
    def space_attention(self) -> list[nn.Module]:
        """Attention within a frame, first layer first; none where the scheme is "joint"."""
        ...

    @property
    def time_attention(self) -> list[nn.Module]:
        """Attention between frames, first layer first; of "factorised" and "divided" models."""
        ...

    def embed_frames(self, x: torch.Tensor) -> torch.Tensor:
        """Input x [B,T,3,S,S] -> [B,T,D]."""
        ...

    def classify(
        self, embeddings: torch.Tensor, positions: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Embeddings [B,n,D] at slots 0..T-1 ([n] or [B,n]; None: 0..n-1) -> logits [B,K]."""
        ...


class JoinsFrames(VideoModel, Protocol):
    """What a model of the scheme "joint" offers besides."""

    @property
    def joint_attention(self) -> list[nn.Module]:
        """Attention between all patches of all frames, first layer first."""
        ...


@runtime_checkable
class ChoosesFrames(Protocol):
    """What a model may offer besides: many choices of one clip's frames, faster than `classify`."""

    def classify_choices(
        self, embeddings: torch.Tensor, frames: torch.Tensor, places: torch.Tensor
    ) -> torch.Tensor:
        """Embeddings [V,D], of them frames [M,n] at places [M,n] -> logits [M,K]."""
        ...


@runtime_checkable
class ReadsDepths(Protocol):
    """What a model may offer besides: its answer as it stands after each layer that sees time."""

    def classify_depths(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Embeddings [B,n,D] -> logits [L,B,K]."""
        ...


def embeds_frames(model: VideoModel) -> bool:
    """Whether a frame by itself has an embedding, which then serves for every clip it is part of.

    Where it has none, each other choice of frames costs a pass of the whole model.
    """
    return model.scheme == "factorised"
