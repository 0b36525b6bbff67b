"""Evaluations compared item by item, and what is left of a gain after choosing the best of many.

Every test here is of the same items answered twice. Figures are of the tasks' own aggregates:
where a metric is not the mean over items, they rest on the bootstrap draws that both share.
Randomness comes from ``seeds.py``, so equal evaluations give equal p-values.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from stages.errors import EvaluationError
from stages.lineage.evaluation import Evaluation, TaskScore
from stages.seeds import generator

NUM_FLIPS = 9_999  # of the permutation test
LEAST_P = 2 / (NUM_FLIPS + 1)  # its floor: a p-value there is printed with a "less or equal"
ROUNDING = 1e-9  # relative: scores nearer than this are equal, they were added in another order
NUM_RESAMPLES = 1_000  # of the bootstrap behind ``corrected_best``

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A paired comparison of two evaluations: ``difference`` is the first less the second."""

    difference: float
    stderr: float
    p_value: float  # two-sided, of no difference; 1 where no item differs


def compare(first: Evaluation, second: Evaluation, weights: Mapping[str, float]) -> Comparison:
    """Return the paired difference in fitness over the items both answered.

    The difference of each item is weighted as ``Evaluation.fitness`` weights it. The standard
    error is that of the weighted sum of per-task mean differences; a task of one item has no
    spread to measure: its difference counts as its own standard error. Where all items differ by
    the same, the spread is 0 and says nothing about the next item: the standard error is then
    1 / (items + 1), the far end of Wilson's interval. The p-value is McNemar's exact one for a
    single task of right and wrong answers, and else that of a permutation test, which swaps the
    two answers of an item at random: exact for few items, from 9,999 draws and never below 2e-4
    for many.

    With a metric that is not the mean over items the difference is that of the aggregates, the
    standard error that of a paired bootstrap over items, and the p-value that of their ratio in a
    t-distribution: a few items that weigh much, such as long texts in a perplexity, leave the
    error itself uncertain, and with it few degrees of freedom (Satterthwaite).

    Raises:
        EvaluationError: the two were not scored on the same items.
    Source: McNemar 1947, Psychometrika 12(2); Phipson and Smyth 2010, arXiv 1603.05766;
    Satterthwaite 1946, Biometrics Bulletin 2(6).
    """
    tasks = _paired(first, second)
    total = sum(weights[task.task] for task, _ in tasks)
    parts, variances, freedoms, rest = [], [], [], []
    for one, other in tasks:
        share = weights[one.task] / total
        if one.resamples is not None or other.resamples is not None:
            rest.append(share * one.sign * (one.score - other.score))
            variance, freedom = _resampled_variance(one, other)
            variances.append(share**2 * variance)
            freedoms.append(freedom)
            continue
        deltas = _deltas(first, second, one.task)
        variances.append(share**2 * _variance_of_mean(deltas))
        freedoms.append(max(1.0, len(deltas) - 1.0))
        parts.append(share * deltas / len(deltas))
    difference = math.fsum([*(float(part.sum()) for part in parts), *rest])
    stderr = math.sqrt(sum(variances))
    if rest:
        p_value = _t_test(difference, variances, freedoms)
    else:
        p_value = _p_value(np.concatenate(parts), len(parts))
    return Comparison(difference, stderr, p_value)


def _paired(first: Evaluation, second: Evaluation) -> list[tuple[TaskScore, TaskScore]]:
    """Return the tasks of both evaluations, sorted by name.

    Raises:
        EvaluationError: the two were not scored on the same items.
    """
    if _item_names(first) != _item_names(second):
        raise EvaluationError(
            f"comparison on the {first.split} split: the two evaluations hold different items. "
            "A paired test needs the same items; evaluate both on one split."
        )
    others = {task.task: task for task in second.tasks}
    return [(task, others[task.task]) for task in sorted(first.tasks, key=lambda t: t.task)]


def _item_names(evaluation: Evaluation) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for item in evaluation.items:
        names.setdefault(item.task, []).append(item.item)
    return {task: sorted(items) for task, items in names.items()}


def _deltas(first: Evaluation, second: Evaluation, task: str) -> Floats:
    """Return the items' differences, 0 where the scores are equal but for rounding."""
    left, right = item_scores(first)[task], item_scores(second)[task]
    pairs = np.array([(left[item], right[item]) for item in sorted(left)])
    deltas: Floats = pairs[:, 0] - pairs[:, 1]
    deltas[np.abs(deltas) <= ROUNDING * np.abs(pairs).max(axis=1)] = 0.0
    return deltas


def _variance_of_mean(deltas: Floats) -> float:
    """Return the squared standard error of the mean difference."""
    size = len(deltas)
    if size > 1 and np.ptp(deltas) == 0.0 and np.abs(deltas).max() <= 1.0:
        return 1.0 / (size + 1) ** 2
    spread = deltas.var(ddof=1) if size > 1 else deltas[0] ** 2
    return float(spread) / size


def _resampled_variance(one: TaskScore, other: TaskScore) -> tuple[float, float]:
    """Return the variance of the difference of two aggregates, and its degrees of freedom.

    Both are of the draws that the two hold. A sum over items has 1/n of their excess kurtosis, so
    that of the draws shows how heavy the tails of single items are, and how uncertain a variance
    from n of them is: 2 / (kurtosis + 2 / n) - 1 degrees of freedom, n - 1 for normal items.

    Raises:
        EvaluationError: an aggregate holds no draws.
    """
    if one.resamples is None or other.resamples is None:
        raise EvaluationError(
            f"comparison, task {one.task}: metric {one.metric} is not the mean over items, and "
            "an evaluation holds no bootstrap draws of it. Evaluate both again."
        )
    pairs = zip(one.resamples.drawn, other.resamples.drawn, strict=True)
    deltas = [a - b for a, b in pairs if a is not None and b is not None]
    if len(deltas) < 2 or np.ptp(deltas) == 0.0:
        return 0.0, 1.0
    kurtosis = max(0.0, float(stats.kurtosis(deltas)))
    freedom = 2.0 / (kurtosis + 2.0 / max(one.num_items, 2)) - 1.0
    return float(np.var(deltas, ddof=1)), max(1.0, freedom)


