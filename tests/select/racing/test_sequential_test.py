"""Bets on a mean: never convinced too often where it is not so, soon convinced where it is."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.select.racing.sequential_test import MOST, evidence_above


def test_the_first_bet_is_worked_by_hand() -> None:
    """At expected 1/2 the bet is capped at half the capital per unit: 1 + 1 x (1 - 1/2)."""
    evidence = evidence_above([1.0], 10, mean=0.5, alpha=0.05)
    assert 1 + MOST / 0.5 * 0.5 == pytest.approx(evidence)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_all_of_the_numbers_settle_the_question(values: list[float]) -> None:
    """With every number seen, a mean that is clearly above is certain in the end."""
    mean = math.fsum(values) / len(values)
    numbers = [*values, 0.0]  # one more look, after the others have been seen
    if mean * len(values) > (len(values) + 1) * 0.3 + 1e-6:
        assert math.inf == evidence_above(numbers, len(numbers), mean=0.3, alpha=0.05)


@pytest.mark.parametrize("kind", ["coin", "even", "rare"])
def test_a_mean_that_is_not_above_convinces_seldom(kind: str) -> None:
    """Of 1,000 orders of numbers with mean 1/2 at most alpha reach 1 / alpha at any look."""
    random = np.random.default_rng(5)
    numbers = {
        "coin": np.array([0.0, 1.0] * 50),
        "even": np.linspace(0, 1, 100),
        "rare": np.array([0.5] * 90 + [0.0, 1.0] * 5),
    }[kind]
    wrong = 0
    for _ in range(1000):
        order = list(random.permutation(numbers))
        wrong += evidence_above(order, 100, mean=0.5, alpha=0.1) >= 10
    assert wrong <= 100 + 3 * 9.5  # alpha, and three standard errors of the count


def test_a_clear_lead_convinces_early() -> None:
    """A mean of 0.7 is told from 0.5 within a quarter of 100 items, more often than not."""
    random = np.random.default_rng(6)
    numbers = np.array([1.0] * 50 + [0.5] * 40 + [0.0] * 10)
    is_convinced = [
        evidence_above(list(random.permutation(numbers)[:25]), 100, mean=0.5, alpha=0.05) >= 20
        for _ in range(200)
    ]
    assert np.mean(is_convinced) > 0.5
