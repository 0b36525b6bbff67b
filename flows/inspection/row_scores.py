"""What a row scored, with the errors that are shown: by split and task, and over all tasks."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stages.lineage.evaluation import SPLITS, recorded_error
from stages.lineage.rows import Row, finished


@dataclass(frozen=True, slots=True)
class TaskFigure:
    """One task's score on one split; ``error`` is never 0 for a score within [0, 1]."""

    split: str
    task: str
    metric: str
    score: float
    error: float
    stderr: float
    num_items: int
    higher_is_better: bool
    estimator: str | None


@dataclass(frozen=True, slots=True)
class SplitFigure:
    """The fitness on one split and its error; ``tasks`` by name."""

    split: str
    fitness: float
    error: float
    num_items: int
    tasks: tuple[TaskFigure, ...]


def figures_of(row: Row, weights: Mapping[str, float]) -> dict[str, SplitFigure]:
    """Return what a row scored on each split that it met, by split.

    ``weights`` are those of the tasks; without them the fitness on the search split is that of
    the row, and there is none for other splits, which are left out.
    """
    figures = {}
    for split in (name for name in SPLITS if name in row.scores):
        tasks = tuple(_task(split, *one) for one in sorted(row.scores[split].items()))
        if weights.keys() >= {task.task for task in tasks} and tasks:
            fitness, error = _mean(tasks, weights)
        elif split == SPLITS[0] and row.fitness is not None:
            fitness, error = row.fitness, row.fitness_stderr or 0.0
        else:
            continue
        num_items = sum(task.num_items for task in tasks)
        figures[split] = SplitFigure(split, fitness, error, num_items, tasks)
    return figures


def best_by_task(rows: Sequence[Row]) -> dict[str, Row]:
    """Return the row with the best search score on each task, of those that answered all items."""
    ends = finished(rows)
    tasks = sorted({task for row in ends for task in row.scores.get("search", {})})
    return {task: max(ends, key=lambda row: _signed(row, task)) for task in tasks}


def _task(split: str, task: str, scores: Mapping[str, Any]) -> TaskFigure:
    return TaskFigure(
        split,
        task,
        scores["metric"],
        scores["score"],
        recorded_error(scores),
        scores["stderr"],
        int(scores["num_items"]),
        scores["higher_is_better"],
        scores.get("estimator"),
    )


def _mean(tasks: tuple[TaskFigure, ...], weights: Mapping[str, float]) -> tuple[float, float]:
    """Return the weighted mean of the scores, lower-is-better ones negative, and its error."""
    total = sum(weights[task.task] for task in tasks)
    signed = (weights[t.task] * (t.score if t.higher_is_better else -t.score) for t in tasks)
    squares = math.fsum((weights[task.task] * task.error) ** 2 for task in tasks)
    return math.fsum(signed) / total, math.sqrt(squares) / total


def _signed(row: Row, task: str) -> float:
    scores = row.scores["search"].get(task)
    if scores is None:
        return float("-inf")
    return float(scores["score"] if scores["higher_is_better"] else -scores["score"])
