"""Item scores, task scores and evaluations: what the evaluate room hands to everyone else."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

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

    def objectives(self) -> tuple[float, ...]:
        """Return the task scores in the order of the tasks; lower-is-better ones negative."""
        return tuple(_sign(t) * t.score for t in self.tasks)

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


def _sign(task: TaskScore) -> float:
    return 1.0 if task.higher_is_better else -1.0
