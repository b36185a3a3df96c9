"""What stands where there is nothing to see: the pictures that an explanation compares with.

No picture is "nothing" to a model. Black is a colour, blur keeps the light and dark of a scene, and
each of them is a clip that training never showed; so the choice is a parameter, and it matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from stam_core.record import Subject

Baseline = Literal["black", "grey", "blur", "mean", "still"]


def baseline(subject: Subject, kind: Baseline) -> torch.Tensor:
    """The baseline called `kind` of a subject's clip.

    Args:
        subject: The clip, and how its colours became the model's input.
        kind: "black" or mid "grey"; "blur": each frame without detail smaller than two patches;
            "mean": the clip's mean colour; "still": the mean of all frames, on every frame.

    Returns:
        [T,3,S,S] on the clip's device; may be a view with repeated rows, not to be written to.
    """
    x = subject.x
    match kind:
        case "black":
            return _plain(subject, 0.0).expand_as(x)
        case "grey":
            return _plain(subject, 0.5).expand_as(x)
        case "blur":
            return blurred(x, sigma=x.shape[-1] / subject.patch_grid[1])
        case "mean":
            return x.mean(dim=(0, 2, 3), keepdim=True).expand_as(x)
        case "still":
            return x.mean(dim=0, keepdim=True).expand_as(x)


def _plain(subject: Subject, level: float) -> torch.Tensor:
    """A grey of `level` in [0,1], as the model's input: [3,1,1]."""
    colour = (level - torch.tensor(subject.input_mean)) / torch.tensor(subject.input_std)
    return colour[:, None, None].to(subject.x)


def blurred(x: torch.Tensor, *, sigma: float) -> torch.Tensor:
    """Gaussian blur: x [n,C,S,S], sigma in pixels -> [n,C,S,S]; edges are mirrored."""
    radius = min(round(3 * sigma), x.shape[-1] - 1)  # a mirror holds no more than the picture
    at = torch.arange(-radius, radius + 1).to(x)
    kernel = torch.exp(-0.5 * (at / sigma) ** 2)
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, -1)  # [C,1,2*radius+1]
    padded = F.pad(x, (radius, radius, radius, radius), mode="reflect")
    along_x = F.conv2d(padded, kernel[:, :, None], groups=x.shape[1])
    return F.conv2d(along_x, kernel[..., None], groups=x.shape[1])
