"""Weighted anchors: items clustered by how models answer them (Polo et al. 2024, section 3.1).

The paper is arXiv:2402.14992, "tinyBenchmarks".
"""

from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from stages.evaluate.estimators.answers import Answers, Weighted
from stages.evaluate.tasks.splits import ordered
from stages.params.evaluate_params import EstimatorParams
from stages.seeds import random_state

_NUM_STARTS = 10
_TIE_BREAK = 1e-3  # weight of the tie-break; answers differ by about 1


def anchors(answers: Answers, params: EstimatorParams) -> Weighted:
    """Return the estimator that asks, in each k-means cluster, the item nearest to the centre.

    An item is the point of all models' scores on it; an anchor weighs as its cluster's share of
    the items. Items that all models answer alike are told apart by hash(seed, item), so that there
    are as many clusters as items asked.
    """
    from sklearn.cluster import KMeans

    rank = {item: i for i, item in enumerate(ordered(answers.items, params.seed))}
    ranks = np.array([rank[item] for item in answers.items]) / len(rank)
    points = np.column_stack([answers.scores.T, _TIE_BREAK * ranks])
    state = random_state("anchors", params.seed)
    with _pools().limit(limits=1):  # of threads, each adds up a part: sums depend on their number
        fitted = KMeans(params.num_items, n_init=_NUM_STARTS, random_state=state).fit(points)
    distances = ((points - fitted.cluster_centers_[fitted.labels_]) ** 2).sum(axis=1)
    clusters = [np.flatnonzero(fitted.labels_ == label) for label in range(params.num_items)]
    places = [int(cluster[distances[cluster].argmin()]) for cluster in clusters]
    weights = [len(cluster) / len(points) for cluster in clusters]
    return Weighted(np.array(places, dtype=np.int64), np.array(weights))


@cache
def _pools() -> ThreadpoolController:
    """Return the threads that scikit-learn's libraries use, which are loaded with it."""
    return ThreadpoolController()
