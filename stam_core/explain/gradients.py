"""Going backwards: through the two stages in little memory, or through a whole clip at once.

Frames meet in the temporal stage alone. So its gradient is taken first, with respect to the T frame
embeddings; then some frames at a time are embedded again and their embedding's gradient is carried
on to what is asked for. The result is that of one backward pass through the whole model, and only
these frames' activations are held.

Gradients are always computed in float32. The model's parameters never require a gradient: nothing
is left on them, whatever happens.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch.utils.checkpoint import checkpoint

from stam_core.record import RecordingError, listen
from stam_core.types import Trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import nn

    from stam_core.record import Subject
    from stam_core.types import Target

# Memory for what a backward pass holds on to; at ViT-B with attention maps 5 frames need this much.
BYTES_AT_ONCE = 768 * 2**20
# Numbers kept for each channel of each token in each spatial layer: inputs of two LayerNorms, four
# for the GELU, three for queries, keys and values and three more where they are laid out anew, the
# mixed values, and one for what is alive only for a moment.
KEPT_PER_CHANNEL = 14


@contextmanager
def entering(module: nn.Module) -> Iterator[list[torch.Tensor]]:
    """Hear what enters a module, and let a gradient begin there."""
    heard: list[torch.Tensor] = []

    def hook(_module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        heard.append(inputs[0].requires_grad_())

    handle = module.register_forward_pre_hook(hook)
    try:
        yield heard
    finally:
        handle.remove()


def maps_of(attention: Sequence[nn.Module], heard: list[list[object]]) -> tuple[torch.Tensor, ...]:
    """The very tensors that the layers computed with: a copy would not be part of the graph."""
    if any(len(calls) != 1 for calls in heard):
        counts = [len(calls) for calls in heard]
        raise RecordingError(
            f"each of {len(attention)} layers must be heard once, but was {counts}"
        )
    return tuple(calls[0] for calls in heard)  # type: ignore[misc]


def heard_maps(
    subject: Subject, target: Target, attention: Sequence[nn.Module]
) -> tuple[list[torch.Tensor], tuple[torch.Tensor, ...]]:
    """A whole clip's attention maps [B,H,n,n] and the target's gradients with respect to them."""
    model, x = subject.model, subject.x
    with torch.enable_grad():
        # No parameter and no pixel requires a gradient, so the graph begins at the first map.
        with listen(attention, lambda attended: attended.requires_grad_()) as heard:
            value = target.of(model.classify(model.embed_frames(x[None]))[0])
        maps = maps_of(attention, heard)
        gradients = torch.autograd.grad(value, maps)
    return [attended.detach() for attended in maps], gradients


def tokens_entering(
    subject: Subject, target: Target, module: nn.Module
) -> tuple[torch.Tensor, torch.Tensor]:
    """What enters a module in a pass of the whole clip, and the target's gradients of it."""
    model, x = subject.model, subject.x
    with torch.enable_grad():
        with entering(module) as heard:
            value = target.of(model.classify(model.embed_frames(x[None]))[0])
        if len(heard) != 1:
            raise RecordingError(f"the last layer must be heard once, but was {len(heard)}")
        (gradients,) = torch.autograd.grad(value, heard[0])
    return heard[0].detach(), gradients


def frames_at_once(subject: Subject, *, maps: bool) -> int:
    """How many frames may be held for a backward pass.

    Args:
        subject: The clip in front of its model.
        maps: Whether the spatial attention maps and their gradients are held too.
    """
    trace = subject.trace()
    if not isinstance(trace, Trace):  # a clip taken whole has no frames that go by themselves
        return len(subject.x)
    layers, _, heads, n_tokens = trace.space_cls_rows.shape
    per_token = KEPT_PER_CHANNEL * trace.frame_embeddings.shape[1]
    if maps:
        per_token += 2 * heads * n_tokens
    return max(1, BYTES_AT_ONCE // (4 * layers * n_tokens * per_token))


def embedding_gradient(subject: Subject, target: Target) -> torch.Tensor:
    """The target's gradient with respect to each frame's embedding: [T,D]."""
    embeddings = subject.frame_embeddings.to(subject.x.device)
    with torch.enable_grad():
        leaf = embeddings.detach().clone().requires_grad_()
        value = target.of(subject.model.classify(leaf[None])[0])
        (gradient,) = torch.autograd.grad(value, leaf)
    return gradient


def embed_for_gradients(subject: Subject, clip: torch.Tensor) -> torch.Tensor:
    """A clip's embeddings, from which gradients flow back to its pixels.

    Args:
        subject: The model; the clip need not be its own.
        clip: [T,3,S,S].

    Returns:
        [T,D]. Where not all frames may be held at once, each group of them is computed again on
        the way back: one forward pass more.
    """
    model = subject.model
    groups = torch.split(clip, frames_at_once(subject, maps=False))
    if len(groups) == 1 or not torch.is_grad_enabled():
        return torch.cat([model.embed_frames(group[None])[0] for group in groups])
    # Nothing random is drawn in eval mode, so there is no generator's state to keep.
    again = partial(checkpoint, model.embed_frames, use_reentrant=False, preserve_rng_state=False)
    return torch.cat([again(group[None])[0] for group in groups])
