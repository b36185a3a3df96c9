"""One temporal head by hand: queries, keys and values, and every number on the way to its map.

    scores = q k^T / sqrt(d),  weights = softmax(scores) by row,  mixed = weights v

The numbers are those of the model's own modules. They say how a head mixes the frames' tokens,
which are mixtures themselves from the second layer on; they do not say what changes the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from einops import rearrange

from stam_core.errors import ParameterError

if TYPE_CHECKING:
    from torch import nn

    from stam_core.record import Subject


@dataclass(frozen=True, eq=False)
class HeadByHand:
    """One head of one temporal layer on one clip; token 0 is CLS, token 1+t is frame t."""

    layer: int  # from 1
    head: int  # from 1
    queries: torch.Tensor  # [T+1,d]
    keys: torch.Tensor  # [T+1,d]
    values: torch.Tensor  # [T+1,d]
    products: torch.Tensor  # [T+1,T+1] q.k
    scale: float  # 1 / sqrt(d)
    scores: torch.Tensor  # [T+1,T+1] products times scale
    weights: torch.Tensor  # [T+1,T+1] softmax of scores; rows sum to 1
    mixed: torch.Tensor  # [T+1,d] weights times values


def has_frame_heads(model: object) -> bool:
    """Whether frames are embedded one by one and then meet: temporal layers of one token a frame.

    Not so in the other schemes, whose temporal attention, where they have any, is between patches.
    """
    config = getattr(model, "config", None)
    scheme = getattr(model, "scheme", getattr(config, "scheme", "factorised"))
    layers: list[Any] = getattr(model, "time_attention", [])
    return (
        scheme == "factorised"
        and bool(layers)
        and all(hasattr(layer, "qkv") and hasattr(layer, "heads") for layer in layers)
    )


def is_framewise(subject: Subject) -> bool:
    """`has_frame_heads` of the model before the clip."""
    return has_frame_heads(subject.model)


@torch.no_grad()
def head_by_hand(subject: Subject, layer: int, head: int) -> HeadByHand:
    """Recompute one head of the temporal stage from the clip's frame embeddings.

    Args:
        subject: The clip before the model.
        layer: From 1, the input's side first.
        head: From 1.

    Raises:
        ParameterError: No such layer or head, or no temporal stage of frame tokens.
    """
    if not has_frame_heads(subject.model):
        raise ParameterError(
            "This model has no temporal stage over frames whose heads could be shown. Use a STAM."
        )
    layers = subject.model.time_attention
    _check("layer", layer, len(layers))
    attention = cast("Any", layers[layer - 1])
    _check("head", head, attention.heads)
    tokens = _read_input(subject, attention)  # [T+1,D]
    q, k, v = rearrange(
        attention.qkv(tokens), "n (three h d) -> three h n d", three=3, h=attention.heads
    )[:, head - 1]
    products = q @ k.T
    scale = q.shape[-1] ** -0.5
    weights = (products * scale).softmax(dim=-1)
    return HeadByHand(
        layer, head, q.cpu(), k.cpu(), v.cpu(), products.cpu(), scale, (products * scale).cpu(),
        weights.cpu(), (weights @ v).cpu(),
    )  # fmt: skip


def _check(what: str, number: int, count: int) -> None:
    if not 1 <= number <= count:
        raise ParameterError(f"The temporal stage's {what}s are 1 to {count}, not {number}.")


def _read_input(subject: Subject, attention: nn.Module) -> torch.Tensor:
    """What comes to one temporal attention when the clip is classified: [T+1,D]."""
    heard: list[torch.Tensor] = []

    def listen(_module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        heard.append(inputs[0])

    handle = attention.register_forward_pre_hook(listen)
    try:
        subject.classify(subject.frame_embeddings[None])
    finally:
        handle.remove()
    return heard[0][0].float()
