"""Estimate full scores, each with its error bar, from evaluations on few items."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Self

import numpy as np
from threadpoolctl import ThreadpoolController

from stages.errors import EvaluationError
from stages.evaluate.estimators.anchors import anchors
from stages.evaluate.estimators.answers import Answers, Array, Fitted
from stages.evaluate.estimators.gmp_irt import gmp_irt
from stages.evaluate.estimators.gp_irt import gp_irt
from stages.evaluate.estimators.mean import mean
from stages.evaluate.estimators.mp_irt import mp_irt
from stages.evaluate.estimators.p_irt import p_irt
from stages.evaluate.estimators.stratified import stratified
from stages.lineage.evaluation import Evaluation, Items, TaskScore
from stages.lineage.paired_tests import ROUNDING
from stages.params.evaluate_params import EstimatorParams

KINDS: Mapping[str, Callable[[Answers, EstimatorParams], Fitted]] = {
    "anchors": anchors,
    "gmp_irt": gmp_irt,
    "gp_irt": gp_irt,
    "mean": mean,
    "mp_irt": mp_irt,
    "p_irt": p_irt,
    "stratified": stratified,
}
NEED_FRACTIONS = ("gmp_irt", "gp_irt", "mp_irt", "p_irt")
NUM_FOLDS = 5
_DECIMALS = 9  # equal scores stay equal, whatever the order of a sum
LEAST_MODELS = 2  # besides the parents: some for the fit, others to measure its error


@dataclass(frozen=True, slots=True)
class TaskEstimator:
    """One task's estimator, and the parts of its error bar.

    The variance of an estimate is that of a random sample's mean, times ``ratio``: how large the
    estimator's squared errors were, relative to that variance, on models it was not fitted to,
    and never below 1. A candidate may be unlike all of those: where the estimate is farther from
    the sample's own mean than chance explains, the squared distance beyond that is added.
    ``spread`` is the variance of item scores within a model, on average over the models.
    """

    answers: Answers
    fitted: Fitted
    ratio: float
    spread: float

    @classmethod
    def fit(cls, answers: Answers, params: EstimatorParams) -> Self:
        """Fit to all models, and fold by fold to measure the error; equal in, equal out."""
        kind = KINDS[params.kind]
        spreads = _variances(answers.scores)
        ratio = 1.0 if params.kind == "mean" else max(1.0, _ratio(answers, params))
        return cls(answers, kind(answers, params), ratio, float(spreads.mean()))

    @property
    def items(self) -> tuple[str, ...]:
        """The items that are asked."""
        return tuple(self.answers.items[i] for i in self.fitted.places)

    def apply(self, task: TaskScore, scores: Mapping[str, float], kind: str) -> TaskScore:
        """Return ``task``, scored on the items asked, as the estimate of its score on all."""
        asked = np.array([scores[item] for item in self.items])
        estimate = round(self.fitted.estimate(asked), _DECIMALS)
        distance = estimate - round(self.fitted.sample.estimate(asked), _DECIMALS)
        by_chance = self._variance_by_chance(asked)
        variance = self.ratio * by_chance + max(0.0, distance**2 - by_chance)
        return replace(
            task,
            score=estimate,
            stderr=math.sqrt(variance),
            estimator=kind,
        )

    def _variance_by_chance(self, asked: Array) -> float:
        """Return the variance of the mean of a random sample with the scores ``asked``.

        The fitted models count as one degree of freedom: a perfect score is not a certain one.
        Where all scores asked are alike, it is at least that of Wilson's interval.
        """
        size = len(asked)
        deviations = float(((asked - asked.mean()) ** 2).sum())
        variance = (deviations + self.spread) / size**2
        if np.ptp(asked) == 0.0 and 0.0 <= asked[0] <= 1.0:
            variance = max(variance, 1.0 / (size + 1) ** 2)
        return variance * (1 - size / len(self.answers.items))


class Estimator:
    """Estimates of all tasks of a split, task by task; ``items`` are those to be evaluated.

    It is a pure function of the evaluations it was fitted to, in their order.
    """

    def __init__(self, params: EstimatorParams, tasks: Mapping[str, TaskEstimator]) -> None:
        self.params = params
        self.items: Items = tuple((name, i) for name, task in tasks.items() for i in task.items)
        self._tasks = tasks

    @classmethod
    def fit(
        cls, params: EstimatorParams, parents: Sequence[Evaluation], others: Sequence[Evaluation]
    ) -> Self:
        """Fit to full evaluations of the parents and of other models on one split.

        Raises:
            EvaluationError: there are too few models, or a task has scores that this kind of
                estimator does not take.
        """
        if not parents or len(others) < LEAST_MODELS:
            raise EvaluationError(
                f"evaluate.estimator: {len(parents)} parents and {len(others)} other models were "
                f"scored in full. It takes one parent and {LEAST_MODELS} others; find out why "
                "those of the first generation failed, or set kind: none."
            )
        tasks = {}
        with _pools().limit(
            limits=1, user_api="blas"
        ):  # sums in another order would move the last bits
            for task in parents[0].tasks:
                answers = Answers.of(task.task, parents, others)
                _check(task.task, answers.scores, params)
                tasks[task.task] = TaskEstimator.fit(answers, params)
        return cls(params, tasks)

    def estimate(self, evaluation: Evaluation) -> Evaluation:
        """Return ``evaluation`` of ``items`` with its task scores replaced by estimates.

        The item scores stay as they are; ``num_items`` counts those evaluated.

        Raises:
            EvaluationError: a task has scores that this kind of estimator does not take.
        """
        scores: dict[str, dict[str, float]] = {}
        for item in evaluation.items:
            scores.setdefault(item.task, {})[item.item] = item.value
        for name, answered in scores.items():
            _check(name, np.array(list(answered.values())), self.params)
        with _pools().limit(limits=1, user_api="blas"):
            tasks = tuple(
                self._tasks[task.task].apply(task, scores[task.task], self.params.kind)
                for task in evaluation.tasks
            )
        return replace(evaluation, tasks=tasks)


@cache
def _pools() -> ThreadpoolController:
    """Return the threads of the linear algebra libraries; to look for them takes milliseconds."""
    return ThreadpoolController()


def _ratio(answers: Answers, params: EstimatorParams) -> float:
    """Return the squared errors on models left out of the fit, over a random sample's variance."""
    num_others = len(answers.scores) - answers.num_parents
    fold = np.arange(num_others) % min(NUM_FOLDS, num_others)
    others = answers.scores[answers.num_parents :]
    errors: list[float] = []
    for left_out in range(int(fold.max()) + 1):
        fitted = KINDS[params.kind](answers.keep(fold != left_out), params)
        errors += [
            fitted.estimate(row[fitted.places]) - float(row.mean())
            for row in others[fold == left_out]
        ]
    num_all = answers.scores.shape[1]
    by_chance = _variances(others) / params.num_items * (1 - params.num_items / num_all)
    total = float(by_chance.sum())
    return sum(error**2 for error in errors) / total if total > 0 else 1.0


def _variances(scores: Array) -> Array:
    """Return the variance of each model's item scores."""
    return np.asarray(scores.var(axis=1, ddof=1 if scores.shape[1] > 1 else 0))


def _check(task: str, scores: Array, params: EstimatorParams) -> None:
    low, high = float(scores.min()), float(scores.max())
    if params.kind in NEED_FRACTIONS and not -ROUNDING <= low <= high <= 1 + ROUNDING:
        raise EvaluationError(
            f"task {task}, evaluate.estimator: {params.kind} takes item scores in "
            f"[0, 1], these lie in [{low:g}, {high:g}]. Choose another metric, or kind: mean, "
            "stratified or anchors."
        )
