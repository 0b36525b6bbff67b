"""Turn what lm-eval's metric says about each item into item scores and a task score."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from stages.errors import EvaluationError, words_of
from stages.evaluate.tasks.parts import Part
from stages.lineage.evaluation import ItemScore, Resamples, TaskScore
from stages.seeds import key, random_words

NUM_RESAMPLES = 500  # of the bootstrap: the standard error is itself good to 3 %

Aggregate = Callable[[Sequence[Any]], float]


def tally(part: Part, values: Mapping[str, Any]) -> tuple[TaskScore, list[ItemScore]]:
    """Return a part's score and its items' scores, both in the order of the split.

    The task's score is the aggregation of all items, as lm-eval computes it. Where that is their
    mean, each item has a score and the standard error is that of the mean. Any other aggregation
    (F1, perplexity, a ratio of sums) is never applied to one item: items have no score, and the
    standard error is that of a bootstrap over items, whose draws are kept to compare models.

    Raises:
        EvaluationError: a score is not a finite number.
    """
    loaded = part.loaded
    answers = {item: values[item] for item in part.places}
    resamples = None
    if part.is_mean:
        scores = {
            item: _finite(part, f"item {item}", loaded.aggregate, [value])
            for item, value in answers.items()
        }
        items = [ItemScore(part.label, item, value) for item, value in scores.items()]
        stderr = stderr_of_mean(list(scores.values()))
    else:
        items = [ItemScore(part.label, item, None) for item in answers]
        # Entered once for a thousand calls: each change of processes costs some milliseconds.
        with loaded.entered():
            resamples = _resamples(loaded.aggregate, list(answers.values()))
        drawn = [value for value in resamples.drawn if value is not None]
        stderr = float(np.std(drawn, ddof=1)) if len(drawn) > 1 and len(answers) > 1 else 0.0
    score = _finite(part, "the split as a whole", loaded.aggregate, list(answers.values()))
    total = TaskScore(
        task=part.label,
        metric=loaded.metric,
        score=score,
        stderr=stderr,
        num_items=len(items),
        higher_is_better=loaded.higher_is_better,
        resamples=resamples,
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
            f"{where}: metric {part.loaded.metric} cannot be computed: {words_of(error)}. "
            "Choose another metric of the task under evaluate.tasks."
        ) from error
    if not math.isfinite(score):
        raise EvaluationError(
            f"{where}: metric {part.loaded.metric} is {score}, not a finite number, for "
            "what the model answers; it has no score."
        )
    return score


def stderr_of_mean(scores: Sequence[float]) -> float:
    """Return the sample standard deviation over the root of n; 0 for a single item."""
    if len(scores) < 2:
        return 0.0
    return float(np.std(scores, ddof=1) / math.sqrt(len(scores)))


def _resamples(aggregate: Aggregate, answers: Sequence[Any]) -> Resamples:
    """Return the aggregate of each draw of items with replacement, and of the items left out."""
    size = len(answers)
    words = random_words(key("bootstrap", size), 0, NUM_RESAMPLES * size)
    draws = (words.astype(np.int64) % size).reshape(NUM_RESAMPLES, size)
    drawn, left_out = [], []
    for draw in draws:
        others = np.setdiff1d(np.arange(size), draw)
        drawn.append(_value(aggregate, [answers[i] for i in draw]))
        left_out.append(_value(aggregate, [answers[i] for i in others]))
    return Resamples(tuple(drawn), tuple(left_out))


def _value(aggregate: Aggregate, answers: Sequence[Any]) -> float | None:
    """Return an aggregate of some items; None where it has no value for them."""
    try:
        value = float(aggregate(answers)) if answers else math.nan
    except Exception:  # noqa: BLE001  all items have one: a draw that has none is not a fault
        return None
    return value if math.isfinite(value) else None
