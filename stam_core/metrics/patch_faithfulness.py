"""Does the answer change more when a map's best patches are hidden than random ones?

In every frame the same share of patches is hidden, so the ranking of patches within their frame is
judged, apart from the ranking of the frames. Frames are embedded one by one, so a few random masks
of every frame, freely combined, make as many randomly masked clips as are wanted: each is exact,
and only the temporal stage runs for it.

What the scores do NOT mean: see `faithfulness`; a masked frame is something training never showed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
import torch.nn.functional as F

from stam_core.errors import ParameterError
from stam_core.metrics.faithfulness import ORDERS, PERCENTILES, Measure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stam_core.record import Subject
    from stam_core.types import Target

Fill = Literal["mean", "blur"]
FILLS: tuple[Fill, ...] = ("mean", "blur")
HIDDEN_SHARE = 0.2  # of a frame's patches
MASKS = 8  # random ones of every frame: 8 passes of the spatial stage for all methods together
BLUR_PATCHES = 4  # side of the square whose mean stands for its middle


@dataclass(frozen=True, eq=False)
class PatchBand:
    """Randomly masked versions of one clip: the yardstick of every method's map."""

    subject: Subject
    target: Target
    fill: torch.Tensor  # [T,3,S,S] what is seen where a patch is hidden
    hidden: int  # patches per frame
    whole: float  # the target's value of the clip as it is
    losses: NDArray[np.float64]  # [draws] how much lower the masked clips are
    passes: float  # of the spatial stage


def patch_band(
    subject: Subject,
    target: Target,
    *,
    fill: Fill = "mean",
    share: float = HIDDEN_SHARE,
    draws: int = ORDERS,
    seed: int = 0,
) -> PatchBand:
    """Hide random patches.

    Args:
        subject: the clip before the model; its lock is the caller's to hold.
        target: what the class's value is read from.
        fill: what stands in a hidden patch: the clip's mean colour, or the blurred frame.
        share: of each frame's patches that is hidden, in (0,1).
        draws: masked clips behind the band.
        seed: of the masks.

    Raises:
        ParameterError: the share hides nothing or everything, or there are too few draws.
    """
    h, w = subject.patch_grid
    hidden = round(share * h * w)
    if not 0 < hidden < h * w:
        raise ParameterError(
            f"A share of {share:g} hides {hidden} of {h * w} patches: choose more."
        )
    if draws < 2:
        raise ParameterError(f"At least 2 masked clips are needed for a band, not {draws}.")
    rng = np.random.default_rng(seed)
    filled = _filled(subject, fill)
    embeddings = torch.stack(
        [_embed(subject, filled, rng.random((len(filled), h, w)), hidden) for _ in range(MASKS)]
    )  # [masks,T,D]
    picks = torch.from_numpy(rng.integers(MASKS, size=(draws, len(filled))))
    masked = embeddings[picks, torch.arange(len(filled))]  # [draws,T,D]
    whole = float(target.of(subject.trace().logits))
    losses = whole - target.of(subject.classify(masked)).double().numpy()
    return PatchBand(subject, target, filled, hidden, whole, losses, float(MASKS))


def judge_patches(patches: NDArray[np.floating], band: PatchBand, *, seed: int = 0) -> Measure:
    """How much the target loses when each frame's highest patches are hidden; one spatial pass.

    Args:
        patches: [T,h,w] scores, higher speaks for the patch; ties are broken at random.
        band: of that clip and class.
        seed: of the order among tied scores.

    Raises:
        ParameterError: not one finite score per patch.
    """
    shape = (len(band.fill), *band.subject.patch_grid)
    if patches.shape != shape:
        raise ParameterError(f"Expected patch scores {shape}, got {patches.shape}.")
    if not np.isfinite(patches).all():
        raise ParameterError("Some patch scores are not numbers, so they cannot be ranked.")
    masked = _embed(band.subject, band.fill, patches, band.hidden, seed=seed)
    value = float(band.target.of(band.subject.classify(masked[None])[0]))
    low, high = np.percentile(band.losses, PERCENTILES)
    return Measure(
        name="patch comprehensiveness",
        value=band.whole - value,
        expected=float(band.losses.mean()),
        # Each frame's few masks stand for all: their own spread is low by (masks - 1) / masks.
        spread=float(band.losses.std()) * math.sqrt(MASKS / (MASKS - 1)),
        band=(float(low), float(high)),
        better=1,
    )


def _filled(subject: Subject, fill: Fill) -> torch.Tensor:
    x = subject.x
    if fill == "mean":
        return x.mean(dim=(0, 2, 3), keepdim=True).expand_as(x)
    side = BLUR_PATCHES * x.shape[-1] // subject.patch_grid[1]
    padded = F.pad(x, [side // 2, (side - 1) // 2] * 2, mode="replicate")
    return F.avg_pool2d(padded, side, stride=1)


def _embed(
    subject: Subject,
    fill: torch.Tensor,
    scores: NDArray[np.floating],
    hidden: int,
    *,
    seed: int = 0,
) -> torch.Tensor:
    """Frames [T,D] with the `hidden` highest of their scores [T,h,w] replaced."""
    flat = scores.reshape(len(scores), -1)
    noise = np.random.default_rng(seed).random(flat.shape)
    best = np.lexsort((noise, -flat), axis=1)[:, :hidden]  # [T,hidden]
    mask = np.zeros(flat.shape, dtype=np.bool_)
    np.put_along_axis(mask, best, values=True, axis=1)
    side = subject.x.shape[-1]
    tiles = torch.from_numpy(mask.reshape(scores.shape))[:, None].float()
    pixels = F.interpolate(tiles, size=(side, side), mode="nearest") > 0  # [T,1,S,S]
    return subject.embed(torch.where(pixels.to(subject.x.device), fill, subject.x))
