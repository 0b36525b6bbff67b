"""Item scores, task scores and evaluations: what the evaluate room hands to everyone else."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from scipy import stats

from stages.errors import EvaluationError

SPLITS = ("search", "validation", "test")

Items = tuple[tuple[str, str], ...]  # some of a split's items: (task label, item id), each once


@dataclass(frozen=True, slots=True)
class ItemScore:
    """One item of one task; ``item`` is the hash of its content, ``score`` as lm-eval gives it."""

    task: str
    item: str
    score: float


@dataclass(frozen=True, slots=True)
class TaskScore:
    """One task's aggregate over a split; ``stderr`` is the standard error over its items.

    With ``estimator``, ``score`` is that kind of estimate of the score on all items of the split,
    ``stderr`` is its standard error, and ``num_items`` counts the items it was made from.
    """

    task: str
    metric: str
    score: float
    stderr: float
    num_items: int
    higher_is_better: bool
    estimator: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the score as plain JSON data; ``estimator`` is left out where it is None."""
        return {k: v for k, v in asdict(self).items() if k != "estimator" or v is not None}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything one set of weights scored on one split."""

    split: str
    tasks: tuple[TaskScore, ...]
    items: tuple[ItemScore, ...]

    def fitness(self, weights: Mapping[str, float]) -> float:
        """Return the weighted mean of the task scores; lower-is-better scores count negative."""
        total = sum(weights[t.task] for t in self.tasks)
        signed = (weights[t.task] * _sign(t) * t.score for t in self.tasks)
        return math.fsum(signed) / total

    def fitness_stderr(self, weights: Mapping[str, float]) -> float:
        """Return the standard error of ``fitness`` over items, tasks taken as independent."""
        total = sum(weights[t.task] for t in self.tasks)
        return math.sqrt(math.fsum((weights[t.task] * t.stderr) ** 2 for t in self.tasks)) / total

    def to_dict(self) -> dict[str, Any]:
        """Return the evaluation as plain JSON data; ``from_dict`` is its inverse."""
        return {
            "items": [[i.task, i.item, i.score] for i in self.items],
            "split": self.split,
            "tasks": [task.to_dict() for task in self.tasks],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the evaluation that ``to_dict`` wrote."""
        return cls(
            split=data["split"],
            tasks=tuple(TaskScore(**task) for task in data["tasks"]),
            items=tuple(ItemScore(task, item, score) for task, item, score in data["items"]),
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """A paired comparison of two evaluations: ``difference`` is the first less the second."""

    difference: float
    stderr: float
    p_value: float  # two-sided, of no difference in the mean; 1 where no item differs


def compare(first: Evaluation, second: Evaluation, weights: Mapping[str, float]) -> Comparison:
    """Return the paired difference in fitness over the items both answered.

    The difference of each item is weighted as ``Evaluation.fitness`` weights it. The standard
    error is that of the weighted sum of per-task mean differences; the p-value is the normal one,
    or that of the sign test where all items of each task differ by the same amount. A task of one
    item has no spread to measure: its difference counts as its own standard error.

    Raises:
        EvaluationError: the two were not scored on the same items.
    """
    left, right = _by_task(first), _by_task(second)
    if {t: set(s) for t, s in left.items()} != {t: set(s) for t, s in right.items()}:
        raise EvaluationError(
            f"comparison on the {first.split} split: the two evaluations hold different items. "
            "A paired test needs the same items; evaluate both on one split."
        )
    signs = {t.task: _sign(t) for t in first.tasks}
    total = sum(weights[task] for task in left)
    difference, variance = 0.0, 0.0
    for task in sorted(left):
        deltas = signs[task] * np.array(
            [left[task][item] - right[task][item] for item in sorted(left[task])]
        )
        share = weights[task] / total
        difference += share * float(deltas.mean())
        spread = deltas.var(ddof=1) if len(deltas) > 1 else deltas[0] ** 2
        variance += share**2 * float(spread) / len(deltas)
    stderr = math.sqrt(variance)
    num_items = sum(len(items) for items in left.values())
    return Comparison(difference, stderr, _p_value(difference, stderr, num_items))


def _p_value(difference: float, stderr: float, num_items: int) -> float:
    if difference == 0:
        return 1.0
    if stderr == 0:
        return min(1.0, 2 * 0.5**num_items)
    return 2 * float(stats.norm.sf(abs(difference) / stderr))


def _by_task(evaluation: Evaluation) -> dict[str, dict[tuple[str, int], float]]:
    """Return the scores by task and item; a repeated item is told apart by its occurrence."""
    found: dict[str, dict[tuple[str, int], float]] = {}
    seen: dict[tuple[str, str], int] = {}
    for item in evaluation.items:
        count = seen[item.task, item.item] = seen.get((item.task, item.item), -1) + 1
        found.setdefault(item.task, {})[item.item, count] = item.score
    return found


def _sign(task: TaskScore) -> float:
    return 1.0 if task.higher_is_better else -1.0
