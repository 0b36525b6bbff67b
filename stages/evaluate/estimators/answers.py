"""The training data of estimators: item scores of models that were evaluated in full."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from stages.errors import EvaluationError
from stages.lineage.evaluation import Evaluation

Array = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Answers:
    """The scores of models on all items of one task; the first ``num_parents`` are the parents."""

    task: str
    items: tuple[str, ...]
    scores: Array  # models x items
    num_parents: int

    @classmethod
    def of(cls, task: str, parents: Sequence[Evaluation], others: Sequence[Evaluation]) -> Self:
        """Return the answers on ``task`` in full evaluations of one split.

        Raises:
            EvaluationError: a model was scored on other items than the first.
        """
        rows = [
            {i.item: i.value for i in evaluation.items if i.task == task}
            for evaluation in (*parents, *others)
        ]
        items = tuple(rows[0])
        if any(set(row) != set(items) for row in rows):
            raise EvaluationError(
                f"task {task}: an estimator is fitted to models that answered different items. "
                "Evaluate each of them on the whole split."
            )
        scores = np.array([[row[item] for item in items] for row in rows])
        return cls(task, items, scores, len(parents))

    @property
    def parents(self) -> Array:
        """The scores of the parents."""
        return self.scores[: self.num_parents]

    def keep(self, rows: NDArray[np.bool_]) -> Self:
        """Return the answers of the parents and of the other models for which ``rows`` is true."""
        kept = np.concatenate([np.ones(self.num_parents, dtype=bool), rows])
        return replace(self, scores=self.scores[kept])


class Fitted(Protocol):
    """An estimator of one task: the items that it asks, and the estimate from their scores."""

    @property
    def places(self) -> Places:
        """The items that are asked, as places among ``Answers.items``."""

    @property
    def sample(self) -> "Weighted":
        """The estimate from the same items that assumes no model of the others."""

    def estimate(self, scores: Array) -> float:
        """Return the estimate of the mean over all items from the ``scores`` at ``places``."""


@dataclass(frozen=True, slots=True)
class Weighted:
    """A weighted mean of the items that are asked; the weights add up to 1."""

    places: Places
    weights: Array

    @property
    def sample(self) -> "Weighted":
        """The weighted mean itself."""
        return self

    def estimate(self, scores: Array) -> float:
        """Return the weighted mean of ``scores``."""
        return float(self.weights @ scores)
