"""Candidates: do recipes give their weights, and weights their item scores, when done again?

Neither the store nor the evaluation cache is asked: recipes go straight to the pool of resident
models that a run uses.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from pathlib import Path

from flows.audit.check_verdict import Difference, Verdict, differences_in, shown
from flows.audit.first_tensor import first_of_child
from flows.audit.recorded_outcomes import RecordedOutcome
from flows.audit.recorded_run import RecordedRun
from flows.execution.candidates.candidate_faults import MAY_PASS, plain_reason
from flows.execution.executor import CandidateJob, WorkerSettings
from flows.execution.local_pool import LocalPool
from flows.pipeline.evolve import KEPT
from flows.pipeline.select import CHAMPION
from flows.prefect_runtime.console import counted
from stages.checkpoint.reader import Checkpoint
from stages.errors import GermlineError
from stages.lineage.evaluation import Evaluation, Items, ItemScore
from stages.lineage.outcome import Outcome
from stages.merge.outputs.model_folder import hash_weights

MOST = 10  # differences of a verdict that are named


@dataclass(frozen=True, slots=True)
class _Task:
    """An evaluation to repeat, and the document that recorded it."""

    job: CandidateJob
    document: RecordedOutcome


def check(
    run: RecordedRun, ids: Sequence[str], advance: Callable[[int], None]
) -> tuple[Verdict, Verdict]:
    """Merge and evaluate the recipes ``ids`` again; return the verdicts on weights and on items.

    Raises:
        GermlineError: the machine, the tasks or the params are at fault.
    """
    recorded = list(_tasks(run, set(ids)))
    tasks = [task for task in recorded if _is_of_the_suite(run, task)]
    weights: list[Difference] = []
    items = [_foreign(run, task) for task in recorded if task not in tasks]
    unfinished: list[str] = []
    with_weights = set[str]()
    for task, outcome in _computed(run, tasks):
        name = run.names(task.job.recipe.id)
        if isinstance(outcome, GermlineError):
            if plain_reason(outcome) != task.document.outcome.error:
                unfinished.append(f"{name} on {task.job.split}: {outcome}")
            advance(1)
            continue
        if task.job.recipe.id not in with_weights:
            with_weights.add(task.job.recipe.id)
            weights += _weights(run, name, task, outcome)
        here = f"{name} on {task.job.split}"
        items += (one.of(here) for one in _items(task.document.outcome, outcome))
        advance(1)
    unknown = set(ids) - {task.job.recipe.id for task in recorded}
    missing = [f"{run.names(i)}: no evaluation of it is recorded" for i in ids if i in unknown]
    num_items = sum(len(task.document.pairs) for task in tasks)
    return (
        _verdict(
            "weights", f"{counted(len(with_weights), 'recipe')}, merged again", weights, missing
        ),
        _verdict(
            "items",
            f"{num_items} item scores of {counted(len(tasks), 'evaluation')}, answered again",
            items,
            unfinished,
        ),
    )


def num_evaluations(run: RecordedRun, ids: Sequence[str]) -> int:
    """Return how many evaluations ``check`` repeats."""
    return sum(1 for _ in _tasks(run, set(ids)))


def _tasks(run: RecordedRun, ids: set[str]) -> Iterator[_Task]:
    """Yield the recorded evaluations of some recipes, each once, in the order of their files."""
    done = set[tuple[object, ...]]()
    limit_s = run.params.evaluate.timeout_s
    for document in (*run.outcomes.all, *run.outcomes.answered):
        recipe = run.recipes.get(document.recipe or "")
        if recipe is None or recipe.id not in ids:
            continue
        split = document.split or "search"
        answers = document.outcome.answers is not None
        key = (recipe.id, split, document.pairs, answers)
        if key not in done:
            done.add(key)
            asked = _asked(run, document)
            yield _Task(CandidateJob(recipe, split, asked, limit_s, answers=answers), document)


def _is_of_the_suite(run: RecordedRun, task: _Task) -> bool:
    """Return whether the tasks of here and now have all items that were answered."""
    return task.document.pairs <= set(run.suite.items(task.job.split))


def _foreign(run: RecordedRun, task: _Task) -> Difference:
    where = f"{run.names(task.job.recipe.id)} on {task.job.split}, items"
    num_foreign = len(task.document.pairs - set(run.suite.items(task.job.split)))
    return Difference(
        where, f"{len(task.document.pairs)} items", f"{num_foreign} are not in the tasks"
    )


def _asked(run: RecordedRun, document: RecordedOutcome) -> Items | None:
    """Return the items that were asked for; None for all of the split, and for a failure."""
    if document.split is None:
        return None
    whole = run.suite.items(document.split)
    asked = tuple(pair for pair in whole if pair in document.pairs)
    return None if len(asked) == len(whole) else asked


def check_weights(run: RecordedRun, ids: Sequence[str], advance: Callable[[int], None]) -> Verdict:
    """Merge the recipes ``ids`` again, where their scores cannot be computed on this machine."""
    differences: list[Difference] = []
    recorded = {d.recipe: d.outcome.weights_hash for d in run.outcomes.all}
    for recipe_id in ids:
        then = recorded.get(recipe_id)
        if then is not None:
            now = hash_weights(run.models.plan(run.recipes[recipe_id]))
            if now != then:
                name = run.names(recipe_id)
                differences.append(Difference(f"{name}, weights hash", then, now))
        advance(1)
    return _verdict("weights", f"{counted(len(ids), 'recipe')}, merged again", differences, [])


def _computed(
    run: RecordedRun, tasks: Sequence[_Task]
) -> Iterator[tuple[_Task, Outcome | GermlineError]]:
    """Yield each task with what it gives now, as they are done; or why it was not finished."""
    params = run.params
    settings = WorkerSettings(params.evaluate, params.merge, run.parents.out, run.suite.by_task())
    pool = LocalPool(settings, params.evaluate.workers)
    try:
        futures: dict[Future[Outcome], _Task] = {pool.submit(task.job): task for task in tasks}
        for future in as_completed(futures):
            try:
                outcome: Outcome | GermlineError = future.result()
            except MAY_PASS as error:
                outcome = error
            yield futures[future], outcome
    except BaseException:
        pool.stop()
        raise
    pool.close()


def _weights(run: RecordedRun, name: str, task: _Task, now: Outcome) -> Iterator[Difference]:
    recorded = task.document.outcome.weights_hash
    in_row = run.weights.get(task.job.recipe.id, recorded)
    if in_row != recorded:
        where = f"{name}, weights hash in the lineage"
        yield Difference(where, str(in_row), f"{recorded} in {task.document.path}")
    if recorded == now.weights_hash:
        return
    yield Difference(f"{name}, weights hash", str(recorded), str(now.weights_hash))
    for folder in (CHAMPION, KEPT / task.job.recipe.id[:16]):
        difference = _tensor(run, folder, recorded, task)
        if difference is not None:
            yield difference
            return


def _tensor(
    run: RecordedRun, folder: Path, recorded: str | None, task: _Task
) -> Difference | None:
    """Return the first tensor that differs, where a folder holds the recorded weights."""
    try:
        kept = Checkpoint(folder)
        if kept.hash() != recorded:
            return None
        return first_of_child(kept, run.models.plan(task.job.recipe))
    except GermlineError:
        return None


def _items(recorded: Outcome, now: Outcome) -> Iterator[Difference]:
    """Yield the first item of an evaluation that differs, and how many do."""
    if recorded.evaluation is None or now.evaluation is None:
        if recorded.error != now.error:
            yield Difference("", _in_words(recorded), _in_words(now))
        return
    pairs = _differing(recorded.evaluation, now.evaluation)
    if pairs:
        one, other = pairs[0]
        more = f" ({len(pairs)} items differ)" if len(pairs) > 1 else ""
        at = f"task {one.task}, item {one.item}"
        yield Difference(at, shown(one.score), f"{shown(other.score)}{more}")
        return
    yield from differences_in("answers", recorded.answers, now.answers)
    for task, again in zip(recorded.evaluation.tasks, now.evaluation.tasks, strict=True):
        if task != again:
            yield Difference(f"task {task.task}", shown(task.to_dict()), shown(again.to_dict()))


def _differing(recorded: Evaluation, now: Evaluation) -> list[tuple[ItemScore, ItemScore]]:
    items = {(item.task, item.item): item for item in now.items}
    pairs = [(item, items[item.task, item.item]) for item in recorded.items]
    return [(one, other) for one, other in pairs if one.score != other.score]


def _in_words(outcome: Outcome) -> str:
    return f"the failure {outcome.error!r}" if outcome.evaluation is None else "scores"


def _verdict(
    check_name: str, checked: str, differences: list[Difference], unchecked: list[str]
) -> Verdict:
    ordered = sorted(differences, key=lambda difference: difference.where)
    if len(ordered) > MOST:
        unchecked = [*unchecked, f"{len(ordered) - MOST} more differences of this kind"]
    return Verdict(check_name, checked, tuple(ordered[:MOST]), tuple(unchecked))
