"""Evaluations compared item by item, and what is left of a gain after choosing the best of many.

Every test here is of the same items answered twice. Randomness comes from ``seeds.py``, so equal
evaluations give equal p-values.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from stages.errors import EvaluationError
from stages.lineage.evaluation import Evaluation
from stages.seeds import generator

NUM_FLIPS = 9_999  # of the permutation test: no p-value is below 2 / 10,000
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
    spread to measure: its difference counts as its own standard error. The p-value is McNemar's
    exact one for a single task of right and wrong answers, and else that of a permutation test,
    which swaps the two answers of an item at random: exact for few items, from 9,999 draws and
    never below 2e-4 for many.

    Raises:
        EvaluationError: the two were not scored on the same items.
    Source: McNemar 1947, Psychometrika 12(2); Phipson and Smyth 2010, arXiv 1603.05766.
    """
    left, right = item_scores(first), item_scores(second)
    if {t: set(s) for t, s in left.items()} != {t: set(s) for t, s in right.items()}:
        raise EvaluationError(
            f"comparison on the {first.split} split: the two evaluations hold different items. "
            "A paired test needs the same items; evaluate both on one split."
        )
    total = sum(weights[task] for task in left)
    parts, variance = [], 0.0
    for task in sorted(left):
        deltas = np.array([left[task][item] - right[task][item] for item in sorted(left[task])])
        share = weights[task] / total
        spread = deltas.var(ddof=1) if len(deltas) > 1 else deltas[0] ** 2
        variance += share**2 * float(spread) / len(deltas)
        parts.append(share * deltas / len(deltas))
    difference = math.fsum(float(part.sum()) for part in parts)
    return Comparison(difference, math.sqrt(variance), _p_value(np.concatenate(parts), len(parts)))


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
    total = sum(weights[task] for task in tables[0])
    drawn = np.zeros((NUM_RESAMPLES, len(tables)))
    left_out = np.zeros_like(drawn)
    random = generator("corrected best", len(tables))
    for task in sorted(tables[0]):
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
    chosen = drawn.argmax(axis=1)
    return float(left_out[np.arange(NUM_RESAMPLES), chosen].mean())


def bonferroni(p_value: float, num_tests: int) -> float:
    """Return a p-value that holds for the least of ``num_tests`` such tests."""
    return min(1.0, p_value * num_tests)


def item_scores(evaluation: Evaluation) -> dict[str, dict[tuple[str, int], float]]:
    """Return the scores by task and item, lower-is-better ones negative.

    An item that occurs twice is told apart by its occurrence.
    """
    signs = {t.task: 1.0 if t.higher_is_better else -1.0 for t in evaluation.tasks}
    found: dict[str, dict[tuple[str, int], float]] = {}
    seen: dict[tuple[str, str], int] = {}
    for item in evaluation.items:
        count = seen[item.task, item.item] = seen.get((item.task, item.item), -1) + 1
        found.setdefault(item.task, {})[item.item, count] = signs[item.task] * item.score
    return found


def _p_value(deltas: Floats, num_tasks: int) -> float:
    """Return the two-sided p-value of weighted paired differences that sum to no difference."""
    changed = deltas[deltas != 0]
    if changed.size < 2:  # one item may as well have gone the other way
        return 1.0
    if num_tasks == 1 and np.unique(np.abs(changed)).size == 1:
        return float(stats.binomtest(int((changed > 0).sum()), changed.size).pvalue)
    found = stats.permutation_test(
        (changed,),
        lambda values, axis: values.sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=NUM_FLIPS,
        batch=500,
        rng=generator("permutation test", int(changed.size)),
    )
    return min(1.0, float(found.pvalue))
