"""Scores and standard errors from what a metric says about each item."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from lm_eval.api.metrics import mean, perplexity, weighted_perplexity

from stages.errors import EvaluationError
from stages.evaluate.aggregate import NUM_RESAMPLES, tally
from stages.evaluate.tasks.lm_eval_task import LoadedTask
from stages.evaluate.tasks.parts import Part
from stages.lineage.evaluation import TaskScore


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


def test_a_metric_that_is_not_a_mean_gives_items_no_score() -> None:
    """The aggregate of all items is the score; of one alone it may not even exist."""

    def ratio(pairs: Sequence[tuple[float, float]]) -> float:
        return sum(hits for hits, _ in pairs) / sum(wanted for _, wanted in pairs)

    total, items = tally(part_of(ratio, 3), {"a": (1.0, 0.0), "b": (1.0, 2.0), "c": (0.0, 2.0)})
    assert [None, None, None] == [i.score for i in items]
    assert 0.5 == total.score
    assert total.resamples is not None
    assert NUM_RESAMPLES == len(total.resamples.drawn) == len(total.resamples.left_out)
    assert None in total.resamples.drawn  # all of a draw was item a
    assert total == TaskScore.from_dict(total.to_dict())


def test_draws_without_a_value_may_raise_anything() -> None:
    """All items have a score; a draw of them for which the aggregation raises has none."""

    def spread(values: Sequence[float]) -> float:
        if len({*values}) < 2:
            raise TypeError("all alike")
        return max(values) - min(values)

    total = tally(part_of(spread, 2), {"a": 1.0, "b": 4.0})[0]
    assert 3.0 == total.score
    assert total.resamples is not None
    assert {None, 3.0} == {*total.resamples.drawn}


def test_draws_are_the_same_for_every_model() -> None:
    """Two models on the same items hold the same draws, so their differences are paired."""
    answers = {chr(97 + i): (-2.0 - i, 2) for i in range(8)}
    more = {item: (value * 1.5, words) for item, (value, words) in answers.items()}
    first = tally(part_of(weighted_perplexity, 8), answers)[0].resamples
    second = tally(part_of(weighted_perplexity, 8), more)[0].resamples
    assert first is not None
    assert second is not None
    for one, other in zip(first.drawn, second.drawn, strict=True):
        assert one is not None
        assert pytest.approx(one**1.5) == other


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
    with pytest.raises(EvaluationError, match="the split as a whole: metric m is inf"):
        tally(part_of(perplexity, 1), {"a": -1e6})


def test_metric_that_fails_is_named() -> None:
    """An aggregation that raises is reported with the metric's name."""
    with pytest.raises(EvaluationError, match="metric m cannot be computed: unsupported operand"):
        tally(part_of(mean, 1), {"a": "text"})
