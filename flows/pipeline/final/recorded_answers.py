"""What the champion and the parents answered to the test items, for people to read."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from flows.execution.executor import CandidateJob
from flows.pipeline.session import Session
from flows.prefect_runtime.console import say
from stages.lineage.records.question_answers import AskedItem, QuestionAnswers
from stages.lineage.selection import Selection
from stages.recipe.recipe import Recipe

_SPLIT = "test"


def recorded_answers(session: Session, selection: Selection) -> QuestionAnswers:
    """Return the questions of the test split and the answers of champion and parents.

    They answer the same items again, once: from then on the answers are in the store. None where
    another engine answers or a judge scores: they may say something else than what was scored.

    Raises:
        GermlineError: a model that was scored cannot be asked again.
    """
    params = session.params.evaluate
    if params.backend is not None or any(task.judge for task in params.tasks):
        return QuestionAnswers()
    entries = [e for e in selection.entries if e.kind in ("champion", "parent") and e.recipe]
    say(f"answers of {', '.join(entry.name for entry in entries)} to the test items, for the page")
    jobs = [
        CandidateJob(
            Recipe.from_dict(entry.recipe or {}), _SPLIT, limit_s=params.timeout_s, answers=True
        )
        for entry in entries
    ]
    with ThreadPoolExecutor(params.workers) as threads:
        outcomes = list(threads.map(session.cache.outcome, jobs))
    asked: dict[tuple[str, str], AskedItem] = {}
    for entry, outcome in zip(entries, outcomes, strict=True):
        for task, item, prompt, target, answer in outcome.answers or ():
            first = asked.setdefault((task, item), AskedItem(task, item, prompt, target, {}))
            answers = {**first.answers, entry.name: answer}
            asked[task, item] = replace(first, answers=answers)
    return QuestionAnswers(asked)
