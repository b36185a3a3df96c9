"""Scores of many clips as one row per method, and what can honestly be said of them.

Faithfulness is averaged as z: logits of different clips have different sizes, standard deviations
above random orders of the same clip do not. Its interval is over clips. A method beats random where
the whole 95 % interval lies above 0 and random rankings of as many clips would seldom come so far;
the second matters for a handful of clips, of which resampling knows too little.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from stam_core.explain.game import REMOVALS
from stam_core.metrics.randomise import UNCHANGED, RandomisedStep
from stam_core.metrics.truth import (
    DECIDING_FRAME_RECALL,
    KEY_FRAME_RECALL,
    MASS_IN_MASK,
    POINTING_GAME,
)

if TYPE_CHECKING:
    from stam_core.metrics.score_records import ClipScores, Figure, MethodScores

RESAMPLES = 2000
SURE = 1.96  # standard deviations: random rankings come so far in one of twenty cases
TRUTHS = (KEY_FRAME_RECALL, DECIDING_FRAME_RECALL, POINTING_GAME, MASS_IN_MASK)
Standing = Literal["better", "random", "worse", "unknown"]


@dataclass(frozen=True)
class Average:
    """One figure over clips."""

    mean: float
    interval: tuple[float, float]  # 95 %, by resampling clips
    clips: int


@dataclass(frozen=True)
class FaithfulnessRow:
    """One method under one removal, or its patches, over clips."""

    z: Average | None  # None: no clip in which orders differ
    better: float  # share of clips with the verdict "better than random", in [0,1]
    worse: float  # share of clips with the verdict "worse than random"
    standing: Standing  # of the mean z: surely above 0, surely below, or neither


@dataclass(frozen=True)
class TruthAverage:
    """One truth score over clips."""

    value: Average  # share in [0,1]
    expected: float  # the same by chance
    z: float | None  # of the mean: standard deviations of the mean by chance
    standing: Standing  # of the mean: surely above chance, surely below, or neither


@dataclass(frozen=True)
class ScoreRow:
    """One method over all clips."""

    method: str
    clips: int  # that it answered
    failed: int  # that it did not answer
    seconds: float | None  # median per clip, beyond the prediction
    frames: dict[str, FaithfulnessRow]  # by removal; empty: it scores no frames
    measures: dict[str, dict[str, float | None]]  # mean z by removal and measure
    flips: float | None  # share of clips whose verdict depends on the removal
    patches: FaithfulnessRow | None
    truth: dict[str, TruthAverage]  # by the score's name
    randomised: tuple[RandomisedStep, ...]  # means over the clips that were asked so

    @property
    def unchanged(self) -> bool:
        """Whether half of the ranking or more survives the loss of every weight."""
        if not self.randomised:
            return False
        last = self.randomised[-1]
        return any(rho is not None and rho >= UNCHANGED for rho in (last.frames, last.patches))


def score_rows(clips: Iterable[ClipScores], *, seed: int = 0) -> list[ScoreRow]:
    """One row per method, in the order in which they were asked.

    Args:
        clips: what `score_clip` gave; clips that could not be used hold no method.
        seed: of the resampling behind the intervals.
    """
    found: dict[str, list[MethodScores]] = {}
    for clip in clips:
        for method, scores in clip.methods.items():
            found.setdefault(method, []).append(scores)
    return [_row(method, scores, seed) for method, scores in found.items()]


def findings(rows: Sequence[ScoreRow]) -> list[str]:
    """What the table says, in sentences: who beats random, who does not."""
    sentences = []
    ranked = [row for row in rows if row.frames]
    if ranked:
        every = [r.method for r in ranked if _count(r, "better") == len(r.frames)]
        none = [r.method for r in ranked if _count(r, "better") == 0]
        some = [r.method for r in ranked if r.method not in (*every, *none)]
        sentences.append(
            f"Frames, against random orders: better under every removal: {_names(every)}; only "
            f"under some: {_names(some)}; under none: {_names(none)}."
        )
    if any(row.patches for row in rows):
        sentences.append(_split("Patches, against random ones", rows, lambda row: row.patches))
    for name in TRUTHS:
        if any(name in row.truth for row in rows):
            sentences.append(_split(name.capitalize(), rows, partial(_truth_of, name)))
    forgetful = [row for row in rows if row.randomised]
    if forgetful:
        kept = [row.method for row in forgetful if row.unchanged]
        sentences.append(
            "With every weight shuffled these still give much the same ranking, so they say "
            f"little about this model: {_names(kept)}."
        )
    return sentences


def _truth_of(name: str, row: ScoreRow) -> TruthAverage | None:
    return row.truth.get(name)


def _split(
    what: str,
    rows: Sequence[ScoreRow],
    of: Callable[[ScoreRow], FaithfulnessRow | TruthAverage | None],
) -> str:
    judged = [(row.method, found) for row in rows if (found := of(row)) is not None]
    better = [method for method, found in judged if found.standing == "better"]
    others = [method for method, found in judged if found.standing != "better"]
    return f"{what}: above chance: {_names(better)}; not: {_names(others)}."


def _count(row: ScoreRow, standing: Standing) -> int:
    return sum(found.standing == standing for found in row.frames.values())


def _names(methods: Sequence[str]) -> str:
    return ", ".join(methods) or "none"


def _row(method: str, scores: Sequence[MethodScores], seed: int) -> ScoreRow:
    answered = [entry for entry in scores if not entry.error]
    seconds = [entry.seconds for entry in answered if entry.seconds is not None]
    ranked = [entry for entry in answered if entry.frames]
    frames: dict[str, FaithfulnessRow] = {}
    measures: dict[str, dict[str, float | None]] = {}
    for removal in REMOVALS if ranked else ():
        of_removal = [entry.frames[removal] for entry in ranked]
        frames[removal] = _faithfulness([found["gap"] for found in of_removal], seed)
        measures[removal] = {
            name: _mean([found[name].z for found in of_removal]) for name in of_removal[0]
        }
    patches = [entry.patches for entry in answered if entry.patches is not None]
    truth = {}
    for name in TRUTHS:
        known = [entry.truth[name] for entry in answered if name in entry.truth]
        if known:
            truth[name] = _truth(known, seed)
    return ScoreRow(
        method=method,
        clips=len(answered),
        failed=len(scores) - len(answered),
        seconds=float(np.median(seconds)) if seconds else None,
        frames=frames,
        measures=measures,
        flips=float(np.mean([entry.flips for entry in ranked])) if ranked else None,
        patches=_faithfulness(patches, seed) if patches else None,
        truth=truth,
        randomised=_randomised([entry.randomised for entry in answered if entry.randomised]),
    )


def _randomised(clips: Sequence[Sequence[RandomisedStep]]) -> tuple[RandomisedStep, ...]:
    """Each layer's mean over clips."""
    return tuple(
        RandomisedStep(
            steps[0].layer,
            _mean([step.frames for step in steps]),
            _mean([step.patches for step in steps]),
        )
        for steps in zip(*clips, strict=True)
    )


