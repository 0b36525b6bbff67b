"""What the champion and the parents answered to the test items, for people to read."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from flows.execution.executor import CandidateJob
from flows.pipeline.session import SearchSession
from stages.lineage.outcome import Outcome
from stages.lineage.records.question_answers import AskedItem, QuestionAnswers
from stages.lineage.selection import Selection, TestedModel
from stages.recipe.recipe import Recipe

_SPLIT = "test"


def models_asked(session: SearchSession, selection: Selection) -> list[TestedModel]:
    """Return the models whose answers are kept: champion and parents.

    None where another engine answers or a judge scores: they may say something else than what
    was scored.
    """
    params = session.params.evaluate
    if params.backend is not None or any(task.judge for task in params.tasks):
        return []
    return [e for e in selection.entries if e.kind in ("champion", "parent") and e.recipe]


def recorded_answers(
    session: SearchSession, selection: Selection, outcome_of: Callable[[CandidateJob], Outcome]
) -> QuestionAnswers:
    """Return the questions of the test split and the answers of champion and parents.

    They answer the same items again, once: from then on the answers are in the store.

    Raises:
        GermlineError: a model that was scored cannot be asked again.
    """
    params = session.params.evaluate
    entries = models_asked(session, selection)
    jobs = [
        CandidateJob(
            Recipe.from_dict(entry.recipe or {}), _SPLIT, limit_s=params.timeout_s, answers=True
        )
        for entry in entries
    ]
    with ThreadPoolExecutor(params.workers) as threads:
        outcomes = list(threads.map(outcome_of, jobs))
    asked: dict[tuple[str, str], AskedItem] = {}
    for entry, outcome in zip(entries, outcomes, strict=True):
        for task, item, prompt, target, answer in outcome.answers or ():
            first = asked.setdefault((task, item), AskedItem(task, item, prompt, target, {}))
            answers = {**first.answers, entry.name: answer}
            asked[task, item] = replace(first, answers=answers)
    return QuestionAnswers(asked)
