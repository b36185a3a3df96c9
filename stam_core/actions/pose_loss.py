"""What the spatial stage learns from: where every joint is, asked of the patches and of CLS."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import nn

from stam_core.actions.figure import MIRRORED_PARTS
from stam_core.actions.skeleton import JOINTS, MIRRORED_JOINTS

BINS = 32  # rows and columns that CLS tells apart: 4 pixels each at 128
# How far off patches that have seen other frames are asked: a quarter of a clip of 16. From one
# frame to the next most joints stay in their patch, so that "as now" would be answer enough.
FRAMES_AWAY = 4
_BIN_SPREAD = 1.0  # standard deviation, in bins, of the target around the true place


class PoseHeads(nn.Module):
    """Linear read-outs for training only; they are not part of the shipped model."""

    def __init__(self, width: int, num_classes: int) -> None:
        """Read-outs of tokens `width` wide."""
        super().__init__()
        joints = len(JOINTS)
        self.where = nn.Linear(width, joints)  # on patches: "how much of each joint is here?"
        self.part = nn.Linear(width, len(MIRRORED_PARTS))  # on patches: "what do I show?"
        self.place = nn.Linear(width, 2 * joints * BINS)  # on CLS: column and row of each joint
        self.depth = nn.Linear(width, joints)  # on CLS: body heights behind the pelvis
        self.action = nn.Linear(width, num_classes)  # on CLS: what a single frame gives away
        self.present = nn.Linear(width, 1)  # on CLS: whether anybody can be seen


class MotionHeads(nn.Module):
    """Linear read-outs of patches that have seen other frames; for training only too."""

    def __init__(self, width: int) -> None:
        """Read-outs of tokens `width` wide."""
        super().__init__()
        self.before = nn.Linear(width, len(JOINTS))  # "how much of each joint was here before?"
        self.after = nn.Linear(width, len(JOINTS))  # "how much of each joint will be here?"


@dataclass(frozen=True, eq=False)
class PoseTruth:
    """What the read-outs of n frames should say."""

    joints: torch.Tensor  # [n,J,2] pixels
    depths: torch.Tensor  # [n,J] body heights behind the pelvis
    inside: torch.Tensor  # [n,J] bool; what lies outside the picture is not asked for
    deciding: torch.Tensor  # [n] bool; other frames say nothing about the action
    cover: torch.Tensor  # [n,N,C] u8, how much of each patch shows what, in 255ths
    labels: torch.Tensor  # [n] action of the clip each frame is from


def mirror_frames(
    frames: torch.Tensor, truth: PoseTruth, chosen: torch.Tensor
) -> tuple[torch.Tensor, PoseTruth]:
    """Mirror the `chosen` [n] bool of the frames [n,3,S,S] left to right, their truth along."""
    order = torch.tensor(MIRRORED_JOINTS, device=frames.device)
    turned = truth.joints[:, order].clone()
    turned[..., 0] = frames.shape[-1] - turned[..., 0]
    pick = chosen[:, None]
    return torch.where(pick[..., None, None], frames.flip(-1), frames), replace(
        truth,
        joints=torch.where(pick[..., None], turned, truth.joints),
        depths=torch.where(pick, truth.depths[:, order], truth.depths),
        inside=torch.where(pick, truth.inside[:, order], truth.inside),
        cover=torch.where(pick[..., None], _mirror_cover(truth.cover), truth.cover),
    )


def _mirror_cover(cover: torch.Tensor) -> torch.Tensor:
    """[n,N,C] of mirrored pictures."""
    grid = round(cover.shape[1] ** 0.5)
    other = torch.tensor(MIRRORED_PARTS, device=cover.device)
    n, patches, kinds = cover.shape
    turned = cover.view(n, grid, grid, kinds).flip(2).reshape(n, patches, kinds)
    return turned[..., other]


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
    heads: PoseHeads, tokens: torch.Tensor, truth: PoseTruth, *, side: int
) -> tuple[torch.Tensor, dict[str, float]]:
    """Loss of one batch of frames, and how well joints are found.

    Args:
        heads: the read-outs.
        tokens: [n,1+N,D] after the spatial stage's final norm, CLS first.
        truth: of the frames.
        side: S, pixels.

    Returns:
        The loss; and "patch", the share of joints whose patch is found, and "pixels", CLS's mean
        error in pixels, both of joints inside the picture.
    """
    losses, figures = patch_pose_loss(heads, tokens[:, 1:], truth, side=side)
    cls = tokens[:, 0]
    place = heads.place(cls).float().view(len(tokens), -1, 2, BINS)
    bins = bin_targets(truth.joints, side=side)
    asked = truth.inside.float()
    told = truth.deciding.float()
    # Somebody doing something can be seen; where no joint is inside either, nobody is there.
    present = (truth.inside.any(dim=1) | truth.deciding).float()
    losses = (
        losses
        + _mean(_cross_entropy(place, bins).mean(dim=-1), asked)
        + 2.0 * _mean(_distance(heads.depth(cls).float(), truth.depths), asked)
        + 0.2
        * _mean(F.cross_entropy(heads.action(cls).float(), truth.labels, reduction="none"), told)
        + 0.1 * F.binary_cross_entropy_with_logits(heads.present(cls).float()[:, 0], present)
    )
    with torch.no_grad():
        centres = torch.arange(BINS, dtype=place.dtype, device=place.device) + 0.5
        pixels = (place.softmax(-1) @ centres) * (side / BINS)  # [n,J,2]
        error = _mean((pixels - truth.joints).norm(dim=-1), asked)
    return losses, {**figures, "pixels": float(error)}


def patch_pose_loss(
    heads: PoseHeads, patches: torch.Tensor, truth: PoseTruth, *, side: int
) -> tuple[torch.Tensor, dict[str, float]]:
    """The part of `pose_loss` that is asked of the patches.

    Args:
        heads: the read-outs.
        patches: [n,N,D] after the last norm.
        truth: of the frames.
        side: S, pixels.

    Returns:
        The loss; and "patch", the share of joints inside the picture whose patch is found.
    """
    where = heads.where(patches).float().transpose(1, 2)  # [n,J,N]
    shares = patch_targets(truth.joints, side=side, grid=round(patches.shape[1] ** 0.5))
    shown = truth.cover.float() / truth.cover.float().sum(dim=-1, keepdim=True)  # [n,N,C]
    asked = truth.inside.float()
    # Where something is done and no joint is asked for, in a crowd, nobody is the person.
    one = (truth.inside.any(dim=1) | ~truth.deciding).float()
    parts = _cross_entropy(heads.part(patches).float(), shown).mean(dim=-1)
    losses = 2.0 * _mean(parts, one) + _mean(_cross_entropy(where, shares), asked)
    with torch.no_grad():
        found = _mean((where.argmax(-1) == shares.argmax(-1)).float(), asked)
    return losses, {"patch": float(found)}


def motion_loss(
    heads: MotionHeads, patches: torch.Tensor, truth: PoseTruth, *, side: int
) -> tuple[torch.Tensor, dict[str, float]]:
    """Where every joint was `FRAMES_AWAY` ago, and where it will be: only time can tell.

    Args:
        heads: the read-outs.
        patches: [B,T,N,D] after the last norm.
        truth: of the B*T frames.
        side: S, pixels.

    Returns:
        The loss; and "later", the share of joints whose later patch is found.
    """
    b, t, n, _ = patches.shape
    grid = round(n**0.5)
    early, late = slice(0, max(0, t - FRAMES_AWAY)), slice(FRAMES_AWAY, None)
    shares = patch_targets(truth.joints, side=side, grid=grid).view(b, t, -1, n)  # [B,T,J,N]
    inside = truth.inside.float().view(b, t, -1)  # [B,T,J]
    was = heads.before(patches[:, late]).float().transpose(2, 3)  # [B,T-away,J,N]
    comes = heads.after(patches[:, early]).float().transpose(2, 3)
    loss = _mean(_cross_entropy(was, shares[:, early]), inside[:, early]) + _mean(
        _cross_entropy(comes, shares[:, late]), inside[:, late]
    )
    with torch.no_grad():
        found = (comes.argmax(-1) == shares[:, late].argmax(-1)).float()
    return loss, {"later": float(_mean(found, inside[:, late]))}


def _mean(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Mean of the `values` whose weight is 1, over those whose weight is 0."""
    return (values * weights).sum() / weights.sum().clamp_min(1.0)


def _cross_entropy(logits: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """[...,C] logits against [...,C] shares that sum to 1 -> [...]."""
    return -(shares * logits.log_softmax(dim=-1)).sum(dim=-1)


def _distance(depths: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    return F.smooth_l1_loss(depths, truth, beta=0.1, reduction="none")
