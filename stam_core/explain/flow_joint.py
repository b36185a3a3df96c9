"""Attention of joint models: every patch of every frame in one map, as in an ordinary ViT.

Token 0 is CLS, token 1 + t*N + p is patch p of frame t.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from einops import rearrange

from stam_core.explain.base import Scores
from stam_core.explain.divided import joint_row, row_scores
from stam_core.explain.flow_divided import relevance_scores
from stam_core.explain.gradients import heard_maps, tokens_entering
from stam_core.explain.heads import join_heads, pick_layer
from stam_core.explain.relevance import relevance_row
from stam_core.explain.rollout import RolloutChoices
from stam_core.types import JointTrace, MapStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from stam_core.record import JoinsFrames, Subject
    from stam_core.types import Target


def _trace(subject: Subject, maps: MapStorage = "rows") -> JointTrace:
    trace = subject.trace(maps)
    assert isinstance(trace, JointTrace)  # what joint models leave
    return trace


def _attention(subject: Subject) -> list[nn.Module]:
    return cast("JoinsFrames", subject.model).joint_attention


def _row(subject: Subject, layer: str, head: str) -> torch.Tensor:
    """[1+T*N] of CLS."""
    return pick_layer(join_heads(_trace(subject).cls_rows, head, 1), layer)


class JointFlow:
    """The flow of TimeSformer's joint attention; see `Flow`."""

    def frame_attention(self, subject: Subject, layer: str, head: str) -> Scores:
        """What CLS gives to all patches of a frame."""
        row = _row(subject, layer, head)
        scored = row_scores(row, len(subject.x), subject.patch_grid)
        sums_to_one = head not in ("max", "min")
        return Scores(frames=scored.frames, unattributed=float(row[0]) if sums_to_one else None)

    def patch_attention(self, subject: Subject, layer: str, head: str) -> Scores:
        """What CLS gives to each patch; the whole clip sums to 1 minus what it gives itself."""
        scored = row_scores(_row(subject, layer, head), len(subject.x), subject.patch_grid)
        return Scores(patches=scored.patches)

    def rollout(self, subject: Subject, choices: RolloutChoices) -> Scores:
        """The plain rollout over all tokens."""
        maps = _trace(subject, choices.head_fusion).joint_maps
        assert maps is not None  # every head fusion keeps maps
        row = joint_row(
            maps,
            residual=choices.residual,
            discard_ratio=choices.discard_ratio,
            start_layer=choices.start_layer,
        )
        return row_scores(row, len(subject.x), subject.patch_grid)

    def relevance(self, subject: Subject, target: Target) -> Iterator[Scores]:
        """Chefer's rule as it stands: there is one kind of attention."""
        maps, gradients = heard_maps(subject, target, _attention(subject))
        yield relevance_scores(relevance_row(maps, gradients)[0].cpu(), subject)

    def last_tokens(
        self, subject: Subject, target: Target
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Of the last layer, laid out by frame with CLS before each."""
        both = tokens_entering(subject, target, _attention(subject)[-1])
        yield self._by_frame(both[0], len(subject.x)), self._by_frame(both[1], len(subject.x))

    @staticmethod
    def _by_frame(tokens: torch.Tensor, n_frames: int) -> torch.Tensor:
        """[1,1+T*N,D] -> [T,1+N,D]."""
        patches = rearrange(tokens[0, 1:], "(t p) d -> t p d", t=n_frames)
        return torch.cat([tokens[:, :1].expand(n_frames, -1, -1), patches], dim=1)
