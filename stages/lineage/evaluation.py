"""Item scores, task scores and evaluations: what the evaluate room hands to everyone else."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from stages.errors import EvaluationError
from stages.lineage.data_types import EvaluationData, check_data

SPLITS = ("search", "validation", "test")
ALL_ITEMS = "all"  # in place of a split: every item of a task, as lm-eval takes them

Items = tuple[tuple[str, str], ...]  # some of a split's items: (task label, item id), each once


@dataclass(frozen=True, slots=True)
class ItemScore:
    """One item of one task; ``item`` is the hash of its content, ``score`` as lm-eval gives it.

    ``score`` is None where the task's metric has no value for a single item: F1, perplexity.
    """

    task: str
    item: str
    score: float | None

    @property
    def value(self) -> float:
        """The score, where the metric is known to be a mean over items.

        Raises:
            EvaluationError: the item has no score of its own.
        """
        if self.score is None:
            raise EvaluationError(
                f"task {self.task}: its metric is not the mean over items, so one item has no "
                "score. Compare whole evaluations, or choose another metric of the task."
            )
        return self.score


@dataclass(frozen=True, slots=True)
class Resamples:
    """An aggregate over items drawn with replacement, and over those that each draw left out.

    The draws depend on the number of items alone, so two evaluations of the same items hold the
    same draws: their differences, draw by draw, are paired. None: no value for those items.
    """

    drawn: tuple[float | None, ...]
    left_out: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class TaskScore:
    """One task's aggregate over a split; ``stderr`` is the standard error over its items.

    With ``estimator``, ``score`` is that kind of estimate of the score on all items of the split,
    ``stderr`` is its standard error, and ``num_items`` counts the items it was made from.
    ``resamples`` are kept where the aggregate is not the mean over items.
    """

    task: str
    metric: str
    score: float
    stderr: float
    num_items: int
    higher_is_better: bool
    estimator: str | None = None
    resamples: Resamples | None = None

    @property
    def sign(self) -> float:
        """1 where a higher score is better, else -1."""
        return 1.0 if self.higher_is_better else -1.0

    @property
    def shown_error(self) -> float:
        """The error bar that is shown: never 0 for a score within [0, 1] of items that are alike.

        Where all items score alike the spread over items is 0 and says nothing about the next
        item; the bar is then the far end of Wilson's interval at one standard error,
        1 / (items + 1).

        Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.
        """
        is_spread = self.stderr > 0.0 or self.estimator is not None or self.resamples is not None
        if is_spread or not self.num_items or not 0.0 <= self.score <= 1.0:
            return self.stderr
        return 1.0 / (self.num_items + 1)

    def to_dict(self) -> dict[str, Any]:
        """Return the score as plain JSON data, without what is None; ``from_dict`` reads it."""
        return {k: v for k, v in asdict(self).items() if v is not None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the score that ``to_dict`` wrote."""
        draws = data.get("resamples")
        resamples = (
            Resamples(*(tuple(draws[f.name]) for f in fields(Resamples))) if draws else None
        )
        return cls(**{**data, "resamples": resamples})


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything one set of weights scored on one split."""

    split: str
    tasks: tuple[TaskScore, ...]
    items: tuple[ItemScore, ...]

    def fitness(self, weights: Mapping[str, float]) -> float:
        """Return the weighted mean of the task scores; lower-is-better scores count negative."""
        total = sum(weights[t.task] for t in self.tasks)
        signed = (weights[t.task] * t.sign * t.score for t in self.tasks)
        return math.fsum(signed) / total

    def objectives(self) -> tuple[float, ...]:
        """Return the task scores in the order of the tasks; lower-is-better ones negative."""
        return tuple(t.sign * t.score for t in self.tasks)

    def fitness_stderr(self, weights: Mapping[str, float]) -> float:
        """Return the standard error of ``fitness`` over items, tasks taken as independent."""
        return weighted_error({t.task: t.stderr for t in self.tasks}, weights)

    def to_dict(self) -> dict[str, Any]:
        """Return the evaluation as plain JSON data; ``from_dict`` is its inverse."""
        return {
            "items": [[i.task, i.item, i.score] for i in self.items],
            "split": self.split,
            "tasks": [task.to_dict() for task in self.tasks],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the evaluation that ``to_dict`` wrote.

        Raises:
            ValueError: a value is of another type, or a task's score is not what its items have
                on average.
        """
        check_data(EvaluationData, data)
        evaluation = cls(
            split=data["split"],
            tasks=tuple(TaskScore.from_dict(task) for task in data["tasks"]),
            items=tuple(ItemScore(task, item, score) for task, item, score in data["items"]),
        )
        evaluation._check_scores()
        return evaluation

    def _check_scores(self) -> None:
        """Check each score against its items: somebody may have written one into the store.

        A metric that is not a mean over items, and an estimate, cannot be checked here.
        """
        names = [task.task for task in self.tasks]
        if len(set(names)) < len(names) or any(item.task not in names for item in self.items):
            raise ValueError("its items and its tasks do not belong together")
        for task in self.tasks:
            scores = [item.score for item in self.items if item.task == task.task]
            if len(scores) != task.num_items:
                raise ValueError(
                    f"{task.task} has {task.num_items} items, {len(scores)} are listed"
                )
            values = [score for score in scores if score is not None]
            if len(values) < len(scores) or task.estimator is not None or not values:
                continue
            mean = math.fsum(values) / len(values)
            if not math.isclose(mean, task.score, rel_tol=1e-9, abs_tol=1e-9):
                raise ValueError(f"{task.task} scores {task.score}, its items {mean} on average")


def task_error(evaluation: Evaluation, task: str) -> float:
    """Return the error bar of a task's score that is shown."""
    return next(t for t in evaluation.tasks if t.task == task).shown_error


def fitness_error(evaluation: Evaluation, weights: Mapping[str, float]) -> float:
    """Return the error bar of ``evaluation``'s fitness that is shown, from those of its tasks."""
    errors = {t.task: task_error(evaluation, t.task) for t in evaluation.tasks}
    return weighted_error(errors, weights)


def weighted_error(errors: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Return the error of the weighted mean of tasks whose ``errors`` are independent."""
    squares = math.fsum((weights[task] * error) ** 2 for task, error in errors.items())
    return math.sqrt(squares) / sum(weights[task] for task in errors)


def recorded_error(scores: Mapping[str, Any]) -> float:
    """Return the error bar of a task's score in a row that is shown: as ``task_error``.

    Where the spread over items is 0 all items have the mean's score, so that tells the range.
    """
    stderr, score = float(scores["stderr"]), float(scores["score"])
    is_plain = "estimator" not in scores and "resamples" not in scores
    if stderr == 0.0 and is_plain and 0.0 <= score <= 1.0:
        return 1.0 / (int(scores["num_items"]) + 1)
    return stderr
