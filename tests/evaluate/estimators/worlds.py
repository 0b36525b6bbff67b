"""Made-up models and items whose true scores are known."""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from stages.evaluate.estimators.answers import Answers, Array
from stages.lineage.evaluation import Evaluation, ItemScore, TaskScore

NUM_PARENTS = 3


def chances(num_models: int, num_items: int, seed: int) -> Array:
    """Return chances of a right answer (models x items) under a one-dimensional model."""
    draw = np.random.default_rng(seed)
    abilities = draw.normal(size=(num_models, 1))
    slopes, difficulties = draw.uniform(0.5, 2, num_items), draw.normal(size=num_items)
    return np.asarray(expit(abilities * slopes - difficulties))


def answered(num_models: int, num_items: int, seed: int) -> Array:
    """Return right (1) and wrong (0) answers drawn from ``chances``."""
    draw = np.random.default_rng(seed + 1000)
    likely = chances(num_models, num_items, seed)
    return (draw.random(likely.shape) < likely).astype(float)


def shifted(shift: float, seed: int, *, known: int = 12, num_items: int = 100) -> Array:
    """Return right and wrong answers of ``known`` models, then of 60 candidates.

    The known models' abilities have mean 0 and standard deviation 1, the candidates' have mean
    ``shift`` and standard deviation 0.5: a search makes candidates that are better than all that
    an estimator was fitted to.
    """
    draw = np.random.default_rng(seed)
    abilities = np.concatenate([draw.normal(size=known), shift + 0.5 * draw.normal(size=60)])
    slopes, difficulties = draw.uniform(0.5, 2, num_items), draw.normal(size=num_items)
    likely = np.asarray(expit(np.outer(abilities, slopes) - difficulties))
    return np.asarray(draw.random(likely.shape) < likely, dtype=float)


def answers(scores: Array, num_parents: int = NUM_PARENTS) -> Answers:
    """Return scores as the answers on a task called ``made_up``."""
    items = tuple(f"{i:016x}" for i in range(scores.shape[1]))
    return Answers("made_up", items, scores, num_parents)


def evaluation(
    scores: Sequence[float] | Array, places: Sequence[int] | None = None, task: str = "made_up"
) -> Evaluation:
    """Return the evaluation of a model with ``scores``, or of some of its items."""
    places = range(len(scores)) if places is None else places
    items = tuple(ItemScore(task, f"{i:016x}", float(scores[i])) for i in places)
    mean = sum(item.value for item in items) / len(items)
    return Evaluation("search", (TaskScore(task, "acc", mean, 0.0, len(items), True),), items)
