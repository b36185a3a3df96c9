"""What a score would be if the same values stood in random places: exactly, and as a band.

A score here is a weighted mean of the truth, sum_i w_i b_i, with weights w made from what an
explanation says and truth b in [0,1]. Chance is the same w with its places shuffled: the frames of
the clip, or the patches within each frame. Its mean and its variance are then known exactly,

    E = (sum w) * mean(b),      Var = sum (w - mean w)^2 * sum (b - mean b)^2 / (n - 1),

and only the 2.5-97.5 % band is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stam_core.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRAWS = 200  # shuffles behind a band: its ends are then known to about 0.15 standard deviations
BAND = (2.5, 97.5)  # percentiles


@dataclass(frozen=True, eq=False, repr=False)
class TruthScore:
    """One score of one clip, and what the same values would get in random places."""

    name: str
    value: float  # share in [0,1]
    expected: float  # exact mean over all shuffles, share in [0,1]
    spread: float  # exact standard deviation over all shuffles
    random: NDArray[np.float64]  # [draws] the score of single shuffles
    counted: int  # frames that entered
    left_out: int  # frames that did not: no truth in them, or no score

    @property
    def band(self) -> tuple[float, float]:
        """2.5th and 97.5th percentile over the shuffles drawn."""
        low, high = np.percentile(self.random, BAND)
        return float(low), float(high)

    @property
    def z(self) -> float | None:
        """Standard deviations above chance; None where chance leaves no room (all or none true)."""
        return _z(self.value, self.expected, self.spread)

    def __repr__(self) -> str:
        """The figure, chance and what was counted, on a line."""
        chance = _chance(self.expected, self.band, self.z)
        return (
            f"{self.name} {self.value:.3f} ({chance}; {self.counted} frames, "
            f"{self.left_out} left out)"
        )


@dataclass(frozen=True)
class TruthSummary:
    """The mean of one score over clips."""

    name: str
    mean: float  # over clips, share in [0,1]
    interval: tuple[float, float]  # 95 % bootstrap interval of that mean, over clips
    expected: float  # exact mean of the mean over all shuffles
    band: tuple[float, float]  # 2.5th and 97.5th percentile of the mean over shuffles of every clip
    z: float | None  # standard deviations (of the mean, over shuffles) above chance
    clips: int  # that entered
    clips_left_out: int  # without any frame to count
    frames: int  # that entered
    frames_left_out: int

    def __repr__(self) -> str:
        """The figure, its interval, chance and what was counted, on a line."""
        low, high = self.interval
        chance = _chance(self.expected, self.band, self.z)
        return (
            f"{self.name} {self.mean:.3f} [{low:.3f}, {high:.3f}] ({chance}; "
            f"{self.clips} clips, {self.clips_left_out} left out; "
            f"{self.frames} frames, {self.frames_left_out} left out)"
        )


def summarise(
    scores: Sequence[TruthScore | None], *, resamples: int = 2000, seed: int = 0
) -> TruthSummary | None:
    """The mean of one score over clips, its bootstrap interval, and chance for that mean.

    Args:
        scores: one per clip, all of one name and with as many shuffles; None: nothing to count.
        resamples: of the clips, with replacement, behind the interval.
        seed: of the resampling.

    Returns:
        None where no clip had anything to count.

    Raises:
        ParameterError: different scores, or different numbers of shuffles.
    """
    found = [score for score in scores if score is not None]
    if not found:
        return None
    kinds = {(score.name, len(score.random)) for score in found}
    if len(kinds) > 1:
        raise ParameterError(f"Only one score can be averaged, with as many draws; got {kinds}.")
    values = np.array([score.value for score in found])
    picks = np.random.default_rng(seed).integers(len(values), size=(resamples, len(values)))
    low, high = np.percentile(values[picks].mean(axis=1), BAND)
    random_low, random_high = np.percentile(np.mean([s.random for s in found], axis=0), BAND)
    expected = float(np.mean([score.expected for score in found]))
    spread = float(np.sqrt(np.sum([score.spread**2 for score in found]))) / len(found)
    return TruthSummary(
        name=found[0].name,
        mean=float(values.mean()),
        interval=(float(low), float(high)),
        expected=expected,
        band=(float(random_low), float(random_high)),
        z=_z(float(values.mean()), expected, spread),
        clips=len(found),
        clips_left_out=len(scores) - len(found),
        frames=sum(score.counted for score in found),
        frames_left_out=sum(score.left_out for score in found),
    )


def against_shuffles(
    name: str,
    weights: NDArray[np.floating],
    truth: NDArray[np.generic],
    tally: tuple[int, int],
    chance: tuple[int, int],
) -> TruthScore:
    """Mean over rows of sum(weights * truth) [F,n], and the same with every row's places shuffled.

    Args:
        name: of the score.
        weights: [F,n] made from the scores; rows sum to 1.
        truth: [F,n] in [0,1].
        tally: frames counted, frames left out.
        chance: number of shuffles, seed.
    """
    draws, seed = chance
    if draws < 1:
        raise ParameterError(f"At least one shuffle is needed for a random band, not {draws}.")
    b = truth.astype(np.float64)
    n_rows, n = b.shape
    rng = np.random.default_rng(seed)
    shuffled = rng.permuted(np.broadcast_to(b, (draws, n_rows, n)), axis=2)
    scatter = _squares(weights) * _squares(b) / max(n - 1, 1)  # [F]
    return TruthScore(
        name=name,
        value=float((weights * b).sum(axis=1).mean()),
        expected=float((weights.sum(axis=1) * b.mean(axis=1)).mean()),
        spread=float(np.sqrt(scatter.sum())) / n_rows,
        random=np.einsum("fn,dfn->d", weights, shuffled) / n_rows,
        counted=tally[0],
        left_out=tally[1],
    )


def _squares(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    """[F] sum of squared distances from each row's mean."""
    return np.asarray(((rows - rows.mean(axis=1, keepdims=True)) ** 2).sum(axis=1))


def _z(value: float, expected: float, spread: float) -> float | None:
    # below this, the spread is rounding: every shuffle gives the same
    return (value - expected) / spread if spread > 1e-9 else None


def _chance(expected: float, band: tuple[float, float], z: float | None) -> str:
    standing = "no room above chance" if z is None else f"z {z:+.1f}"
    return f"random {expected:.3f}, {band[0]:.3f} to {band[1]:.3f}, {standing}"
