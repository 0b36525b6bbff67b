"""Every model that met the test split, compared with the champion item by item: plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from scipy import stats

from stages.lineage.evaluation import Evaluation, TaskScore, fitness_error, task_error
from stages.lineage.paired_tests import bonferroni, compare
from stages.lineage.selection import EntryKind, Selection, TestedModel

Outcome = Literal["win", "loss", "undecided"]

_ORDER: tuple[EntryKind, ...] = ("champion", "parent", "baseline", "tuned", "base", "reference")


@dataclass(frozen=True, slots=True)
class Lead:
    """The champion's result less another model's, paired by item; above 0 the champion is better.

    ``low`` and ``high`` bound the interval at the report's confidence. ``p_value`` was multiplied
    by ``num_tests``; the outcome is undecided where it is 1 - confidence or more.
    """

    difference: float
    stderr: float
    low: float
    high: float
    p_value: float
    outcome: Outcome
    num_tests: int = 1


@dataclass(frozen=True, slots=True)
class TaskFigures:
    """What a model scored in one task; ``lead`` is None for the champion itself."""

    task: str
    score: float
    stderr: float
    higher_is_better: bool
    lead: Lead | None


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """What a model scored on the test split; ``lead`` is None for the champion itself.

    ``num_evaluations``: how many recipes were tried on the search items to get it; None where it
    is fixed.
    """

    name: str
    kind: EntryKind
    num_evaluations: int | None
    weights_hash: str | None
    fitness: float
    stderr: float
    lead: Lead | None
    tasks: tuple[TaskFigures, ...]


@dataclass(frozen=True, slots=True)
class Rival:
    """The best model of a kind by test fitness, and the champion's lead over it."""

    name: str
    kind: EntryKind
    num_evaluations: int | None
    fitness: float
    stderr: float
    lead: Lead


@dataclass(frozen=True, slots=True)
class TaskRival:
    """The best of some models in one task, and the champion's lead over it there."""

    task: str
    champion_score: float
    champion_stderr: float
    name: str
    kind: EntryKind
    score: float
    stderr: float
    lead: Lead


def models_compared(selection: Selection, confidence: float) -> tuple[ModelFigures, ...]:
    """Return the figures of every tested model: champion first, then kind by kind."""
    return tuple(
        _figures(entry, selection, confidence)
        for kind in _ORDER
        for entry in selection.of_kind(kind)
    )


def best_of_kind(
    models: tuple[ModelFigures, ...], kind: EntryKind, confidence: float
) -> Rival | None:
    """Return the champion's lead over the best of ``kind``; None if there is no such model.

    The best is chosen on the test split itself, which favours the rival. That makes a win harder,
    so its p-value stands; a loss may be the rival's luck, so its p-value is corrected for the
    number of rivals (Bonferroni).
    """
    rivals = [model for model in models if model.kind == kind]
    best = max(rivals, key=lambda model: model.fitness, default=None)
    if best is None or best.lead is None:
        return None
    lead = _over_best_of(best.lead, len(rivals), confidence)
    return Rival(best.name, kind, best.num_evaluations, best.fitness, best.stderr, lead)


def best_parents(models: tuple[ModelFigures, ...], confidence: float) -> tuple[TaskRival, ...]:
    """Return the best parent of each task, in the order of the tasks; p as in ``best_of_kind``."""
    parents = [model for model in models if model.kind == "parent"]
    return _best_in_tasks(models, parents, confidence)


def best_others(models: tuple[ModelFigures, ...], confidence: float) -> tuple[TaskRival, ...]:
    """Return each task's best model that is not a parent, where there are several tasks.

    A champion of the mean may be behind such a one in a single task. p is as in ``best_of_kind``.
    """
    others = [model for model in models if model.kind not in ("champion", "parent")]
    return _best_in_tasks(models, others, confidence) if len(models[0].tasks) > 1 else ()


def _best_in_tasks(
    models: Sequence[ModelFigures], rivals: Sequence[ModelFigures], confidence: float
) -> tuple[TaskRival, ...]:
    champion = next(model for model in models if model.kind == "champion")
    best_of_tasks = []
    for task in champion.tasks if rivals else ():
        sign = 1.0 if task.higher_is_better else -1.0
        entered = [(rival, _of_task(rival, task.task)) for rival in rivals]
        rival, best = max(entered, key=lambda pair: sign * pair[1].score)
        if best.lead is not None:
            best_of_tasks.append(
                TaskRival(
                    task=task.task,
                    champion_score=task.score,
                    champion_stderr=task.stderr,
                    name=rival.name,
                    kind=rival.kind,
                    score=best.score,
                    stderr=best.stderr,
                    lead=_over_best_of(best.lead, len(rivals), confidence),
                )
            )
    return tuple(best_of_tasks)


def _figures(entry: TestedModel, selection: Selection, confidence: float) -> ModelFigures:
    mine, weights = entry.evaluation, selection.task_weights
    champion = None if entry is selection.winner else selection.winner.evaluation
    lead = None if champion is None else _lead(champion, mine, weights, confidence)
    tasks = tuple(_task_figures(champion, mine, score, confidence) for score in mine.tasks)
    return ModelFigures(
        name=entry.name,
        kind=entry.kind,
        num_evaluations=entry.num_evaluations,
        weights_hash=entry.weights_hash,
        fitness=mine.fitness(weights),
        stderr=fitness_error(mine, weights),
        lead=lead,
        tasks=tasks,
    )


def _task_figures(
    champion: Evaluation | None, mine: Evaluation, score: TaskScore, confidence: float
) -> TaskFigures:
    task, lead = score.task, None
    if champion is not None:
        lead = _lead(_only(champion, task), _only(mine, task), {task: 1.0}, confidence)
    return TaskFigures(task, score.score, task_error(mine, task), score.higher_is_better, lead)


def _lead(
    champion: Evaluation, rival: Evaluation, weights: Mapping[str, float], confidence: float
) -> Lead:
    paired = compare(champion, rival, weights)
    reach = float(stats.norm.ppf(0.5 + confidence / 2)) * paired.stderr
    return Lead(
        difference=paired.difference,
        stderr=paired.stderr,
        low=paired.difference - reach,
        high=paired.difference + reach,
        p_value=paired.p_value,
        outcome=_outcome(paired.difference, paired.p_value, confidence),
    )


def _over_best_of(lead: Lead, num_rivals: int, confidence: float) -> Lead:
    num_tests = num_rivals if lead.difference < 0 else 1
    p_value = bonferroni(lead.p_value, num_tests)
    outcome = _outcome(lead.difference, p_value, confidence)
    return replace(lead, p_value=p_value, outcome=outcome, num_tests=num_tests)


def _outcome(difference: float, p_value: float, confidence: float) -> Outcome:
    if p_value >= 1 - confidence:
        return "undecided"
    return "win" if difference > 0 else "loss"


def _of_task(model: ModelFigures, task: str) -> TaskFigures:
    return next(figures for figures in model.tasks if figures.task == task)


def _only(evaluation: Evaluation, task: str) -> Evaluation:
    return Evaluation(
        evaluation.split,
        tuple(score for score in evaluation.tasks if score.task == task),
        tuple(item for item in evaluation.items if item.task == task),
    )