def _faithfulness(figures: Sequence[Figure], seed: int) -> FaithfulnessRow:
    zs = [figure.z for figure in figures if figure.z is not None]
    verdicts = [figure.verdict for figure in figures]
    z = _average(zs, seed) if zs else None
    return FaithfulnessRow(
        z=z,
        better=verdicts.count("better") / len(verdicts),
        worse=verdicts.count("worse") / len(verdicts),
        # The z of a random ranking has spread 1, the mean of n such 1/sqrt(n).
        standing="unknown" if z is None else _standing(z, 0.0, z.mean * math.sqrt(z.clips)),
    )


def _truth(figures: Sequence[Figure], seed: int) -> TruthAverage:
    value = _average([figure.value for figure in figures], seed)
    expected = float(np.mean([figure.expected for figure in figures]))
    spread = float(np.sqrt(np.sum([figure.spread**2 for figure in figures]))) / len(figures)
    # below this, the spread is rounding: every shuffle gives the same
    z = (value.mean - expected) / spread if spread > 1e-9 else None
    return TruthAverage(value, expected, z, _standing(value, expected, z))


def _average(values: Sequence[float], seed: int) -> Average:
    array = np.asarray(values, dtype=np.float64)
    picks = np.random.default_rng(seed).integers(len(array), size=(RESAMPLES, len(array)))
    low, high = np.percentile(array[picks].mean(axis=1), (2.5, 97.5))
    return Average(float(array.mean()), (float(low), float(high)), len(array))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _standing(value: Average, chance: float, z: float | None) -> Standing:
    if z is None or abs(z) < SURE:
        return "random"
    if value.interval[0] > chance:
        return "better"
    return "worse" if value.interval[1] < chance else "random"
