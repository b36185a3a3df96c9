"""What order is worth: a mean cannot tell a clip from itself played backwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from stam_core.actions import LABELS, TIME_PAIRS
from stam_core.errors import ParameterError
from stam_core.metrics.order import OrderRow, class_indices, partners, time_matters

PAIR = TIME_PAIRS[0]
CLASSES = (PAIR[0], PAIR[1], next(name for name in LABELS if name not in sum(TIME_PAIRS, ())))
T, D = 6, 8


@dataclass
class DirectionModel:
    """Answers from channel 0: rising is the first of the pair, falling the second; 1 the third."""

    calls: int = 0

    def classify(self, embeddings: torch.Tensor, positions: torch.Tensor | None = None):
        del positions
        self.calls += 1
        n = embeddings.shape[1]
        time = torch.linspace(-1.0, 1.0, n) if n > 1 else torch.zeros(1)
        rising = (embeddings[..., 0] * time).sum(dim=1)
        third = embeddings[..., 1].mean(dim=1)
        return torch.stack([rising, -rising, 100.0 * (third - 0.5)], dim=1)


def _clips(n: int = 240) -> tuple[torch.Tensor, np.ndarray]:
    """Ramps that rise, ramps that fall, and constants; all of them noisy."""
    targets = np.arange(n) % 3
    ramp = torch.linspace(-1.0, 1.0, T)
    embeddings = 0.1 * torch.randn(n, T, D, generator=torch.Generator().manual_seed(0))
    embeddings[targets == 0, :, 0] += ramp
    embeddings[targets == 1, :, 0] -= ramp
    embeddings[targets == 2, :, 1] += 1.0
    return embeddings, targets


def _compare(n: int, folds: int, steps: int) -> list[OrderRow]:
    embeddings, targets = _clips(n)
    return time_matters(DirectionModel(), embeddings, targets, CLASSES, folds=folds, steps=steps)


@pytest.fixture(scope="module")
def rows() -> dict[str, OrderRow]:
    return {row.name: row for row in _compare(240, folds=3, steps=60)}


def test_the_model_as_it_is(rows: dict[str, OrderRow]) -> None:
    row = rows["temporal transformer"]
    assert row.top1 == row.pairs_top1 == row.direction == 1.0
    assert (row.clips, row.pair_clips) == (240, 160)


@pytest.mark.parametrize("kind", ["linear", "two-layer"])
def test_a_classifier_on_the_mean_knows_postures_and_no_direction(
    rows: dict[str, OrderRow], kind: str
) -> None:
    mean = rows[f"{kind} classifier on the mean"]
    ordered = rows[f"{kind} classifier on the frames in order"]
    assert mean.trained_here
    assert not mean.knows_order
    assert mean.direction == pytest.approx(0.5, abs=0.13)  # 160 clips: 3 standard deviations
    assert mean.top1 == pytest.approx((1 + 2 * 0.5) / 3, abs=0.1)
    assert ordered.direction > 0.95
    assert ordered.top1 > 0.95


def test_the_temporal_stage_without_order(rows: dict[str, OrderRow]) -> None:
    assert rows["the same, frames shuffled"].direction == pytest.approx(0.5, abs=0.13)
    # one token: time is 0, both of the pair get the same logit, and a tie counts half
    assert rows["the same, mean once"].direction == 0.5


def test_a_seed_repeats_every_figure() -> None:
    assert _compare(60, folds=2, steps=10) == _compare(60, folds=2, steps=10)


def test_a_mean_is_the_same_backwards() -> None:
    """Exactly: whatever is learned on it answers a clip and the reversed clip alike."""
    embeddings, _ = _clips(6)
    torch.testing.assert_close(embeddings.mean(dim=1), embeddings.flip(1).mean(dim=1))


def test_the_callers_random_numbers_are_left_alone() -> None:
    before = torch.get_rng_state()
    _compare(12, folds=2, steps=1)
    assert torch.equal(before, torch.get_rng_state())


def test_partners_are_each_others() -> None:
    assert partners(CLASSES).tolist() == [1, 0, -1]
    assert partners(CLASSES[:1]).tolist() == [-1]  # the other one is not known
    found = partners(LABELS)
    assert (found >= 0).sum() == 2 * len(TIME_PAIRS)
    assert all(found[found[k]] == k for k in np.flatnonzero(found >= 0))


def test_class_indices_follow_the_models_own_order() -> None:
    labels = (LABELS[2], "archery", LABELS[0])
    assert class_indices(np.array([0, 1, 2]), labels).tolist() == [2, -1, 0]


@pytest.mark.parametrize(
    ("n", "targets", "message"),
    [
        (3, np.zeros(3, np.int64), "5 folds need at least as many clips"),
        (6, np.array([0, 1, 2, -1, 0, 1]), "no class among the model's labels"),
    ],
)
def test_what_cannot_be_compared_is_said(n: int, targets: np.ndarray, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        time_matters(DirectionModel(), torch.zeros(n, T, D), targets, CLASSES)
