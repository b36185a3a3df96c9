"""The records of the cost model: sizes in, steps and figures out. The formulas: `costs`."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from stam_core.errors import ParameterError

if TYPE_CHECKING:
    from stam_core.types import ModelInfo

BYTES = 4  # of a float32


@dataclass(frozen=True)
class Sizes:
    """Sizes of a clip and of a transformer; the defaults are ViT-B/16 on 16 frames."""

    frames: int = 16  # T
    side: int = 224  # S, pixels; a multiple of `patch`
    patch: int = 16  # pixels
    width: int = 768  # D
    depth: int = 12  # L
    heads: int = 12  # H
    mlp_ratio: float = 4  # r
    classes: int = 400  # K
    # STAM's temporal layers; the defaults as published, kept at every width unless told otherwise
    time_depth: int = 6
    time_heads: int = 8
    time_hidden: int = 2048  # width of their feed-forward's hidden layer

    def __post_init__(self) -> None:
        """Refuse what cannot be built.

        Raises:
            ParameterError: A size below 1, or a side that is no multiple of the patch.
        """
        for entry in fields(self):
            lowest = 0.25 if entry.name == "mlp_ratio" else 1
            if getattr(self, entry.name) < lowest:
                raise ParameterError(f"{entry.name} must be at least 1.")
        if self.side % self.patch:
            raise ParameterError(
                f"A side of {self.side} pixels is no multiple of patches of {self.patch}. "
                f"Try {max(1, round(self.side / self.patch)) * self.patch}."
            )

    @property
    def grid(self) -> int:
        """Patches along a side: h = w."""
        return self.side // self.patch

    @property
    def patches(self) -> int:
        """N, patches of a frame."""
        return self.grid**2

    @property
    def hidden(self) -> int:
        """Width of the feed-forward's hidden layer."""
        return int(self.mlp_ratio * self.width)


def model_sizes(info: ModelInfo) -> Sizes:
    """The sizes of a model of ours.

    One without a temporal stage of its own leaves that at the published sizes. A convolutional
    stem is not among the sizes: embedding is counted as one product of each patch.
    """
    config = info.config
    sizes = Sizes(
        frames=info.num_frames,
        side=info.preprocessing.side,
        patch=config.patch_size,
        width=config.width,
        depth=config.depth,
        heads=config.heads,
        mlp_ratio=config.mlp_ratio,
        classes=len(info.labels),
    )
    if info.scheme != "factorised":
        return sizes
    return replace(
        sizes,
        time_depth=config.time_depth,
        time_heads=config.time_heads,
        time_hidden=config.time_feedforward,
    )


@dataclass(frozen=True)
class Step:
    """One kind of step that a model takes `times` times; figures are of one time."""

    name: str  # what attends to what
    times: int
    pairs: int  # of query and key, in each head; 0: no attention
    width: int  # channels of all heads together
    heads: int
    linear: int  # multiply-accumulates in products with weights
    parameters: int

    @property
    def attention(self) -> int:
        """Multiply-accumulates of q.k and of the weighted sum."""
        return 2 * self.pairs * self.width


@dataclass(frozen=True)
class Cost:
    """What a model of one scheme costs for one clip."""

    scheme: str
    keys_per_query: int  # that a patch looks at in one layer, itself and CLS included
    steps: tuple[Step, ...]
    embedding: int  # multiply-accumulates that turn pixels into tokens
    head: int  # and those of the classifier
    other_parameters: int  # of embedding, positions, last norm and classifier

    @property
    def pairs(self) -> int:
        """Token pairs in each head, all layers together."""
        return sum(step.times * step.pairs for step in self.steps)

    @property
    def linear(self) -> int:
        """Multiply-accumulates of the layers' products with weights."""
        return sum(step.times * step.linear for step in self.steps)

    @property
    def attention(self) -> int:
        """Multiply-accumulates of attention."""
        return sum(step.times * step.attention for step in self.steps)

    @property
    def layers(self) -> int:
        """Multiply-accumulates of all layers, without embedding and classifier."""
        return self.linear + self.attention

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one clip."""
        return self.layers + self.embedding + self.head

    @property
    def parameters(self) -> int:
        """Numbers that are learned."""
        return self.other_parameters + sum(step.times * step.parameters for step in self.steps)

    @property
    def map_bytes(self) -> int:
        """Attention maps of all layers and heads, bytes in float32.

        What keeping them takes; fused kernels never form them.
        """
        return BYTES * sum(step.times * step.pairs * step.heads for step in self.steps)

    @property
    def largest_map_bytes(self) -> int:
        """The same of the one step that needs most: what an unfused pass takes at once."""
        return BYTES * max(step.pairs * step.heads for step in self.steps)
