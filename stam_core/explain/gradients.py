"""Going backwards through the two stages, in little memory.

Frames meet in the temporal stage alone. So its gradient is taken first, with respect to the T frame
embeddings; then some frames at a time are embedded again and their embedding's gradient is carried
on to what is asked for. The result is that of one backward pass through the whole model, and only
these frames' activations are held.

Gradients are always computed in float32. The model's parameters never require a gradient: nothing
is left on them, whatever happens.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from stam_core.record import Subject
    from stam_core.types import Target

# Memory for what a backward pass holds on to; at ViT-B with attention maps 5 frames need this much.
BYTES_AT_ONCE = 768 * 2**20
# Numbers kept for each channel of each token in each spatial layer: inputs of two LayerNorms, four
# for the GELU, three for queries, keys and values and three more where they are laid out anew, the
# mixed values, and one for what is alive only for a moment.
KEPT_PER_CHANNEL = 14


def frames_at_once(subject: Subject, *, maps: bool) -> int:
    """How many frames may be held for a backward pass.

    Args:
        subject: The clip in front of its model.
        maps: Whether the spatial attention maps and their gradients are held too.
    """
    trace = subject.trace()
    layers, _, heads, n_tokens = trace.space_cls_rows.shape
    per_token = KEPT_PER_CHANNEL * trace.frame_embeddings.shape[1]
    if maps:
        per_token += 2 * heads * n_tokens
    return max(1, BYTES_AT_ONCE // (4 * layers * n_tokens * per_token))


def embedding_gradient(subject: Subject, target: Target) -> torch.Tensor:
    """The target's gradient with respect to each frame's embedding: [T,D]."""
    embeddings = subject.trace().frame_embeddings.to(subject.x.device)
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
