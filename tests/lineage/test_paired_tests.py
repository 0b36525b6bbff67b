"""Paired comparisons, held to hand-worked numbers, to their laws and to simulated truth."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stages.errors import EvaluationError
from stages.evaluate.aggregate import tally
from stages.evaluate.tasks.lm_eval_task import LoadedTask
from stages.evaluate.tasks.parts import Part
from stages.lineage.evaluation import Evaluation, ItemScore, Resamples, TaskScore
from stages.lineage.paired_tests import LEAST_P, bonferroni, compare, corrected_best, p_text
from tests.bench.study_claims import most, num_claims
from tests.evaluations import evaluation_of


def test_compare_gives_the_hand_worked_paired_error() -> None:
    """Differences 1, 0, 0, 1 have mean 1/2, variance 1/3, so a standard error of 1/sqrt(12)."""
    first, second = evaluation_of(a=[1.0, 1.0, 0.0, 1.0]), evaluation_of(a=[0.0, 1.0, 0.0, 0.0])
    comparison = compare(first, second, {"a": 1.0})
    assert 0.5 == comparison.difference
    assert 1 / math.sqrt(12) == pytest.approx(comparison.stderr)
    assert 0.5 == comparison.p_value  # McNemar: two changed, both to the better: 2 / 2**2


def test_compare_weighs_tasks_as_fitness_does() -> None:
    """The paired difference equals the difference of the fitnesses."""
    weights = {"a": 1.0, "b": 4.0}
    first = evaluation_of(a=[1.0, 0.0, 1.0], b=[1.0, 1.0])
    second = evaluation_of(a=[0.0, 0.0, 1.0], b=[0.0, 1.0])
    comparison = compare(first, second, weights)
    expected = first.fitness(weights) - second.fitness(weights)
    assert expected == pytest.approx(comparison.difference)
    # shares 1/5 and 4/5, variances of the means 1/9 and 1/4
    assert math.sqrt(0.04 / 9 + 0.64 / 4) == pytest.approx(comparison.stderr)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30))
def test_compare_is_antisymmetric(pairs: list[tuple[float, float]]) -> None:
    """Swapping the two turns the sign of the difference and nothing else."""
    first = evaluation_of(a=[left for left, _ in pairs])
    second = evaluation_of(a=[right for _, right in pairs])
    there, back = compare(first, second, {"a": 1.0}), compare(second, first, {"a": 1.0})
    assert there.difference == -back.difference
    assert (there.stderr, there.p_value) == (back.stderr, back.p_value)
    assert 0 <= there.p_value <= 1


def test_compare_with_itself_finds_nothing() -> None:
    """The same scores differ by 0 with p-value 1; three equal items leave an error of 1/4."""
    evaluation = evaluation_of(a=[0.0, 1.0, 1.0])
    comparison = compare(evaluation, evaluation, {"a": 1.0})
    assert (0.0, 1 / 4, 1.0) == (comparison.difference, comparison.stderr, comparison.p_value)


def test_one_item_is_never_significant() -> None:
    """A task of one item counts its difference as its error, and has p-value 1."""
    comparison = compare(evaluation_of(a=[1.0]), evaluation_of(a=[0.0]), {"a": 1.0})
    assert (1.0, 1.0) == (comparison.difference, comparison.stderr)
    assert 1.0 == comparison.p_value


def test_one_changed_item_of_several_tasks_is_never_significant() -> None:
    """One item may as well have gone the other way: p is 1, whatever the tasks."""
    first = evaluation_of(a=[1.0, 0.0], b=[0.5, 0.5])
    assert (
        1.0 == compare(first, evaluation_of(a=[0.0, 0.0], b=[0.5, 0.5]), {"a": 1, "b": 1}).p_value
    )


def test_items_that_all_differ_alike_get_the_sign_test() -> None:
    """Five items won out of five leave p = 2/32, not 0, and an error of 1/6, not 0."""
    comparison = compare(evaluation_of(a=[1.0] * 5), evaluation_of(a=[0.0] * 5), {"a": 1.0})
    assert (1.0, 1 / 6, 0.0625) == (comparison.difference, comparison.stderr, comparison.p_value)


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
        compare(evaluation_of(a=[1.0]), evaluation_of(a=[1.0, 0.0]), {"a": 1.0})


def test_mcnemar_is_exact() -> None:
    """Nine changed items, eight to the better: p = 2 (1 + 9) / 2**9."""
    first = evaluation_of(a=[1.0] * 8 + [0.0] + [1.0] * 20)
    second = evaluation_of(a=[0.0] * 8 + [1.0] + [1.0] * 20)
    assert 20 / 512 == pytest.approx(compare(first, second, {"a": 1.0}).p_value)


def test_few_items_get_the_exact_permutation_p_value() -> None:
    """Of the 8 signs of 1, 2 and 4, two are as far from 0 as all to the better: p = 1/4."""
    first = evaluation_of(a=[1.0, 2.0, 4.0])
    assert 0.25 == compare(first, evaluation_of(a=[0.0] * 3), {"a": 1.0}).p_value


def test_no_p_value_is_below_what_the_draws_can_tell() -> None:
    """Of 9,999 draws none is as far from 0: p is 2 / 10,000, not 0."""
    first = evaluation_of(a=[0.9] * 60, b=[1.0] * 60)
    second = evaluation_of(a=[0.0] * 60, b=[0.5] * 60)
    assert 2e-4 == compare(first, second, {"a": 1.0, "b": 1.0}).p_value


def test_permutation_p_values_are_uniform_where_nothing_differs() -> None:
    """Of 80 comparisons of equals, about a twentieth fall below 0.05."""
    random = np.random.default_rng(7)
    p_values = []
    for _ in range(80):
        scores = random.random((4, 15))
        first, second = (
            evaluation_of(a=list(s[0]), b=list(s[1])) for s in (scores[:2], scores[2:])
        )
        p_values.append(compare(first, second, {"a": 1.0, "b": 2.0}).p_value)
    assert 0.01 <= np.mean(np.array(p_values) < 0.05) <= 0.10


def test_corrected_best_takes_away_the_luck_of_the_best() -> None:
    """Of 20 equals at 0.5 the best looks like 0.6; corrected it is near 0.5."""
    random = np.random.default_rng(3)
    evaluations = [evaluation_of(a=list(row)) for row in (random.random((20, 100)) < 0.5) * 1.0]
    naive = max(e.fitness({"a": 1.0}) for e in evaluations)
    corrected = corrected_best(evaluations, {"a": 1.0})
    assert naive > 0.57
    assert 0.5 == pytest.approx(corrected, abs=0.03)


def test_corrected_best_of_one_is_its_fitness() -> None:
    """Nothing was chosen, so there is no luck to take away."""
    evaluation = evaluation_of(a=[0.0, 1.0] * 50, b=[1.0] * 10)
    weights = {"a": 1.0, "b": 3.0}
    assert evaluation.fitness(weights) == pytest.approx(
        corrected_best([evaluation], weights), abs=0.01
    )


def test_bonferroni_multiplies_and_stays_a_probability() -> None:
    """0.02 among three is 0.06, and 0.6 among three is 1."""
    assert 0.06 == pytest.approx(bonferroni(0.02, 3))
    assert 1.0 == bonferroni(0.6, 3)


def f1_of(predicted: np.ndarray, truth: np.ndarray) -> Evaluation:
    """Return an evaluation whose one task is scored by F1, as ``tally`` makes it."""

    def f1_score(pairs: Sequence[tuple[int, int]]) -> float:
        hits = sum(gold * said for gold, said in pairs)
        return 2 * hits / sum(gold + said for gold, said in pairs)

    loaded = LoadedTask("a", None, "f1", "none", higher_is_better=True, aggregate=f1_score)
    part = Part("a", loaded, {str(i): i for i in range(len(truth))}, None)
    pairs = zip(truth.tolist(), predicted.tolist(), strict=True)
    total, items = tally(part, {str(i): pair for i, pair in enumerate(pairs)})
    return Evaluation("test", (total,), tuple(items))


def test_a_metric_that_is_not_a_mean_is_compared_by_its_aggregate() -> None:
    """F1 of a good and of a blind model differ by the difference of the fitnesses, surely."""
    truth = np.arange(60) % 3 == 0
    good = f1_of(np.where(np.arange(60) < 54, truth, ~truth).astype(int), truth.astype(int))
    blind = f1_of((np.arange(60) % 7 == 0).astype(int), truth.astype(int))
    comparison = compare(good, blind, {"a": 1.0})
    assert good.fitness({"a": 1.0}) - blind.fitness({"a": 1.0}) == pytest.approx(
        comparison.difference
    )
    assert comparison.difference > 0.4
    assert 0.0 < comparison.stderr < 0.3
    assert comparison.p_value < 0.001
    expected = corrected_best([good, blind], {"a": 1.0})
    assert expected == pytest.approx(good.fitness({"a": 1.0}), abs=0.05)
    with pytest.raises(EvaluationError, match="not the mean over items"):
        good.items[0].value  # noqa: B018


def test_rounding_is_not_a_gain() -> None:
    """Scores that were added in another order are equal: p is 1."""
    first, second = evaluation_of(a=[0.1 + 0.2] * 20), evaluation_of(a=[0.3] * 20)
    assert 1.0 == compare(first, second, {"a": 1.0}).p_value


def test_a_p_value_at_the_floor_is_printed_as_such() -> None:
    """The permutation test cannot tell values below its floor apart."""
    assert ("≤ 0.0002", "= 0.00021", "≤ 0.0006") == (
        p_text(LEAST_P),
        p_text(0.00021),
        p_text(3 * LEAST_P, 3),
    )


@pytest.mark.parametrize(
    "claim",
    [
        "shortlist of 2: one differs from the champion",
        "shortlist of 13: one differs from the champion",
        "champion is worse than the best of 4 baselines, 1 tasks",
        "champion beats the best of 3 parents, 1 tasks",
        "one task, best of 3 parents: loss",
        "perplexity of 10 items: a difference",
        "perplexity of 60 items: a difference",
        "F1 of 20 items: a difference",
        "Matthews of 60 items: a difference",
    ],
)
def test_claims_about_equal_models_are_made_at_their_rate(claim: str) -> None:
    """Of models that do not differ, 5 % of claims or fewer; the study takes more draws."""
    assert num_claims(claim, 80) <= most(80)


def test_few_items_that_weigh_much_leave_few_degrees_of_freedom() -> None:
    """The same difference in errors says less where one item of twenty decides the draws."""
    p_values = []
    for is_heavy in (False, True):
        draws = stats.norm.ppf((np.arange(500) + 0.5) / 500)
        draws = np.sign(draws) * np.abs(draws) ** (2 if is_heavy else 1)
        drawn = tuple((0.1 * draws / draws.std(ddof=1)).tolist())
        pair = []
        for score, values in ((0.25, drawn), (0.0, (0.0,) * 500)):
            resamples = Resamples(values, values)
            total = TaskScore("a", "f1", score, 0.1, 20, True, resamples=resamples)
            items = tuple(ItemScore("a", str(i), None) for i in range(20))
            pair.append(Evaluation("test", (total,), items))
        p_values.append(compare(pair[0], pair[1], {"a": 1.0}).p_value)
    assert p_values[0] == pytest.approx(2 * stats.t.sf(2.5, 19), abs=0.005)
    assert p_values[1] > 0.1