def _t_test(difference: float, variances: Sequence[float], freedoms: Sequence[float]) -> float:
    """Return the two-sided p-value of a sum whose parts have these variances; 1 without any."""
    total = math.fsum(variances)
    if total == 0.0:
        return 1.0
    freedom = total**2 / math.fsum(v**2 / f for v, f in zip(variances, freedoms, strict=True))
    return float(2.0 * stats.t.sf(abs(difference) / math.sqrt(total), freedom))


def corrected_best(evaluations: Sequence[Evaluation], weights: Mapping[str, float]) -> float:
    """Return the fitness to expect on new items of whichever evaluation is the best on these.

    The best of many is lucky as well as good. Items are drawn with replacement within each task;
    the evaluation that is best on those drawn is scored on those left out, and the mean over the
    draws is returned: a slightly pessimistic figure, where the best one's own is optimistic. A
    task of which no item is left out in a draw keeps the draw's own score.

    Source: Tsamardinos, Greasidou and Borboudakis 2018, arXiv 1708.07180 (bootstrap bias
    correction).
    """
    tables = [item_scores(evaluation) for evaluation in evaluations]
    tasks = sorted(task.task for task in evaluations[0].tasks)
    total = sum(weights[task] for task in tasks)
    drawn = np.zeros((NUM_RESAMPLES, len(tables)))
    left_out = np.zeros_like(drawn)
    random = generator("corrected best", len(tables))
    for task in tasks:
        if task not in tables[0]:
            inside, outside_scores = _draws_of(evaluations, task)
            drawn += weights[task] / total * inside
            left_out += weights[task] / total * outside_scores
            continue
        items = sorted(tables[0][task])
        scores = np.array([[table[task][item] for item in items] for table in tables])
        counts = random.multinomial(len(items), [1 / len(items)] * len(items), NUM_RESAMPLES)
        share = weights[task] / total
        inside = counts @ scores.T / len(items)
        outside = (counts == 0).astype(float)
        size = outside.sum(axis=1, keepdims=True)
        means = outside @ scores.T / np.maximum(size, 1)
        drawn += share * inside
        left_out += share * np.where(size > 0, means, inside)
    best = drawn.argmax(axis=1)
    return float(left_out[np.arange(NUM_RESAMPLES), best].mean())


def _draws_of(evaluations: Sequence[Evaluation], task: str) -> tuple[Floats, Floats]:
    """Return a task's kept draws, one column for each evaluation: of items drawn, and left out.

    A draw without a value has the task's score.
    """
    inside: list[Floats] = []
    outside: list[Floats] = []
    for evaluation in evaluations:
        score = next(t for t in evaluation.tasks if t.task == task)
        if score.resamples is None:
            raise EvaluationError(f"task {task}: no bootstrap draws are kept. Evaluate it again.")
        for kept, columns in (
            (score.resamples.drawn, inside),
            (score.resamples.left_out, outside),
        ):
            values = np.array([score.score if v is None else v for v in kept])
            columns.append(score.sign * np.resize(values, NUM_RESAMPLES))
    return np.array(inside).T, np.array(outside).T


def p_text(p_value: float, num_tests: int = 1) -> str:
    """Return ``= 0.03``, or ``≤ 0.0002`` at the floor of the permutation test.

    ``num_tests`` is what the p-value was multiplied by, with its floor.
    """
    floor = min(1.0, LEAST_P * num_tests)
    return f"≤ {floor:.2g}" if p_value <= floor * (1 + ROUNDING) else f"= {p_value:.2g}"


def bonferroni(p_value: float, num_tests: int) -> float:
    """Return a p-value that holds for the least of ``num_tests`` such tests."""
    return min(1.0, p_value * num_tests)


def item_scores(evaluation: Evaluation) -> dict[str, dict[tuple[str, int], float]]:
    """Return the scores by task and item, lower-is-better ones negative.

    A task whose items have no score is left out. An item that occurs twice is told apart by its
    occurrence.
    """
    signs = {t.task: t.sign for t in evaluation.tasks}
    scores: dict[str, dict[tuple[str, int], float]] = {}
    seen: dict[tuple[str, str], int] = {}
    for item in evaluation.items:
        if item.score is None:
            continue
        count = seen[item.task, item.item] = seen.get((item.task, item.item), -1) + 1
        scores.setdefault(item.task, {})[item.item, count] = signs[item.task] * item.score
    return scores


def _p_value(deltas: Floats, num_tasks: int) -> float:
    """Return the two-sided p-value of weighted paired differences that sum to no difference."""
    changed = deltas[deltas != 0]
    if changed.size < 2:  # one item may as well have gone the other way
        return 1.0
    if num_tasks == 1 and np.unique(np.abs(changed)).size == 1:
        return float(stats.binomtest(int((changed > 0).sum()), changed.size).pvalue)
    result = stats.permutation_test(
        (changed,),
        lambda values, axis: values.sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=NUM_FLIPS,
        batch=500,
        rng=generator("permutation test", int(changed.size)),
    )
    return min(1.0, float(result.pvalue))
