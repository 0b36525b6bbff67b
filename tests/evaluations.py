"""Evaluations with given item scores, for tests of what is made of them."""

import math

from stages.lineage.evaluation import Evaluation, ItemScore, TaskScore


def evaluation_of(higher_is_better: bool = True, **tasks: list[float]) -> Evaluation:
    """Return an evaluation with these item scores by task."""
    scores = []
    for task, values in tasks.items():
        mean = sum(values) / len(values)
        variance = sum((v - mean) ** 2 for v in values) / max(len(values) - 1, 1)
        stderr = math.sqrt(variance / len(values))
        scores.append(TaskScore(task, "acc", mean, stderr, len(values), higher_is_better))
    items = tuple(
        ItemScore(task, f"i{i}", value)
        for task, values in tasks.items()
        for i, value in enumerate(values)
    )
    return Evaluation("test", tuple(scores), items)
