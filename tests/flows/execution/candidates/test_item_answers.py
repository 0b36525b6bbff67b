"""What a model was asked and answered is told in words."""

from dataclasses import replace

from flows.execution.candidates.candidate_scorer import CandidateScorer
from flows.execution.executor import CandidateJob, WorkerSettings
from stages.lineage.outcome import Outcome
from tests.flows.execution.conftest import evaluate_params, recipe_on

TASKS = [{"task": "spanish_arithmetic"}, {"task": "english_arithmetic"}]


def test_answers_are_what_was_scored(settings: WorkerSettings) -> None:
    """A free answer is right where it is the target's text, a choice where it is the target."""
    both = replace(settings, evaluate=evaluate_params(tasks=TASKS))
    job = CandidateJob(recipe_on(both), "test", answers=True)
    scorer = CandidateScorer(both)

    outcome = scorer.outcome(job)

    assert outcome.evaluation is not None
    assert outcome.answers is not None
    scores = {(one.task, one.item): one.score for one in outcome.evaluation.items}
    assert set(scores) == {(task, item) for task, item, *_ in outcome.answers}
    for task, item, prompt, target, answer in outcome.answers:
        assert prompt
        assert target
        if task == "english_arithmetic":
            assert (scores[task, item] == 1.0) is (answer == target)
        else:
            assert (scores[task, item] == 1.0) is (answer.strip() == target.strip())
    assert outcome == Outcome.from_dict(outcome.to_dict())
    assert scorer.outcome(replace(job, answers=False)).answers is None
