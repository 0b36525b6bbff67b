"""Scores and standard errors from what a metric says about each item."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from lm_eval.api.metrics import mean, perplexity, weighted_perplexity

from stages.errors import EvaluationError
from stages.evaluate.aggregate import tally
from stages.evaluate.tasks.lm_eval_task import LoadedTask
from stages.evaluate.tasks.suite import Part


def part_of(aggregate: Callable[[Sequence[Any]], float], num: int) -> Part:
    """Return a part of items a, b, c, ... whose metric is aggregated so."""
    loaded = LoadedTask("t", None, "m", "none", higher_is_better=True, aggregate=aggregate)
    return Part("t", loaded, {chr(97 + i): i for i in range(num)}, None)


def test_mean_has_the_textbook_standard_error() -> None:
    """Scores 0, 1, 1, 1: mean 0.75, sample deviation 0.5, standard error 0.25."""
    total, items = tally(part_of(mean, 4), {"b": 1, "a": 0, "d": True, "c": 1.0})
    assert (0.75, 0.25, 4) == (total.score, total.stderr, total.num_items)
    assert [("a", 0.0), ("b", 1.0), ("c", 1.0), ("d", 1.0)] == [(i.item, i.score) for i in items]


def test_one_item_has_no_spread() -> None:
    """A single item has standard error 0."""
    assert tally(part_of(mean, 1), {"a": 1})[0].stderr == 0.0
    assert tally(part_of(perplexity, 1), {"a": -1.0})[0].stderr == 0.0


def test_pairs_become_numbers() -> None:
    """Where a metric keeps pairs, an item's score is the aggregate of that item alone."""
    answers = {"a": (-2.0, 2), "b": (-9.0, 3)}
    total, items = tally(part_of(weighted_perplexity, 2), answers)
    assert [pytest.approx(math.e), pytest.approx(math.exp(3))] == [i.score for i in items]
    assert pytest.approx(math.exp(11 / 5)) == total.score


def test_bootstrap_is_deterministic_and_near_the_truth() -> None:
    """The bootstrap of a mean by another name gives nearly the closed form, twice the same."""

    def average(values: Sequence[float]) -> float:
        return sum(values) / len(values)

    answers = {chr(97 + i): float(i % 2) for i in range(26)}
    by_formula = tally(part_of(mean, 26), answers)[0].stderr
    by_bootstrap = tally(part_of(average, 26), answers)[0].stderr
    assert by_bootstrap == tally(part_of(average, 26), answers)[0].stderr
    assert pytest.approx(by_formula, rel=0.2) == by_bootstrap


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_score_that_is_not_finite_is_refused(value: float) -> None:
    """NaN and infinities name the task and the item."""
    with pytest.raises(EvaluationError, match="task t, item b: metric m is"):
        tally(part_of(mean, 2), {"a": 1.0, "b": value})


def test_metric_that_overflows_is_refused() -> None:
    """A perplexity beyond floating point is not a score."""
    with pytest.raises(EvaluationError, match="item a: metric m is inf"):
        tally(part_of(perplexity, 1), {"a": -1e6})


def test_metric_that_fails_is_named() -> None:
    """An aggregation that raises is reported with the metric's name."""
    with pytest.raises(EvaluationError, match="metric m cannot be computed: unsupported operand"):
        tally(part_of(mean, 1), {"a": "text"})
