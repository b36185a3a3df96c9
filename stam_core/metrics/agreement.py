"""Do two explanations name the same places? Rank correlation, overlap of the top, one sentence.

What the scores do NOT mean: that either explanation is right. Two methods can agree because they
read the same weights in the same way, and neither need have found what changed the answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from stam_core.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Verdict = Literal["agree", "neither", "disagree", "unknown"]
TOP_SHARE = 0.25  # of the places count as the top unless told: 4 of 16 frames
SURE = 1.96  # standard deviations: 95 % of unrelated rankings lie within


@dataclass(frozen=True)
class Agreement:
    """How alike two rankings of the same places are."""

    spearman: float | None  # rank correlation in [-1,1]; None where one of them ranks nothing
    spread: float  # standard deviation of `spearman` between unrelated rankings
    top_k_overlap: float  # share in [0,1] of the k highest of one that are the other's too
    chance_overlap: float  # what unrelated rankings share: k/n
    k: int
    verdict: Verdict
    sentence: str  # for people


def compare(
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    *,
    k: int | None = None,
    names: tuple[str, str] = ("the first", "the second"),
    places: str = "frames",
) -> Agreement:
    """Compare two rankings; where scores tie, the overlap is the mean over ways to break the tie.

    Args:
        a: scores, any shape; higher speaks for the place. Signed scores keep their sign.
        b: scores of the same places, same shape.
        k: how many places are the top; None: a quarter of them.
        names: of the two, for the sentence.
        places: what they are, in the plural, for the sentence.

    Raises:
        ParameterError: shapes differ, a score is not a number, or there are no `k` places.
    """
    first, second = _checked(a, b)
    n = len(first)
    k = max(1, round(TOP_SHARE * n)) if k is None else k
    if not 1 <= k <= n:
        raise ParameterError(f"The top must be 1 to {n} {places}, not {k}.")
    rho = spearman(first, second)
    spread = 1.0 / math.sqrt(n - 1) if n > 1 else 1.0
    overlap = float((_top(first, k) * _top(second, k)).sum() / k)
    verdict = _verdict(rho, spread)
    return Agreement(
        spearman=rho,
        spread=spread,
        top_k_overlap=overlap,
        chance_overlap=k / n,
        k=k,
        verdict=verdict,
        sentence=_sentence(verdict, rho, overlap * k, k, names, places),
    )


def spearman(a: NDArray[np.floating], b: NDArray[np.floating]) -> float | None:
    """Rank correlation in [-1,1] with tied places at their mean rank; None: one is all ties.

    Between unrelated rankings of n places it has mean 0 and standard deviation 1/sqrt(n-1), exactly
    and with any ties.

    Raises:
        ParameterError: shapes differ or a score is not a number.
    """
    first, second = (ranks(scores) for scores in _checked(a, b))
    first, second = first - first.mean(), second - second.mean()
    size = math.sqrt(float((first**2).sum() * (second**2).sum()))
    if size == 0.0:
        return None
    return float(np.clip((first * second).sum() / size, -1.0, 1.0))


def ranks(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Ranks [n] from 1 at the lowest; ties share their mean."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2.0)[place], dtype=np.float64)


def _top(scores: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Chance of each place [n] to be among the k highest when ties are broken at random."""
    last = np.sort(scores)[-k]
    above, tied = scores > last, scores == last
    return np.asarray(above + (k - above.sum()) / tied.sum() * tied, dtype=np.float64)


def _verdict(rho: float | None, spread: float) -> Verdict:
    if rho is None:
        return "unknown"
    if abs(rho) < SURE * spread:
        return "neither"
    return "agree" if rho > 0 else "disagree"


def _sentence(
    verdict: Verdict,
    rho: float | None,
    shared: float,
    k: int,
    names: tuple[str, str],
    places: str,
) -> str:
    pair = f"{names[0]} and {names[1]}"
    if rho is None:
        return f"Here {pair} cannot be compared: one gives all {places} the same score."
    words = {
        "agree": f"Here {pair} agree",
        "neither": f"Here {pair} neither agree nor disagree more than chance would",
        "disagree": f"Here {pair} disagree",
    }[verdict]
    number = f"{shared:.0f}" if shared == round(shared) else f"{shared:.1f}"
    top = f"{number} of the {k} highest {places} in common"
    if verdict == "disagree":
        top = f"what one ranks high the other tends to rank low; {top}"
    return f"{words}: rank correlation {rho:+.2f}, {top}."


def _checked(
    a: NDArray[np.floating], b: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if a.shape != b.shape or a.size == 0:
        raise ParameterError(
            f"Only scores of the same places can be compared, not {a.shape} and {b.shape}."
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ParameterError("Some scores are not numbers, so they cannot be ranked.")
    return a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
