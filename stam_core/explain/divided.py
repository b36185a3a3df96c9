"""Rollout where space and time meet in every layer: divided and joint attention.

Source: Abnar and Zuidema, arXiv 2005.00928, carried over to the layers of TimeSformer
(arXiv 2102.05095). A layer of divided attention lets patch q of frame t look at its own place in
all frames s, T_q[t,s], and then patch p at all places q of its own frame, S_t[p,q]. Together

    W[p,t -> q,s] = S_t[p,q] * T_q[t,s]

CLS takes no part in time; in space it stands in every frame, and what it gains is the mean over
them. As everywhere in rollout, values, feed-forward layers, LayerNorm, the sign of a contribution
and the class are ignored: the scores do not say what changes the answer.

Rows here hold a share for CLS, then for patch p of frame t at 1 + t*N + p.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange

from stam_core.explain.base import Scores
from stam_core.explain.rollout import discard_lowest, mix_residual, rollout


def divided_row(
    space: torch.Tensor,
    time: torch.Tensor,
    *,
    residual: float = 0.5,
    discard_ratio: float = 0.0,
    start_layer: int = 1,
) -> torch.Tensor:
    """The CLS row of the rollout of divided attention.

    The matrix W of a layer, (1+T*N) squared, is never formed: a row passes through S, then T.

    Args:
        space: [L,T,N+1,N+1] attention within each frame, heads fused, key 0 CLS, first layer first.
        time: [L,N,T,T] attention between the frames at each place, heads fused.
        residual: Share of each row of S and of T that stays with the token itself, in [0,1].
        discard_ratio: Share of the lowest keys of each row that is dropped, in [0,1).
        start_layer: First layer that counts, from 1.

    Returns:
        [1+T*N]; sums to 1.
    """
    cls = space.new_zeros(1, 1 + space.shape[1] * (space.shape[-1] - 1))
    cls[0, 0] = 1.0
    counted = slice(start_layer - 1, None)
    return divided_rows(
        cls, space[counted], time[counted], residual=residual, discard_ratio=discard_ratio
    )[0]


def divided_rows(
    rows: torch.Tensor,
    space: torch.Tensor,
    time: torch.Tensor,
    *,
    residual: float,
    discard_ratio: float,
) -> torch.Tensor:
    """Rows times the rollout of divided attention; see `divided_row`, whose row is that of CLS.

    Args:
        rows: [n,1+T*N] shares with which to begin after the last layer.
        space: [L,T,N+1,N+1].
        time: [L,N,T,T].
        residual: As there.
        discard_ratio: As there.

    Returns:
        [n,1+T*N]; each row sums to what it summed to.
    """
    n_frames = space.shape[1]
    cls, patches = rows[:, 0], rearrange(rows[:, 1:], "n (t p) -> n t p", t=n_frames)
    for within, between in zip(space.flip(0), time.flip(0), strict=True):  # R <- R S T
        within = mix_residual(discard_lowest(within, discard_ratio), residual)
        between = mix_residual(_discard_frames(between, discard_ratio), residual)
        # CLS averages its copies in the frames.
        shares = (cls / n_frames)[:, None, None].expand(-1, n_frames, 1)
        passed = torch.einsum("ntk,tkm->ntm", torch.cat([shares, patches], dim=2), within)
        cls = passed[..., 0].sum(dim=1)
        patches = torch.einsum("ntq,qts->nsq", passed[..., 1:], between)
    return torch.cat([cls[:, None], patches.flatten(1)], dim=1)


def divided_relevance(
    space: Sequence[torch.Tensor],
    of_space: Sequence[torch.Tensor],
    time: Sequence[torch.Tensor],
    of_time: Sequence[torch.Tensor],
) -> torch.Tensor:
    """The CLS row of (I + S_L)(I + T_L) ... (I + S_1)(I + T_1) - I.

    S and T are the means over heads of the positive part of gradient times attention. The gradient
    of a copy of CLS already holds its share in their mean, 1/T.

    Args:
        space: [T,H,N+1,N+1] of each layer, first layer first.
        of_space: The target's gradients with respect to them.
        time: [N,H,T,T] of each layer.
        of_time: The target's gradients with respect to them.

    Returns:
        [1+T*N], >= 0.

    Source: Chefer et al., arXiv 2103.15679, for two attentions in a row.
    """
    n_frames, n_patches = len(space[0]), space[0].shape[-1] - 1
    cls = space[0].new_ones(())
    patches = space[0].new_zeros(n_frames, n_patches)
    layers = list(zip(space, of_space, time, of_time, strict=True))
    for within, of_within, between, of_between in reversed(layers):
        weighted = (of_within * within).clamp_min(0.0).mean(dim=1)  # [T,N+1,N+1]
        rows = torch.cat([cls.expand(n_frames, 1), patches], dim=1)[:, None] @ weighted
        cls = cls + rows[:, 0, 0].sum()
        patches = patches + rows[:, 0, 1:]
        weighted = (of_between * between).clamp_min(0.0).mean(dim=1)  # [N,T,T]
        patches = patches + torch.einsum("tq,qts->sq", patches, weighted)
    return torch.cat([cls[None] - 1.0, patches.flatten()])


def joint_row(
    maps: torch.Tensor,
    *,
    residual: float = 0.5,
    discard_ratio: float = 0.0,
    start_layer: int = 1,
) -> torch.Tensor:
    """The CLS row of the rollout of joint attention: the plain one, over all patches at once.

    Args:
        maps: [L,1+T*N,1+T*N] attention, heads fused, first layer first.
        residual: Share of each row that stays with the token itself, in [0,1].
        discard_ratio: Share of the lowest keys of each row that is dropped, in [0,1).
        start_layer: First layer that counts, from 1.

    Returns:
        [1+T*N]; sums to 1.
    """
    return rollout(
        maps,
        residual=residual,
        discard_ratio=discard_ratio,
        start_layer=start_layer,
        cls_only=True,
    )


def row_scores(row: torch.Tensor, n_frames: int, patch_grid: tuple[int, int]) -> Scores:
    """A row [1+T*N] as patches [T,h,w], their sums by frame [T] and the share left on CLS."""
    h, w = patch_grid
    patches = rearrange(row[1:], "(t h w) -> t h w", t=n_frames, h=h, w=w)
    return Scores(frames=patches.sum(dim=(1, 2)), patches=patches, unattributed=float(row[0]))


def _discard_frames(maps: torch.Tensor, ratio: float) -> torch.Tensor:
    """As `discard_lowest` for maps [...,T,T] without a CLS key: no key is always kept."""
    return discard_lowest(F.pad(maps, (1, 0)), ratio)[..., 1:]
