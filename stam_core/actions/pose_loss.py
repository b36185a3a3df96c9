"""What the spatial stage learns from: where every joint is, asked of the patches and of CLS."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from stam_core.actions.skeleton import JOINTS, MIRRORED_JOINTS

BINS = 28  # rows and columns that CLS tells apart: 4 pixels each at 112
_BIN_SPREAD = 1.0  # standard deviation, in bins, of the target around the true place


class PoseHeads(nn.Module):
    """Linear read-outs for training only; they are not part of the shipped model."""

    def __init__(self, width: int, num_classes: int) -> None:
        """Read-outs of tokens `width` wide."""
        super().__init__()
        joints = len(JOINTS)
        self.where = nn.Linear(width, joints)  # on patches: "how much of each joint is here?"
        self.place = nn.Linear(width, 2 * joints * BINS)  # on CLS: column and row of each joint
        self.depth = nn.Linear(width, joints)  # on CLS: body heights behind the pelvis
        self.action = nn.Linear(width, num_classes)  # on CLS: what a single frame gives away


def mirror_frames(
    frames: torch.Tensor, joints: torch.Tensor, depths: torch.Tensor, chosen: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mirror the `chosen` [n] frames left to right, joints and depths along.

    Args:
        frames: [n,3,S,S].
        joints: [n,J,2] pixels.
        depths: [n,J].
        chosen: [n] bool.
    """
    order = torch.tensor(MIRRORED_JOINTS, device=joints.device)
    turned = joints[:, order].clone()
    turned[..., 0] = frames.shape[-1] - turned[..., 0]
    pick = chosen[:, None]
    return (
        torch.where(pick[..., None, None], frames.flip(-1), frames),
        torch.where(pick[..., None], turned, joints),
        torch.where(pick, depths[:, order], depths),
    )


def patch_targets(joints: torch.Tensor, *, side: int, grid: int) -> torch.Tensor:
    """Share each joint among the four patches whose centres surround it.

    Args:
        joints: [n,J,2] pixels (right, down); outside the picture counts as its edge.
        side: S, pixels.
        grid: patches along a side.

    Returns:
        [n,J,grid*grid], rows sum to 1.
    """
    place = (joints * (grid / side) - 0.5).clamp(0.0, grid - 1.0)
    centres = torch.arange(grid, dtype=joints.dtype, device=joints.device)
    share = (1.0 - (place[..., None] - centres).abs()).clamp_min(0.0)  # [n,J,2,grid]
    return (share[..., 1, :, None] * share[..., 0, None, :]).flatten(-2)


def bin_targets(joints: torch.Tensor, *, side: int) -> torch.Tensor:
    """Smooth one-hot columns and rows, [n,J,2,BINS], rows sum to 1."""
    place = (joints * (BINS / side) - 0.5).clamp(0.0, BINS - 1.0)
    centres = torch.arange(BINS, dtype=joints.dtype, device=joints.device)
    return (-0.5 * ((place[..., None] - centres) / _BIN_SPREAD) ** 2).softmax(dim=-1)


def pose_loss(
    heads: PoseHeads,
    tokens: torch.Tensor,
    joints: torch.Tensor,
    depths: torch.Tensor,
    labels: torch.Tensor,
    *,
    side: int,
) -> tuple[torch.Tensor, dict[str, float]]:
    """Loss of one batch of frames, and how well joints are found.

    Args:
        heads: the read-outs.
        tokens: [n,1+N,D] after the spatial stage's final norm, CLS first.
        joints: [n,J,2] pixels.
        depths: [n,J] body heights.
        labels: [n] action of the clip each frame is from.
        side: S, pixels.

    Returns:
        The loss; and "patch", the share of joints whose patch is found, and "pixels", CLS's mean
        error in pixels.
    """
    n, patches = len(tokens), tokens.shape[1] - 1
    cls = tokens[:, 0]
    where = heads.where(tokens[:, 1:]).float().transpose(1, 2)  # [n,J,N]
    shares = patch_targets(joints, side=side, grid=round(patches**0.5))
    place = heads.place(cls).float().view(n, -1, 2, BINS)
    bins = bin_targets(joints, side=side)
    losses = (
        F.cross_entropy(where.flatten(0, 1), shares.flatten(0, 1))
        + F.cross_entropy(place.flatten(0, 2), bins.flatten(0, 2))
        + 2.0 * F.smooth_l1_loss(heads.depth(cls).float(), depths, beta=0.1)
        + 0.2 * F.cross_entropy(heads.action(cls).float(), labels)
    )
    with torch.no_grad():
        found = (where.argmax(-1) == shares.argmax(-1)).float().mean()
        centres = torch.arange(BINS, dtype=joints.dtype, device=joints.device) + 0.5
        pixels = (place.softmax(-1) @ centres) * (side / BINS)  # [n,J,2]
        error = (pixels - joints).norm(dim=-1).mean()
    return losses, {"patch": float(found), "pixels": float(error)}
