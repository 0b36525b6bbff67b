"""Make item scores and a task score of what lm-eval's metric says about each item."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from stages.errors import EvaluationError
from stages.evaluate.tasks.suite import Part
from stages.lineage.evaluation import ItemScore, TaskScore
from stages.seeds import key, random_words

NUM_RESAMPLES = 200  # of the bootstrap: the standard error is itself good to 5 %

Aggregate = Callable[[Sequence[Any]], float]


def tally(part: Part, values: Mapping[str, Any]) -> tuple[TaskScore, list[ItemScore]]:
    """Return a part's score and its items' scores, both in the order of the split.

    An item's score is the metric's aggregation of that item alone, so that it is a number also
    where the metric keeps a pair (perplexity, F1). The standard error is that of the mean; for
    any other aggregation a bootstrap over items, whose resamples depend on the items' number only.

    Raises:
        EvaluationError: a score is not a finite number.
    """
    from lm_eval.api.metrics import mean

    loaded = part.loaded
    ordered = {item: values[item] for item in part.places}
    items = [
        ItemScore(part.label, item, _finite(part, f"item {item}", loaded.aggregate, [value]))
        for item, value in ordered.items()
    ]
    answers = list(ordered.values())
    score = _finite(part, "the split as a whole", loaded.aggregate, answers)
    if loaded.aggregate is mean:
        stderr = _stderr_of_mean([i.score for i in items])
    else:
        stderr = _bootstrap(loaded.aggregate, answers)
    total = TaskScore(
        task=part.label,
        metric=loaded.metric,
        score=score,
        stderr=stderr,
        num_items=len(items),
        higher_is_better=loaded.higher_is_better,
    )
    return total, items


def _finite(part: Part, what: str, aggregate: Aggregate, answers: Sequence[Any]) -> float:
    where = f"task {part.label}, {what}"
    try:
        score = float(aggregate(answers))
    except OverflowError:
        score = math.inf
    except Exception as error:
        raise EvaluationError(
            f"{where}: metric {part.loaded.metric} cannot be computed: {error}. "
            "Choose another metric of the task under evaluate.tasks."
        ) from error
    if not math.isfinite(score):
        raise EvaluationError(
            f"{where}: metric {part.loaded.metric} is {score}. The model gives no usable "
            "probabilities; this candidate has no score."
        )
    return score


def _stderr_of_mean(scores: Sequence[float]) -> float:
    """Return the sample standard deviation over the root of n; 0 for a single item."""
    if len(scores) < 2:
        return 0.0
    return float(np.std(scores, ddof=1) / math.sqrt(len(scores)))


def _bootstrap(aggregate: Aggregate, answers: Sequence[Any]) -> float:
    """Return the standard deviation of the aggregate over resamples that have one."""
    size = len(answers)
    if size < 2:
        return 0.0
    words = random_words(key("bootstrap", size), 0, NUM_RESAMPLES * size)
    draws = (words.astype(np.int64) % size).reshape(NUM_RESAMPLES, size)
    found = []
    for draw in draws:
        try:
            value = float(aggregate([answers[i] for i in draw]))
        except (OverflowError, ZeroDivisionError, ValueError):
            continue
        if math.isfinite(value):
            found.append(value)
    return float(np.std(found, ddof=1)) if len(found) > 1 else 0.0
