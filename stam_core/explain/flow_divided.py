"""Attention of divided models, and of those of the scheme "space", which leave time out.

In each layer patches look at their own place in all frames, then at all places of their own frame;
CLS has a copy in every frame, and what the copies gain is averaged. See `divided_row`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from einops import rearrange

from stam_core.explain.base import Scores
from stam_core.explain.divided import divided_relevance, divided_row, row_scores
from stam_core.explain.flow_factorised import space_rows
from stam_core.explain.gradients import heard_maps, tokens_entering
from stam_core.explain.heads import join_heads, pick_layer
from stam_core.explain.relevance import relevance_row
from stam_core.explain.rollout import RolloutChoices
from stam_core.types import DividedTrace, MapStorage, SpaceTrace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stam_core.record import Subject
    from stam_core.types import Target


def _trace(subject: Subject, maps: MapStorage = "rows") -> DividedTrace:
    trace = subject.trace(maps)
    assert isinstance(trace, DividedTrace)  # what divided models leave
    return trace


def relevance_scores(row: torch.Tensor, subject: Subject) -> Scores:
    """A CLS row of relevance [1+T*N] as shares that sum to 1 (or 0 where nothing speaks for it)."""
    total = row[1:].sum()
    share = row[1:] / total.clamp_min(torch.finfo(row.dtype).tiny)
    nowhere = (1.0 - share.sum()).clamp_min(0.0)
    scores = row_scores(torch.cat([nowhere[None], share]), len(subject.x), subject.patch_grid)
    details = {"relevance": float(total), "relevance_of_cls": float(row[0])}
    return replace(scores, details=details, passes=4.0)


class SpaceFlow:
    """The flow of frames that never meet, whose CLS tokens are averaged; see `Flow`."""

    def frame_attention(self, subject: Subject, layer: str, head: str) -> Scores:
        """There is none: the method is not offered for such models."""
        raise NotImplementedError(f"{subject.scheme} models have no attention to frames")

    def patch_attention(self, subject: Subject, layer: str, head: str) -> Scores:
        """Each frame's copy of CLS."""
        trace = subject.trace()
        assert isinstance(trace, SpaceTrace)
        row = pick_layer(join_heads(trace.space_cls_rows, head, 2), layer)  # [T,N+1]
        h, w = trace.patch_grid
        return Scores(patches=rearrange(row[:, 1:], "t (h w) -> t h w", h=h, w=w))

    def rollout(self, subject: Subject, choices: RolloutChoices) -> Scores:
        """Each frame's rollout, with an equal share."""
        rows = space_rows(subject, choices) / len(subject.x)  # [T,N+1]
        row = torch.cat([rows[:, :1].sum()[None], rows[:, 1:].flatten()])
        return row_scores(row, len(subject.x), subject.patch_grid)

    def relevance(self, subject: Subject, target: Target) -> Iterator[Scores]:
        """All frames in one pass: their gradients hold what each weighs."""
        maps, gradients = heard_maps(subject, target, subject.model.space_attention)
        rows = relevance_row(maps, gradients).cpu()  # [T,N+1]
        yield relevance_scores(torch.cat([rows[:, 0].sum()[None], rows[:, 1:].flatten()]), subject)

    def last_tokens(
        self, subject: Subject, target: Target
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Of the last layer, all frames at once."""
        yield tokens_entering(subject, target, subject.model.space_attention[-1])


class DividedFlow(SpaceFlow):
    """The flow of TimeSformer's divided attention; see `Flow`."""

    def frame_attention(self, subject: Subject, layer: str, head: str) -> Scores:
        """What each frame is given by the patches of all frames: CLS takes no part in time."""
        row = pick_layer(join_heads(_trace(subject).time_received, head, 1), layer)  # [T]
        return Scores(frames=row, unattributed=None if head in ("max", "min") else 0.0)

    def rollout(self, subject: Subject, choices: RolloutChoices) -> Scores:
        """W[p,t -> q,s] = S_t[p,q] * T_q[t,s] in each layer."""
        trace = _trace(subject, choices.head_fusion)
        assert trace.space_maps is not None  # every head fusion keeps maps
        assert trace.time_maps is not None
        row = divided_row(
            trace.space_maps,
            trace.time_maps,
            residual=choices.residual,
            discard_ratio=choices.discard_ratio,
            start_layer=choices.start_layer,
        )
        return row_scores(row, len(subject.x), subject.patch_grid)

    def relevance(self, subject: Subject, target: Target) -> Iterator[Scores]:
        """One backward pass gives the gradients of space and of time."""
        space, time = subject.model.space_attention, subject.model.time_attention
        maps, gradients = heard_maps(subject, target, [*space, *time])
        n = len(space)
        row = divided_relevance(maps[:n], gradients[:n], maps[n:], gradients[n:])
        yield relevance_scores(row.cpu(), subject)
