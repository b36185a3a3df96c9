"""Does the model's answer follow an explanation's ranking of the frames, more than a random one?

Frames are taken away best first (deletion) and brought back best first (insertion); a good ranking
makes the class's value fall early and rise early. Every figure stands beside what random orders of
the same clip give, because a curve alone says little: some clips need one frame, others any eight.

Three ways to take a frame away (`explain.game`) are three different questions, and a verdict that
changes with them says more about the removal than about the explanation: `Faithfulness.flips`.

What the scores do NOT mean: that an explanation is true. A clip with frames missing is something
that training never showed (arXiv 1806.10758), and a method made of the same removals (leave one
out, Shapley) is judged by what it measured itself.

Source: deletion and insertion: Petsiuk et al., arXiv 1806.07421; comprehensiveness and sufficiency:
DeYoung et al., arXiv 1911.03429.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from stam_core.errors import ParameterError
from stam_core.explain.game import REMOVALS, FrameGame, Places, Removal, Scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stam_core.record import Subject
    from stam_core.types import Target

ORDERS = 100  # random ones behind a band, half of them the other half backwards
PERCENTILES = (2.5, 97.5)
TIE_BREAKS = 8  # orders tried where scores tie
# Shares of the frames taken at once, as in the source (there: of the words). Of 16: 1, 2, 4 and 8.
SHARES = (0.01, 0.05, 0.10, 0.20, 0.50)
LEAST_SPREAD = 1e-5  # of a figure's size: below, orders differ by rounding alone

Verdict = Literal["better", "random", "worse"]
MeasureName = Literal["gap", "deletion", "insertion", "comprehensiveness", "sufficiency"]
# +1 where more is better. The gap, insertion minus deletion, is what verdicts rest on.
BETTER: dict[MeasureName, int] = {
    "gap": 1,
    "deletion": -1,
    "insertion": 1,
    "comprehensiveness": 1,
    "sufficiency": -1,
}
REMOVAL_WORDS: dict[Removal, str] = {
    "drop": "frames dropped",
    "mean": "frames replaced by the mean",
    "hold": "the nearest frame held",
}


@dataclass(frozen=True)
class Measure:
    """One figure of one ranking beside the same figure of random orders."""

    name: str
    value: float  # in units of the class's logit (or probability)
    expected: float  # mean over random orders
    spread: float  # standard deviation over random orders
    band: tuple[float, float]  # 2.5th and 97.5th percentile over random orders
    better: int  # +1: more is better; -1: less is

    @property
    def z(self) -> float | None:
        """Standard deviations better than random; None where all orders give the same."""
        if self.spread <= LEAST_SPREAD * max(1.0, abs(self.expected)):
            return None
        return self.better * (self.value - self.expected) / self.spread

    @property
    def verdict(self) -> Verdict:
        """Where the figure lies: beyond the band on the good side, within, or beyond the other."""
        if self.z is None or self.band[0] <= self.value <= self.band[1]:
            return "random"
        return "better" if self.z > 0 else "worse"


@dataclass(frozen=True, eq=False)
class Band:
    """Random orders of one clip's frames under one removal: the yardstick of every method."""

    game: FrameGame
    curves: NDArray[np.float64]  # [M,T+1] value with the first k frames; row M/2+i: i backwards
    evaluations: int  # of the temporal stage

    @property
    def insertion(self) -> NDArray[np.float64]:
        """[M,T+1]; see `curves`."""
        return self.curves

    @property
    def deletion(self) -> NDArray[np.float64]:
        """[M,T+1] value without the first k: what the same order backwards has left."""
        return np.roll(self.curves, len(self.curves) // 2, axis=0)[:, ::-1]


@dataclass(frozen=True, eq=False)
class RemovalScores:
    """One ranking under one removal."""

    removal: Removal
    measures: Mapping[MeasureName, Measure]
    insertion: NDArray[np.float64]  # [T+1] value with the k best frames alone, k = 0..T
    deletion: NDArray[np.float64]  # [T+1] value without the k best

    @property
    def verdict(self) -> Verdict:
        """Of the gap between insertion and deletion."""
        return self.measures["gap"].verdict

    @property
    def z(self) -> float | None:
        """Of the gap between insertion and deletion."""
        return self.measures["gap"].z


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """One ranking of frames under every removal."""

    removals: Mapping[Removal, RemovalScores]
    tied: bool  # scores tie, so the curves are means over some of the orders they allow

    @property
    def flips(self) -> bool:
        """Whether the verdict depends on how frames are taken away."""
        return len({scores.verdict for scores in self.removals.values()}) > 1

    @property
    def sentence(self) -> str:
        """The verdict for people."""
        verdicts = {removal: scores.verdict for removal, scores in self.removals.items()}
        if self.flips:
            parts = [
                f"{_words(v)} with {REMOVAL_WORDS[removal]}" for removal, v in verdicts.items()
            ]
            return f"The verdict depends on how frames are taken away: {', '.join(parts)}."
        how = "however frames are taken away" if len(verdicts) > 1 else "by this removal"
        zs = [scores.z for scores in self.removals.values() if scores.z is not None]
        if not zs:
            return "Every order of the frames gives the same here, so none is better."
        least, most = min(zs), max(zs)
        span = f"z {least:+.1f}" if len(zs) == 1 else f"z {least:+.1f} to {most:+.1f}"
        verdict = next(iter(verdicts.values()))
        return f"The answer follows this ranking {_words(verdict)}, {how} ({span})."


def frame_faithfulness(
    subject: Subject,
    target: Target,
    frames: NDArray[np.floating],
    *,
    places: Places = "keep",
    scale: Scale = "logit",
    orders: int = ORDERS,
    seed: int = 0,
) -> Faithfulness:
    """Judge one explanation's frame scores; for several of one clip, share `frame_bands`.

    Args:
        subject: the clip before the model; its lock is the caller's to hold.
        target: what the class's value is read from.
        frames: [T] scores, higher speaks for the frame.
        places: whether dropped frames leave a gap.
        scale: logit or probability.
        orders: random ones behind the band.
        seed: of the orders.

    Raises:
        ParameterError: not one finite score per frame, or too few orders.
    """
    return judge_frames(
        frames,
        frame_bands(subject, target, places=places, scale=scale, orders=orders, seed=seed),
        seed=seed,
    )


def frame_bands(
    subject: Subject,
    target: Target,
    *,
    places: Places = "keep",
    scale: Scale = "logit",
    orders: int = ORDERS,
    seed: int = 0,
) -> dict[Removal, Band]:
    """The yardstick under every removal, with the same orders under each; see `random_band`."""
    return {
        removal: random_band(
            FrameGame(subject, target, removal, places, scale), orders=orders, seed=seed
        )
        for removal in REMOVALS
    }


def random_band(game: FrameGame, *, orders: int = ORDERS, seed: int = 0) -> Band:
    """Curves of random orders.

    Half of them are drawn, the others are the same backwards: then the deletion of one is the
    insertion of another, and the gap's mean over them is 0, as it is over all orders.

    Args:
        game: clip, class and removal.
        orders: how many, at least 2; an odd number becomes the next even one.
        seed: of the orders.

    Raises:
        ParameterError: fewer than 2 orders.
    """
    if orders < 2:
        raise ParameterError(f"At least 2 random orders are needed for a band, not {orders}.")
    half = -(-orders // 2)
    first = np.tile(np.arange(game.num_frames), (half, 1))
    drawn = np.random.default_rng(seed).permuted(first, axis=1)  # [M/2,T]
    curves, evaluations = _insertion(game, np.concatenate([drawn, drawn[:, ::-1]]))
    return Band(game, curves, evaluations)


def judge_frames(
    frames: NDArray[np.floating], bands: Mapping[Removal, Band], *, seed: int = 0
) -> Faithfulness:
    """Hold one explanation's frame scores against the bands of its clip.

    Args:
        frames: [T] scores, higher speaks for the frame.
        bands: of that clip and class; from `frame_bands`.
        seed: of the order among tied scores.

    Raises:
        ParameterError: not one finite score per frame.
    """
    num_frames = next(iter(bands.values())).game.num_frames
    if frames.shape != (num_frames,):
        raise ParameterError(f"Expected {num_frames} frame scores, got {frames.shape}.")
    if not np.isfinite(frames).all():
        raise ParameterError("Some frame scores are not numbers, so they cannot be ranked.")
    orders = ranked(frames, seed=seed)
    return Faithfulness(
        {removal: _judge(orders, band) for removal, band in bands.items()}, tied=len(orders) > 1
    )


def ranked(frames: NDArray[np.floating], *, seed: int = 0) -> NDArray[np.int64]:
    """The frames from the highest score down, [1,T]; with ties `TIE_BREAKS` of their orders."""
    if len(np.unique(frames)) == len(frames):
        return np.argsort(-frames)[None]
    rng = np.random.default_rng(seed)
    return np.array(
        [np.lexsort((rng.random(len(frames)), -frames)) for _ in range(TIE_BREAKS)], dtype=np.int64
    )


def taken_at_once(num_frames: int) -> list[int]:
    """How many frames are taken for comprehensiveness and sufficiency, from `SHARES`."""
    return sorted({math.ceil(share * num_frames) for share in SHARES})


def _judge(orders: NDArray[np.int64], band: Band) -> RemovalScores:
    both, _ = _insertion(band.game, np.concatenate([orders, orders[:, ::-1]]))
    insertion, deletion = both[: len(orders)], both[len(orders) :, ::-1]
    own = _figures(insertion, deletion)
    random = _figures(band.insertion, band.deletion)
    measures: dict[MeasureName, Measure] = {}
    for name, values in own.items():
        low, high = np.percentile(random[name], PERCENTILES)
        measures[name] = Measure(
            name=name,
            value=float(values.mean()),
            expected=float(random[name].mean()),
            spread=float(random[name].std()),
            band=(float(low), float(high)),
            better=BETTER[name],
        )
    return RemovalScores(band.game.removal, measures, insertion.mean(axis=0), deletion.mean(axis=0))


def _figures(
    insertion: NDArray[np.float64], deletion: NDArray[np.float64]
) -> dict[MeasureName, NDArray[np.float64]]:
    """Curves [M,T+1] -> each figure [M]."""
    counts = taken_at_once(insertion.shape[1] - 1)
    risen, fallen = _area(insertion), _area(deletion)
    whole = insertion[:, -1]
    return {
        "gap": risen - fallen,
        "deletion": fallen,
        "insertion": risen,
        "comprehensiveness": whole - deletion[:, counts].mean(axis=1),
        "sufficiency": whole - insertion[:, counts].mean(axis=1),
    }


def _area(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean height [M] under curves [M,T+1], by trapezoids over the share of frames."""
    return np.asarray((curves[:, 1:] + curves[:, :-1]).mean(axis=1) / 2.0)


def _insertion(game: FrameGame, orders: NDArray[np.int64]) -> tuple[NDArray[np.float64], int]:
    """Orders [M,T] -> value with the first k frames of each [M,T+1]; subsets evaluated."""
    n_orders, n = orders.shape
    place = np.argsort(orders, axis=1)  # [M,T] when each frame comes
    kept = place[:, None, :] < np.arange(n + 1)[:, None]  # [M,T+1,T]
    packed = np.packbits(kept.reshape(-1, n), axis=1)
    _, at, back = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    values = game.values(torch.from_numpy(kept.reshape(-1, n)[at])).double().numpy()
    return values[back.reshape(-1)].reshape(n_orders, n + 1), len(at)


def _words(verdict: Verdict) -> str:
    return {
        "better": "better than random orders",
        "random": "no better than random orders",
        "worse": "worse than random orders",
    }[verdict]
