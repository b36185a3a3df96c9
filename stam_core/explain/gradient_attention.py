"""Gradient-weighted attention: what was looked at, and also moves the target.

Source: Chefer, Gur and Wolf, "Generic Attention-model Explainability", arXiv 2103.15679.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from stam_core.explain.base import Explainer, ExplainerInfo, Scores
from stam_core.explain.gradients import frames_at_once
from stam_core.record import RECORDED_AT_ONCE, RecordingError, listen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import nn

    from stam_core.record import Subject
    from stam_core.types import Target


def relevance_row(maps: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor]) -> torch.Tensor:
    """The CLS row of (I + Abar_L) ... (I + Abar_1) - I.

    Abar is the mean over heads of the positive part of gradient times attention: clamped in each
    head, before heads that speak for and against could cancel.

    Args:
        maps: [B,H,n,n] of each layer, first layer first.
        gradients: The target's gradients with respect to them, in the same order.

    Returns:
        [B,n], >= 0.
    """
    row = torch.zeros_like(maps[0][:, 0, :1])  # [B,1,n]
    row[..., 0] = 1.0
    for attention, gradient in zip(reversed(maps), reversed(gradients), strict=True):
        weighted = (gradient * attention).clamp_min(0.0).mean(dim=1)  # [B,n,n]
        row = row + row @ weighted
    row[..., 0] -= 1.0
    return row[:, 0]


def shares(scores: torch.Tensor) -> torch.Tensor:
    """Scores >= 0 [B,n] -> the same with rows that sum to 1; a row of zeros stays one."""
    return scores / scores.sum(dim=-1, keepdim=True).clamp_min(torch.finfo(scores.dtype).tiny)


def _maps_of(attention: Sequence[nn.Module], heard: list[list[object]]) -> tuple[torch.Tensor, ...]:
    """The very tensors that the layers computed with: a copy would not be part of the graph."""
    if any(len(calls) != 1 for calls in heard):
        counts = [len(calls) for calls in heard]
        raise RecordingError(
            f"each of {len(attention)} layers must be heard once, but was {counts}"
        )
    return tuple(calls[0] for calls in heard)  # type: ignore[misc]


def time_relevance(subject: Subject, target: Target) -> tuple[torch.Tensor, torch.Tensor]:
    """Backwards through the temporal stage.

    Returns:
        The temporal CLS row of relevance [T+1], and the target's gradient with respect to each
        frame's embedding [T,D].
    """
    attention = subject.model.time_attention
    embeddings = subject.trace().frame_embeddings.to(subject.x.device)
    with torch.enable_grad():
        leaf = embeddings.detach().clone().requires_grad_()
        with listen(attention, lambda attended: attended) as heard:
            value = target.of(subject.model.classify(leaf[None])[0])
        maps = _maps_of(attention, heard)
        gradients = torch.autograd.grad(value, (leaf, *maps))
    row = relevance_row([attended.detach() for attended in maps], gradients[1:])[0]
    return row, gradients[0]


def space_relevance(
    subject: Subject, frames: torch.Tensor, embedding_gradient: torch.Tensor
) -> torch.Tensor:
    """Backwards from the embeddings of some frames to their spatial maps.

    Args:
        subject: The clip in front of its model.
        frames: [t,3,S,S].
        embedding_gradient: [t,D] of these frames.

    Returns:
        [t,N+1], the CLS row of relevance of each frame.
    """
    attention = subject.model.space_attention
    with torch.enable_grad():
        # No parameter and no pixel requires a gradient, so the graph begins at the first map.
        with listen(attention, lambda attended: attended.requires_grad_()) as heard:
            embeddings = subject.model.embed_frames(frames[None])[0]
        maps = _maps_of(attention, heard)
        gradients = torch.autograd.grad(embeddings, maps, embedding_gradient)
    return relevance_row([attended.detach() for attended in maps], gradients)


@dataclass(frozen=True)
class GradientAttention(Explainer):
    """Attention weighted with its positive gradient, through both stages."""

    info: ClassVar[ExplainerInfo] = ExplainerInfo(
        name="gradient-attention",
        title="Gradient-weighted attention",
        summary=(
            "Share of every patch of every frame in the attention that speaks for the class, "
            "followed through all layers of space and time."
        ),
        paper="Chefer et al., arXiv 2103.15679",
        outputs=frozenset({"frames", "patches"}),
        signed=False,
        uses_target=True,
        passes="1, shared with the prediction, and about 3 more (forward and backward)",
        caveat=(
            "Shares of what speaks for the class: what speaks against it is cut off, and how much "
            "there was in all is not shown. A gradient tells of small changes of the attention, "
            "not of what happens when a frame is gone. Values and feed-forward layers are ignored."
        ),
    )

    def stream(self, subject: Subject, target: Target | None) -> Iterator[Scores]:
        """Frames at once [T], sum 1; patches [T,h,w] by groups of frames, each sums to its frame.

        The spatial gradients hold the way through time already: each frame's map is made to sum to
        1 before it is multiplied with the frame's relevance, or time would count twice.
        """
        assert target is not None  # `info.uses_target`
        row, embedding_gradient = time_relevance(subject, target)
        frames = shares(row[None, 1:])[0]  # [T]
        n_frames, (h, w) = len(frames), subject.patch_grid
        patches = torch.zeros(n_frames, h, w)
        # Few frames at once also because large maps leave the processor's cache (see `record`).
        at_once = min(RECORDED_AT_ONCE, frames_at_once(subject, maps=True))
        for first in range(0, n_frames, at_once):
            rows = slice(first, min(first + at_once, n_frames))
            relevance = space_relevance(subject, subject.x[rows], embedding_gradient[rows])
            share = frames[rows, None] * shares(relevance[:, 1:])  # [t,N]
            patches[rows] = share.cpu().view(-1, h, w)
            done = rows.stop / n_frames
            yield Scores(
                frames=frames,
                patches=patches.clone(),
                # A frame whose map is cut off altogether has a share and nowhere to show it.
                unattributed=float((frames.sum().cpu() - patches.sum()).clamp_min(0.0))
                if done == 1.0
                else None,
                details={"relevance": float(row[1:].sum()), "relevance_of_cls": float(row[0])},
                passes=1.0 + 3.0 * done,
                done=done,
            )
