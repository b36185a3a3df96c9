"""Agreement of two rankings, against values worked out by hand."""

from __future__ import annotations

import re

import numpy as np
import pytest

from stam_core.errors import ParameterError
from stam_core.metrics.agreement import compare, ranks, spearman


def test_ties_share_their_mean_rank():
    np.testing.assert_array_equal(ranks(np.array([5.0, 1.0, 5.0, 9.0])), [2.5, 1.0, 2.5, 4.0])


def test_spearman_by_the_textbook_formula_without_ties():
    a, b = np.array([1.0, 2, 3, 4, 5]), np.array([20.0, 10, 30, 50, 40])
    # differences of ranks -1, 1, 0, -1, 1: 1 - 6 * 4 / (5 * 24)
    assert spearman(a, b) == pytest.approx(0.8)
    assert spearman(a, -a) == -1.0
    assert spearman(a, np.exp(a)) == 1.0


def test_spearman_with_ties_is_pearson_of_the_mean_ranks():
    # ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5)
    value = spearman(np.array([0.0, 1, 1, 2]), np.array([1.0, 2, 3, 4]))
    assert value == pytest.approx(4.5 / np.sqrt(22.5))


def test_spread_of_unrelated_rankings_is_what_it_says():
    rng = np.random.default_rng(1)
    a = np.array([0.0, 0, 0, 1, 2, 3, 4, 4])
    values = [spearman(a, rng.permutation(a)) for _ in range(4000)]
    assert np.std(values) == pytest.approx(compare(a, a).spread, rel=0.05)


def test_top_overlap_by_hand():
    a = np.array([9.0, 8, 7, 6, 1, 1, 1, 1])
    b = np.array([9.0, 1, 7, 1, 8, 6, 1, 1])
    found = compare(a, b, k=4)
    assert found.top_k_overlap == 0.5  # places 0 and 2
    assert found.chance_overlap == 0.5
    assert compare(a, b).k == 2


def test_ties_at_the_edge_of_the_top_count_by_their_chance():
    a = np.array([3.0, 1, 1, 0])  # the second place is 1 or 2, each as likely
    b = np.array([3.0, 2, 1, 0])
    assert compare(a, b, k=2).top_k_overlap == 0.75


@pytest.mark.parametrize(
    ("b", "verdict", "words"),
    [
        (
            lambda a: a**3,
            "agree",
            r"attention and effect agree: rank correlation \+1.00, 4 of the 4",
        ),
        (lambda a: -a, "disagree", r"disagree: rank correlation -1.00, what one ranks high"),
        (lambda a: np.roll(a, 5), "neither", "neither agree nor disagree more than chance"),
        (lambda a: 0 * a, "unknown", "cannot be compared: one gives all frames the same"),
    ],
)
def test_the_sentence_says_what_the_figures_say(b, verdict, words):
    a = np.arange(16.0)
    found = compare(a, b(a), names=("attention", "effect"))
    assert found.verdict == verdict
    assert re.search(words, found.sentence)


def test_patches_are_compared_place_by_place():
    a = np.random.default_rng(0).random((4, 3, 3))
    assert compare(a, a, places="patches").spearman == 1.0


def test_what_cannot_be_compared():
    a = np.arange(4.0)
    with pytest.raises(ParameterError, match=r"same places .*\(4,\) and \(3,\)"):
        compare(a, a[:3])
    with pytest.raises(ParameterError, match="not numbers"):
        compare(a, np.array([1.0, np.nan, 0, 0]))
    with pytest.raises(ParameterError, match="1 to 4 frames, not 5"):
        compare(a, a, k=5)
    with pytest.raises(ParameterError, match="same places"):
        spearman(np.zeros(0), np.zeros(0))
