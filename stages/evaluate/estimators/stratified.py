"""The mean over one item of each stratum of equal difficulty (Cochran 1977, chapter 5)."""

import numpy as np

from stages.evaluate.estimators.answers import Answers, Weighted
from stages.evaluate.tasks.splits import ordered
from stages.params.evaluate_params import EstimatorParams


def stratified(answers: Answers, params: EstimatorParams) -> Weighted:
    """Return the estimator that asks one item in each of ``num_items`` strata.

    Items are sorted by the parents' mean score, ties by content, and cut into strata that differ
    in size by one at most. Of each, the item that is first in the order of hash(seed, item) is
    asked, and weighs as its stratum's share of all items.
    """
    rank = {item: i for i, item in enumerate(ordered(answers.items, params.seed))}
    easiness = answers.parents.mean(axis=0)
    queue = sorted(range(len(answers.items)), key=lambda i: (easiness[i], answers.items[i]))
    strata = np.array_split(np.array(queue, dtype=np.int64), params.num_items)
    places = [min(stratum, key=lambda i: rank[answers.items[i]]) for stratum in strata]
    weights = [len(stratum) / len(queue) for stratum in strata]
    return Weighted(np.array(places, dtype=np.int64), np.array(weights))
