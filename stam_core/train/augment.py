"""Variety for a user's clips: one crop, flip and colour for all frames of a clip, and time jitter.

Every draw comes from a generator that is passed in, so that threads, processes and a resumed run
see the same pictures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torchvision.transforms import functional as picture

# Any of these in a label, and mirroring might make it another action.
SIDED = ("left", "right", "clockwise")
MOST_TRIMMED = 0.15  # share of the clip cut off at either end


@dataclass(frozen=True)
class Augmentation:
    """How much a clip may vary."""

    side: int  # S, pixels
    min_crop: float = 0.6  # smallest share of the picture's area that a crop keeps
    colour: float = 0.3  # brightness, contrast and saturation vary by this share
    flip: bool = True

    @classmethod
    def whole(cls, side: int) -> Augmentation:
        """No variety: the picture as it is."""
        return cls(side, min_crop=1.0, colour=0.0, flip=False)


def may_flip(labels: Sequence[str]) -> bool:
    """Whether no label speaks of a side."""
    return not any(word in label.lower() for label in labels for word in SIDED)


def augment_clip(
    frames: torch.Tensor, how: Augmentation, generator: torch.Generator
) -> torch.Tensor:
    """Crop, flip and colour all frames alike.

    Args:
        frames: [T,3,R,R] u8.
        how: how much.
        generator: settles what.

    Returns:
        [T,3,S,S] u8.
    """
    top, left, height, width = _crop(frames.shape[-1], how.min_crop, generator)
    size = [how.side, how.side]
    out: torch.Tensor = picture.resized_crop(frames, top, left, height, width, size, antialias=True)
    if how.flip and _draw(generator) < 0.5:
        out = out.flip(-1)
    if how.colour:
        out = picture.adjust_brightness(out, _factor(how.colour, generator))
        out = picture.adjust_contrast(out, _factor(how.colour, generator))
        out = picture.adjust_saturation(out, _factor(how.colour, generator))
        if _draw(generator) < 0.1:
            out = picture.rgb_to_grayscale(out, num_output_channels=3)
    return out


def jitter_times(dense: int, num_frames: int, n: int, generator: torch.Generator) -> torch.Tensor:
    """Which dense frames stand for the model's frames: trimmed ends, then one near each place.

    Args:
        dense: 3T, frames at hand.
        num_frames: T.
        n: clips.
        generator: settles which.

    Returns:
        [n,T] indices, ascending in every row.
    """
    start = MOST_TRIMMED * dense * torch.rand(n, 1, generator=generator)
    end = dense - MOST_TRIMMED * dense * torch.rand(n, 1, generator=generator)
    places = (
        torch.arange(num_frames) + torch.rand(n, num_frames, generator=generator)
    ) / num_frames
    return (start + (end - start) * places).long().clamp(0, dense - 1)


def _crop(side: int, min_area: float, generator: torch.Generator) -> tuple[int, int, int, int]:
    """(top, left, height, width) of a random part of a square, as RandomResizedCrop draws it."""
    if min_area == 1.0:
        return 0, 0, side, side
    area = min_area + (1.0 - min_area) * _draw(generator)
    ratio = math.exp((2.0 * _draw(generator) - 1.0) * math.log(4 / 3))
    width = min(side, max(1, round(side * math.sqrt(area * ratio))))
    height = min(side, max(1, round(side * math.sqrt(area / ratio))))
    top = round(_draw(generator) * (side - height))
    left = round(_draw(generator) * (side - width))
    return top, left, height, width


def _factor(spread: float, generator: torch.Generator) -> float:
    return 1.0 + spread * (2.0 * _draw(generator) - 1.0)


def _draw(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))
