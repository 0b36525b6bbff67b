"""The mean over a random sample of the items."""

import numpy as np

from stages.evaluate.estimators.answers import Answers, Weighted
from stages.evaluate.tasks.splits import ordered
from stages.params.evaluate_params import EstimatorParams


def mean(answers: Answers, params: EstimatorParams) -> Weighted:
    """Return the estimator that asks the first items in the order of hash(seed, item).

    It learns nothing from ``answers``, and its mean over all seeds is the full score.
    """
    place_of = {item: i for i, item in enumerate(answers.items)}
    sample = ordered(answers.items, params.seed)[: params.num_items]
    places = np.array([place_of[item] for item in sample], dtype=np.int64)
    return Weighted(places, np.full(len(places), 1 / len(places)))
