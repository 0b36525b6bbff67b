"""Scores: do the tasks' scores and errors follow from the items', and fitness from the tasks'?"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from flows.audit.check_verdict import Difference, Verdict, shown
from flows.audit.recorded_outcomes import RecordedOutcome
from flows.audit.recorded_run import RecordedRun
from stages.evaluate.aggregate import stderr_of_mean
from stages.lineage.evaluation import Evaluation, TaskScore
from stages.lineage.rows import Row

_ROUNDING = 1e-9  # relative: a sum in another order, and no forged score
_KEYS = ("score", "stderr", "num_items", "metric", "higher_is_better")


def check(run: RecordedRun) -> Verdict:
    """Add up every evaluation, and every row, again."""
    differences = [
        Difference(str(p), "an evaluation", what) for p, what in run.outcomes.faults.items()
    ]
    num_others = 0
    for document in run.outcomes.all:
        for task in _tasks(document):
            values = _values(document.outcome.evaluation, task)
            if values is None:
                num_others += 1
            else:
                name = _name(run, document)
                differences += (one.of(name) for one in _aggregates(task, values))
    differences += _answered(run)
    weights = run.suite.weights
    for row in run.rows:
        differences += _fitness(row, weights)
    differences += [d for row in run.later_rows for d in _row(run, row)]
    unchecked: tuple[str, ...] = ()
    if num_others:
        unchecked = (
            f"{num_others} scores: their metric is not the mean of the items' scores, so only "
            "evaluating again tells whether they are right",
        )
    return Verdict(
        "scores",
        f"{len(run.outcomes.all)} evaluations from their items, {len(run.rows)} rows from them",
        tuple(differences),
        unchecked,
    )


def _answered(run: RecordedRun) -> Iterator[Difference]:
    """Yield where a document that keeps answers has not the scores that it repeats."""
    evaluated = {(d.recipe, d.split, d.pairs): d for d in run.outcomes.all}
    for document in run.outcomes.answered:
        first = evaluated.get((document.recipe, document.split, document.pairs))
        if first is None or first.outcome.evaluation != document.outcome.evaluation:
            now = "no such evaluation" if first is None else f"other scores in {first.path}"
            yield Difference(f"{document.path}, answers", "scores", now)


def _name(run: RecordedRun, document: RecordedOutcome) -> str:
    who = run.names(document.recipe) if document.recipe is not None else "reference"
    return f"{who} on {document.split}"


def _tasks(document: RecordedOutcome) -> tuple[TaskScore, ...]:
    evaluation = document.outcome.evaluation
    return evaluation.tasks if evaluation is not None else ()


def _values(evaluation: Evaluation | None, task: TaskScore) -> list[float] | None:
    """Return the scores of a task's items; None where the task's score is not their mean."""
    items = evaluation.items if evaluation is not None else ()
    scores = [item.score for item in items if item.task == task.task]
    values = [score for score in scores if score is not None]
    return values if len(values) == len(scores) and task.estimator is None else None


def _aggregates(task: TaskScore, values: list[float]) -> Iterator[Difference]:
    mean = math.fsum(values) / len(values) if values else math.nan
    sums = {"score": mean, "stderr": stderr_of_mean(values), "num_items": len(values)}
    for key, now in sums.items():
        recorded = getattr(task, key)
        if not _is_close(recorded, now):
            at = f"{task.task}, {key}"
            yield Difference(at, shown(recorded), f"{now!r} by its {len(values)} items")


def _fitness(row: Row, weights: Mapping[str, float]) -> Iterator[Difference]:
    """Yield where a row's fitness is not the weighted mean of its search scores."""
    scores = row.scores.get("search", {})
    if row.fitness is None or set(scores) != set(weights):
        if row.fitness is not None:
            yield Difference(f"{row.name}, tasks", shown(sorted(scores)), shown(sorted(weights)))
        return
    tasks = tuple(TaskScore.from_dict({"task": task, **scores[task]}) for task in weights)
    evaluation = Evaluation("search", tasks, ())
    sums = {
        "fitness": evaluation.fitness(weights),
        "fitness_stderr": evaluation.fitness_stderr(weights),
    }
    for key, now in sums.items():
        recorded = getattr(row, key)
        if not _is_close(recorded, now):
            yield Difference(f"{row.name}, {key}", shown(recorded), f"{now!r} by its tasks")


def _row(run: RecordedRun, row: Row) -> Iterator[Difference]:
    """Yield where the scores of a row on later splits are not those of its evaluation.

    Those of the search are compared by the replay, which knows races and estimates.
    """
    later = {split: row.scores[split] for split in ("validation", "test") if split in row.scores}
    documents = {d.split: d for d in run.outcomes.all if d.recipe == row.id} if later else {}
    for split, scores in later.items():
        document = documents.get(split)
        if document is None:
            yield Difference(f"{row.name} on {split}", "scores", "no evaluation is recorded")
            continue
        for task in _tasks(document):
            now: Mapping[str, Any] = task.to_dict()
            for key in _KEYS:
                recorded = scores.get(task.task, {}).get(key)
                if recorded != now[key]:
                    at = f"{row.name} on {split}, {task.task}, {key}"
                    yield Difference(at, shown(recorded), f"{shown(now[key])} by its evaluation")


def _is_close(recorded: Any, now: float) -> bool:
    is_number = isinstance(recorded, int | float) and not isinstance(recorded, bool)
    return is_number and math.isclose(recorded, now, rel_tol=_ROUNDING, abs_tol=_ROUNDING)
