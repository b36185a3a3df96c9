"""Integrated gradients of one frame's pixels, the other frames left as they are.

A frame's embedding does not depend on the other frames, so the way from a baseline picture to this
one costs one frame's passes in place of a clip's. The scores add up to the change of the target's
value when the baseline picture becomes this one. A pixel that equals the baseline gets exactly no
credit, however much it matters: that is what the lesson on misleading pictures shows.

Source: Sundararajan, Taly and Yan, arXiv 1703.01365.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from einops import reduce

if TYPE_CHECKING:
    from stam_core.record import Subject
    from stam_core.types import Target


STEPS_AT_ONCE = 16  # pictures of the way that pass together, as many as a clip has frames


@dataclass(frozen=True, eq=False)
class FrameCredit:
    """What each patch of one frame adds on the way from a baseline to the picture."""

    patches: torch.Tensor  # [h,w] signed
    value: float  # the target's, with the picture
    baseline_value: float  # with the baseline in its place


def value_with_frame(
    subject: Subject, target: Target, frame: int, pictures: torch.Tensor
) -> torch.Tensor:
    """The target's value with each of some pictures [n,3,S,S] as that frame: [n]."""
    pictures = pictures.to(subject.x.device)
    embedded = subject.model.embed_frames(pictures[None])[0]  # [n,D]
    own = subject.frame_embeddings.to(embedded)
    clips = own.expand(len(embedded), -1, -1).clone()  # [n,T,D]
    clips[:, frame] = embedded
    return target.of(subject.model.classify(clips).float())


def frame_credit(
    subject: Subject,
    target: Target,
    frame: int,
    picture: torch.Tensor,
    baseline: torch.Tensor,
    *,
    steps: int = 16,
) -> FrameCredit:
    """Integrated gradients from `baseline` to `picture`, summed over each patch.

    Args:
        subject: The clip before the model.
        target: The class asked about.
        frame: 0..T-1, the place at which the picture stands.
        picture: [3,S,S] preprocessed.
        baseline: [3,S,S] preprocessed.
        steps: Points on the way, at the middles of as many equal parts.
    """
    picture, baseline = picture.to(subject.x.device), baseline.to(subject.x.device)
    shares = (torch.arange(steps, device=picture.device) + 0.5) / steps
    gradient = torch.zeros_like(picture)
    for some in torch.split(shares, STEPS_AT_ONCE):
        way = baseline + some[:, None, None, None] * (picture - baseline)  # [n,3,S,S]
        way = way.detach().requires_grad_()
        with torch.enable_grad():
            total = value_with_frame(subject, target, frame, way).sum()
            gradient += torch.autograd.grad(total, way)[0].sum(dim=0)
    credit = (picture - baseline) * gradient / steps  # [3,S,S]
    h, w = subject.patch_grid
    with torch.no_grad():
        both = value_with_frame(subject, target, frame, torch.stack([picture, baseline]))
    patches = reduce(credit, "c (h y) (w x) -> h w", "sum", h=h, w=w)
    return FrameCredit(patches.float().cpu(), float(both[0]), float(both[1]))
