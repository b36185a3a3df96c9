"""Grad-CAM on the tokens of the last spatial block.

Source: Selvaraju et al., "Grad-CAM", arXiv 1610.02391; tokens in place of a convolution's cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from stam_core.explain.base import Explainer, ExplainerInfo, Scores
from stam_core.explain.flows import flow_of

if TYPE_CHECKING:
    from stam_core.record import Subject
    from stam_core.types import Target


def class_activation(tokens: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Channels weighted with their mean gradient over patches, positive part.

    Args:
        tokens: [t,N+1,D], CLS first, which belongs to no place and does not count.
        gradients: The target's, of the same shape.

    Returns:
        [t,N].
    """
    weights = gradients[:, 1:].mean(dim=1, keepdim=True)  # [t,1,D]
    return (weights * tokens[:, 1:]).sum(dim=-1).clamp_min(0.0)


@dataclass(frozen=True)
class GradCam(Explainer):
    """Class activation on the tokens that enter the last spatial block's attention.

    Not those that leave the block: the answer is read from CLS alone, so the gradient of every
    patch that leaves it is zero.
    """

    info: ClassVar[ExplainerInfo] = ExplainerInfo(
        name="grad-cam",
        title="Grad-CAM",
        summary=(
            "How far the features of each patch, entering the last spatial layer, lie along those "
            "that raise the class."
        ),
        paper="Selvaraju et al., arXiv 1610.02391",
        outputs=frozenset({"frames", "patches"}),
        signed=False,
        uses_target=True,
        passes="1, shared with the prediction, and 1 more (backwards through the last layer alone)",
        caveat=(
            "By the last layer a patch's token holds something of all others, so a bright patch "
            "need not be where the evidence is. One mean gradient stands for all patches of a "
            "frame, and what speaks against the class is cut off."
        ),
    )

    def scores(self, subject: Subject, target: Target | None) -> Scores:
        """Patches [T,h,w], each frame weighted with its own gradients, and sums by frame [T]."""
        assert target is not None  # `info.uses_target`
        tokens = flow_of(subject).last_tokens(subject, target)
        h, w = subject.patch_grid
        patches = torch.cat([class_activation(*both) for both in tokens]).view(-1, h, w)
        return Scores(frames=patches.sum(dim=(1, 2)), patches=patches, passes=2.0)
