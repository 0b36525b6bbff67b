"""Scores, held to hand-worked numbers and to the laws of a paired comparison."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.errors import EvaluationError
from stages.hashing import canonical_json
from stages.scores import Evaluation, ItemScore, TaskScore, compare


def _evaluation(higher_is_better: bool = True, **tasks: list[float]) -> Evaluation:
    """Return an evaluation with these item scores by task."""
    scores = []
    for task, values in tasks.items():
        mean = sum(values) / len(values)
        variance = sum((v - mean) ** 2 for v in values) / max(len(values) - 1, 1)
        stderr = math.sqrt(variance / len(values))
        scores.append(TaskScore(task, "acc", mean, stderr, len(values), higher_is_better))
    items = tuple(
        ItemScore(task, f"i{place}", value)
        for task, values in tasks.items()
        for place, value in enumerate(values)
    )
    return Evaluation("test", tuple(scores), items)


def test_fitness_is_the_weighted_mean_of_the_scores() -> None:
    """Weights 3 and 1 of scores 1/2 and 1 give 5/8; standard errors add in quadrature."""
    evaluation = _evaluation(a=[0.0, 1.0], b=[1.0, 1.0])
    assert 0.625 == evaluation.fitness({"a": 3.0, "b": 1.0})
    assert 0.75 * 0.5 == pytest.approx(evaluation.fitness_stderr({"a": 3.0, "b": 1.0}))


def test_a_lower_is_better_score_counts_negative() -> None:
    """A perplexity of 4 is a fitness of -4, and falling to 3 is a gain of 1."""
    worse, better = (_evaluation(higher_is_better=False, a=[s, s]) for s in (4.0, 3.0))
    assert -4.0 == worse.fitness({"a": 2.0})
    assert 1.0 == compare(better, worse, {"a": 2.0}).difference


def test_compare_gives_the_hand_worked_paired_error() -> None:
    """Differences 1, 0, 0, 1 have mean 1/2, variance 1/3, so a standard error of 1/sqrt(12)."""
    first, second = _evaluation(a=[1.0, 1.0, 0.0, 1.0]), _evaluation(a=[0.0, 1.0, 0.0, 0.0])
    found = compare(first, second, {"a": 1.0})
    assert 0.5 == found.difference
    assert 1 / math.sqrt(12) == pytest.approx(found.stderr)
    assert 0.0832645 == pytest.approx(found.p_value, abs=1e-6)  # 2 (1 - Phi(1.7320508))


def test_compare_weighs_tasks_as_fitness_does() -> None:
    """The paired difference equals the difference of the fitnesses."""
    weights = {"a": 1.0, "b": 4.0}
    first = _evaluation(a=[1.0, 0.0, 1.0], b=[1.0, 1.0])
    second = _evaluation(a=[0.0, 0.0, 1.0], b=[0.0, 1.0])
    found = compare(first, second, weights)
    expected = first.fitness(weights) - second.fitness(weights)
    assert expected == pytest.approx(found.difference)
    # shares 1/5 and 4/5, variances of the means 1/9 and 1/4
    assert math.sqrt(0.04 / 9 + 0.64 / 4) == pytest.approx(found.stderr)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30))
def test_compare_is_antisymmetric(pairs: list[tuple[float, float]]) -> None:
    """Swapping the two turns the sign of the difference and nothing else."""
    first = _evaluation(a=[left for left, _ in pairs])
    second = _evaluation(a=[right for _, right in pairs])
    there, back = compare(first, second, {"a": 1.0}), compare(second, first, {"a": 1.0})
    assert there.difference == -back.difference
    assert (there.stderr, there.p_value) == (back.stderr, back.p_value)
    assert 0 <= there.p_value <= 1


def test_compare_with_itself_finds_nothing() -> None:
    """The same scores differ by 0 with p-value 1."""
    evaluation = _evaluation(a=[0.0, 1.0, 1.0])
    found = compare(evaluation, evaluation, {"a": 1.0})
    assert (0.0, 0.0, 1.0) == (found.difference, found.stderr, found.p_value)


def test_one_item_is_never_significant() -> None:
    """A task of one item counts its difference as its error, so p is 0.32, not 0."""
    found = compare(_evaluation(a=[1.0]), _evaluation(a=[0.0]), {"a": 1.0})
    assert (1.0, 1.0) == (found.difference, found.stderr)
    assert 0.3173105 == pytest.approx(found.p_value)


def test_items_that_all_differ_alike_get_the_sign_test() -> None:
    """Five items won out of five leave p = 2/32, not 0."""
    found = compare(_evaluation(a=[1.0] * 5), _evaluation(a=[0.0] * 5), {"a": 1.0})
    assert (1.0, 0.0, 0.0625) == (found.difference, found.stderr, found.p_value)


def test_compare_counts_repeated_items_each_time() -> None:
    """Two items of one content are two pairs: the difference is still that of the means."""
    first, second = (
        Evaluation(
            "test",
            (TaskScore("a", "acc", sum(values) / 3, 0.0, 3, True),),
            tuple(ItemScore("a", "same", value) for value in values),
        )
        for values in ([1.0, 1.0, 0.0], [0.0, 0.0, 0.0])
    )
    assert 2 / 3 == pytest.approx(compare(first, second, {"a": 1.0}).difference)


def test_compare_refuses_other_items() -> None:
    """Evaluations on other items cannot be paired."""
    with pytest.raises(EvaluationError, match="different items"):
        compare(_evaluation(a=[1.0]), _evaluation(a=[1.0, 0.0]), {"a": 1.0})


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_evaluation_survives_json(values: list[float]) -> None:
    """``from_dict`` is the inverse of ``to_dict``, to the last bit."""
    evaluation = _evaluation(a=values, b=values)
    again = Evaluation.from_dict(evaluation.to_dict())
    assert evaluation == again
    assert canonical_json(evaluation.to_dict()) == canonical_json(again.to_dict())
