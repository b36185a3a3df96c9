"""Scores of an explanation against what is known to be true, each beside what chance would give.

Three questions about a rendered clip, whose key frames and moving limbs are known:

* key-frame recall: of the k frames in which the motion is strongest, how many are among the k
  highest-scored ones; and the same for the frames in which the action is under way;
* pointing game: in how many frames the highest-scored patch shows a moving limb;
* mass in mask: how much of a frame's map lies on the moving limbs.

Each is a weighted mean of the truth, with weights made from the scores, so `chance` holds for all.

What the scores do NOT mean: whether a frame or a patch changed the answer. A model may be right for
other reasons than the moving limbs (a stool, where the figure stands), and a map that finds the
limbs may have nothing to do with the decision. Shuffled patches also know nothing of the picture's
middle, where people stand: see `rendered.CONTROLS` for references that do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stam_core.errors import ParameterError
from stam_core.metrics.chance import DRAWS, TruthScore, against_shuffles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stam_core.types import CropBox

KEY_FRAME_RECALL = "key-frame recall"
DECIDING_FRAME_RECALL = "deciding-frame recall"
POINTING_GAME = "pointing game"
MASS_IN_MASK = "mass in mask"
# A patch shows a limb where at least this share of its area does: a tenth of 14x14 pixels is a
# hand's worth, one stray pixel at its edge is not.
LIMB_SHARE = 0.1


def key_frame_recall(
    frames: NDArray[np.floating],
    key_frames: NDArray[np.bool_],
    *,
    name: str = KEY_FRAME_RECALL,
    draws: int = DRAWS,
    seed: int = 0,
) -> TruthScore | None:
    """Share of the k true key frames that are among the k highest-scored frames.

    Where scores tie for the last places, this is the expected share over random ways to break the
    tie, so a map that gives every frame the same gets exactly chance, k/T.

    Args:
        frames: [T] raw scores, higher speaks for the frame.
        key_frames: [T] the truth.
        name: of the score, where the truth is another choice of frames.
        draws: shuffles behind the band.
        seed: of the shuffles.

    Returns:
        None where no frame is a key frame.

    Raises:
        ParameterError: shapes differ or a score is not a number.
    """
    scores = _checked(frames, key_frames, "one score and one truth per frame", 1)
    k = int(np.count_nonzero(key_frames))
    if k == 0:
        return None
    last = np.sort(scores)[-k]
    above, tied = scores > last, scores == last
    places = (k - np.count_nonzero(above)) / np.count_nonzero(tied)  # per tied frame
    weights = (above + places * tied) / k
    return against_shuffles(name, weights[None], key_frames[None], (len(scores), 0), (draws, seed))


def pointing_game(
    patches: NDArray[np.floating],
    limb_shares: NDArray[np.floating],
    *,
    tolerance: int = 0,
    draws: int = DRAWS,
    seed: int = 0,
) -> TruthScore | None:
    """Share of frames whose highest-scored patch shows a moving limb.

    A patch shows one where `limb_shares` is at least `LIMB_SHARE`, or within `tolerance` patches
    (sideways, up and down, and diagonally) of one that does. Several highest patches share the
    frame's point. Frames in which no patch shows a limb are left out.

    Args:
        patches: [T,h,w] raw scores.
        limb_shares: [T,h,w] share of the patch's area that shows a moving limb; `patch_shares`.
        tolerance: patches; 0 asks for the very patch.
        draws: shuffles behind the band.
        seed: of the shuffles.

    Returns:
        None where no frame shows a limb.

    Raises:
        ParameterError: shapes differ, a score is not a number, or the tolerance is negative.

    Source: Zhang et al., "Top-down Neural Attention by Excitation Backprop", arXiv 1608.00507,
    there with pixels and a tolerance of 15.
    """
    scores = _checked(patches, limb_shares, "one score and one share per patch", 3)
    if tolerance < 0:
        raise ParameterError(f"tolerance must be 0 patches or more, not {tolerance}.")
    shown = dilate(limb_shares >= LIMB_SHARE, tolerance).reshape(len(scores), -1)
    scores = scores.reshape(len(scores), -1)
    counts = np.asarray(shown.any(axis=1))
    if not counts.any():
        return None
    highest = scores == scores.max(axis=1, keepdims=True)
    weights = highest / highest.sum(axis=1, keepdims=True)
    return against_shuffles(
        POINTING_GAME, weights[counts], shown[counts], _tally(counts), (draws, seed)
    )


def mass_in_mask(
    patches: NDArray[np.floating],
    limb_shares: NDArray[np.floating],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> TruthScore | None:
    """Share of a frame's map that lies on moving limbs, averaged over frames with equal weight.

    The score of a patch counts by the share of its area that shows a limb. Of a signed map only the
    positive part counts: evidence for the class. Frames without a visible moving limb, and frames
    whose map is nowhere positive, are left out.

    Args:
        patches: [T,h,w] raw scores.
        limb_shares: [T,h,w] share of the patch's area that shows a moving limb; `patch_shares`.
        draws: shuffles behind the band.
        seed: of the shuffles.

    Returns:
        None where no frame is left.

    Raises:
        ParameterError: shapes differ or a score is not a number.
    """
    scores = _checked(patches, limb_shares, "one score and one share per patch", 3)
    positive = scores.clip(min=0.0).reshape(len(scores), -1)
    truth = limb_shares.reshape(len(scores), -1).astype(np.float64)
    total = positive.sum(axis=1, keepdims=True)
    counts = truth.any(axis=1) & (total[:, 0] > 0.0)
    if not counts.any():
        return None
    weights = positive[counts] / total[counts]
    return against_shuffles(MASS_IN_MASK, weights, truth[counts], _tally(counts), (draws, seed))


def patch_shares(
    mask: NDArray[np.bool_] | NDArray[np.floating],
    grid: tuple[int, int],
    box: CropBox | None = None,
) -> NDArray[np.float64]:
    """Share of each patch's area that the mask covers (or the mean of values in it), [T,h,w].

    Pixels that a patch's border cuts count by the part inside.

    Args:
        mask: [T,H,W] of the whole frame; values are averaged in the same way.
        grid: (h, w) patches.
        box: the part of the frame that the model saw; None: all of it.
    """
    height, width = mask.shape[1:]
    top, tall = (box.top, box.height) if box else (0.0, 1.0)
    left, wide = (box.left, box.width) if box else (0.0, 1.0)
    down = _overlap(grid[0], height, top, tall)  # [h,H]
    across = _overlap(grid[1], width, left, wide)  # [w,W]
    shares: NDArray[np.float64] = down @ mask.astype(np.float64) @ across.T
    return shares


def dilate(mask: NDArray[np.bool_], distance: int) -> NDArray[np.bool_]:
    """[T,h,w] true within `distance` cells of a true one, diagonals included."""
    grown = mask.copy()
    for _ in range(distance):
        padded = np.pad(grown, ((0, 0), (1, 1), (1, 1)))
        rows = padded[:, :-2] | padded[:, 1:-1] | padded[:, 2:]
        grown = rows[..., :-2] | rows[..., 1:-1] | rows[..., 2:]
    return grown


def _overlap(n_cells: int, length: int, start: float, extent: float) -> NDArray[np.float64]:
    """[n_cells,length] how much of each cell lies on each pixel; rows sum to 1 inside the frame."""
    borders = length * (start + extent * np.arange(n_cells + 1) / n_cells)
    pixels = np.arange(length)
    ends = np.minimum(borders[1:, None], pixels + 1) - np.maximum(borders[:-1, None], pixels)
    return np.asarray(ends.clip(min=0.0) * n_cells / (length * extent))


def _checked(
    scores: NDArray[np.floating], truth: NDArray[np.generic], wanted: str, axes: int
) -> NDArray[np.float64]:
    if scores.shape != truth.shape or scores.ndim != axes or scores.size == 0:
        raise ParameterError(f"Expected {wanted}, got {scores.shape} and {truth.shape}.")
    if not np.isfinite(scores).all():
        raise ParameterError("Some scores are not numbers, so nothing can be said about them.")
    return np.asarray(scores, dtype=np.float64)


def _tally(counts: NDArray[np.bool_]) -> tuple[int, int]:
    """Frames that count, frames that do not."""
    return int(counts.sum()), int((~counts).sum())
