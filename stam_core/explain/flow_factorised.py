"""Attention of a factorised model: over the patches of each frame, then over the frames.

The two stages are multiplied: R[t,p] = Rt[0,t] * Rs_t[0,p]. What stays on a CLS token is
unattributed, and all adds up: sum R + Rt[0,0] + sum_t Rt[0,t] * Rs_t[0,0] = 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange

from stam_core.explain.base import Scores
from stam_core.explain.gradients import embedding_gradient, entering, frames_at_once, maps_of
from stam_core.explain.heads import join_heads, pick_layer
from stam_core.explain.relevance import relevance_row, shares
from stam_core.explain.rollout import RolloutChoices, cls_row
from stam_core.record import FRAMES_AT_ONCE, RecordingError, listen, recorded_at_once
from stam_core.types import MapStorage, SpaceTrace, Trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stam_core.record import Subject
    from stam_core.types import Target


def _trace(subject: Subject, maps: MapStorage = "rows") -> Trace:
    trace = subject.trace(maps)
    assert isinstance(trace, Trace)  # what factorised models leave
    return trace


def space_rows(subject: Subject, choices: RolloutChoices) -> torch.Tensor:
    """[T,N+1] rollout of the frames' CLS tokens, where frames pass through space alone."""
    trace = subject.trace(choices.head_fusion)
    assert isinstance(trace, Trace | SpaceTrace)
    assert trace.space_maps is not None  # every head fusion keeps maps
    return cls_row(trace.space_maps, choices, choices.start_layer)


def time_row(subject: Subject, choices: RolloutChoices) -> torch.Tensor:
    """[T+1] rollout of the temporal CLS token."""
    maps = join_heads(_trace(subject).time_maps, choices.head_fusion, 1)
    return cls_row(maps, choices, choices.time_start_layer)


def time_relevance(subject: Subject, target: Target) -> tuple[torch.Tensor, torch.Tensor]:
    """Backwards through the temporal stage.

    Returns:
        The temporal CLS row of relevance [T+1], and the target's gradient with respect to each
        frame's embedding [T,D].
    """
    attention = subject.model.time_attention
    embeddings = subject.frame_embeddings.to(subject.x.device)
    with torch.enable_grad():
        leaf = embeddings.detach().clone().requires_grad_()
        with listen(attention, lambda attended: attended) as heard:
            value = target.of(subject.model.classify(leaf[None])[0])
        maps = maps_of(attention, heard)
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
        maps = maps_of(attention, heard)
        gradients = torch.autograd.grad(embeddings, maps, embedding_gradient)
    return relevance_row([attended.detach() for attended in maps], gradients)


class FactorisedFlow:
    """The flow of STAM; see `Flow`."""

    def frame_attention(self, subject: Subject, layer: str, head: str) -> Scores:
        """The temporal CLS: frames sum to 1 with what it gives itself (mean, or one head)."""
        rows = _trace(subject).time_maps[:, :, 0]  # [L,H,T+1]
        row = pick_layer(join_heads(rows, head, 1), layer)  # [T+1]
        sums_to_one = head not in ("max", "min")
        return Scores(frames=row[1:], unattributed=float(row[0]) if sums_to_one else None)

    def patch_attention(self, subject: Subject, layer: str, head: str) -> Scores:
        """Each frame's CLS."""
        trace = _trace(subject)
        row = pick_layer(join_heads(trace.space_cls_rows, head, 2), layer)  # [T,N+1]
        h, w = trace.patch_grid
        return Scores(patches=rearrange(row[:, 1:], "t (h w) -> t h w", h=h, w=w))

    def rollout(self, subject: Subject, choices: RolloutChoices) -> Scores:
        """Temporal times spatial rollout."""
        space, time = space_rows(subject, choices), time_row(subject, choices)  # [T,N+1], [T+1]
        joint = time[1:, None] * space  # [T,N+1]
        h, w = subject.patch_grid
        patches = rearrange(joint[:, 1:], "t (h w) -> t h w", h=h, w=w)
        return Scores(
            frames=patches.sum(dim=(1, 2)),
            patches=patches,
            unattributed=float(time[0] + joint[:, 0].sum()),
        )

    def relevance(self, subject: Subject, target: Target) -> Iterator[Scores]:
        """Frames at once [T], sum 1; patches [T,h,w] by groups of frames, each sums to its frame.

        The spatial gradients hold the way through time already: each frame's map is made to sum to
        1 before it is multiplied with the frame's relevance, or time would count twice.
        """
        row, embedding_gradient = time_relevance(subject, target)
        frames = shares(row[None, 1:])[0]  # [T]
        n_frames, (h, w) = len(frames), subject.patch_grid
        patches = torch.zeros(n_frames, h, w)
        # Few frames at once also because large maps leave the processor's cache (see `record`).
        at_once = min(
            recorded_at_once(subject.model, subject.patch_grid), frames_at_once(subject, maps=True)
        )
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

    def last_tokens(
        self, subject: Subject, target: Target
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Of the last spatial block, some frames at a time."""
        gradient = embedding_gradient(subject, target)  # [T,D]
        frames = torch.split(subject.x, FRAMES_AT_ONCE)
        for some, given in zip(frames, torch.split(gradient, FRAMES_AT_ONCE), strict=True):
            with torch.enable_grad():
                with entering(subject.model.space_attention[-1]) as heard:
                    embeddings = subject.model.embed_frames(some[None])[0]
                if len(heard) != 1:
                    raise RecordingError(f"the last layer must be heard once, but was {len(heard)}")
                (of_tokens,) = torch.autograd.grad(embeddings, heard[0], given)
            yield heard[0].detach(), of_tokens
