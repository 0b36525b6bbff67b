"""What contradicts a known hash is never stored, and never believed."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from flows.execution.evaluation_cache import EvaluationCache
from flows.execution.executor import CandidateJob, Job
from stages.errors import LineageError
from stages.lineage.outcome import Outcome
from stages.store.candidate_store import CandidateStore
from tests.flows.execution.conftest import HERE, HereExecutor, a_recipe, scored

MakeCache = Callable[..., EvaluationCache]
ANOTHER = {"machine": {"torch": "2"}}


def other_weights(job: Job) -> Outcome:
    """Return the outcome of a damaged parent: other weights, equal scores."""
    return replace(scored(job), weights_hash="e" * 64)


def other_scores(job: Job) -> Outcome:
    """Return an outcome with another score of the same item."""
    outcome = scored(job)
    assert outcome.evaluation is not None
    item = replace(outcome.evaluation.items[0], score=0.25)
    return replace(outcome, evaluation=replace(outcome.evaluation, items=(item,)))


def test_a_recipe_that_gives_other_weights_is_not_stored(make_cache: MakeCache) -> None:
    """The message names the file to remove where the earlier result was the wrong one."""
    cache = make_cache(HereExecutor(scored))
    cache.outcome(CandidateJob(a_recipe(), "search"))
    damaged = make_cache(HereExecutor(other_weights))

    with pytest.raises(LineageError, match=r"gave the weights eeee.* ffff.*remove") as caught:
        damaged.outcome(CandidateJob(a_recipe(), "validation"))

    assert [] == list(damaged.records())
    path = Path(str(caught.value).partition("remove ")[2].removesuffix(" first."))
    path.unlink()
    assert damaged.outcome(CandidateJob(a_recipe(), "validation")).evaluation is not None


def test_weights_that_get_other_scores_are_not_stored(make_cache: MakeCache) -> None:
    """Two recipes with the same weights have the same scores."""
    cache = make_cache(HereExecutor(scored))
    cache.outcome(CandidateJob(a_recipe(), "search"))
    odd = make_cache(HereExecutor(other_scores))

    with pytest.raises(LineageError, match="gave scores"):
        odd.outcome(CandidateJob(a_recipe(0.25), "search"))
    assert odd.outcome(CandidateJob(a_recipe(0.25), "validation")).evaluation is not None


def test_a_judge_may_change_its_mind(make_cache: MakeCache) -> None:
    """Scores that a service decides are not compared."""
    judge = {"model": "m", "url": "http://h/v1", "prompt": "{{response}}"}
    tasks = [{"task": "spanish_arithmetic", "judge": judge}]
    cache = make_cache(HereExecutor(scored), tasks=tasks)
    cache.outcome(CandidateJob(a_recipe(), "search"))
    cache = make_cache(HereExecutor(other_scores), tasks=tasks)

    assert cache.outcome(CandidateJob(a_recipe(0.25), "search")).evaluation is not None


def test_a_stored_contradiction_is_a_miss(make_cache: MakeCache) -> None:
    """What was stored of a damaged parent before its weights were known is computed again."""
    bad = make_cache(HereExecutor(other_weights))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flows.execution.known_results.KnownResults._claims", lambda *_: [])
        bad.outcome(CandidateJob(a_recipe(), "search"))
    good = make_cache(HereExecutor(scored))
    good.outcome(CandidateJob(a_recipe(), "validation"))

    assert "f" * 64 == good.outcome(CandidateJob(a_recipe(), "search")).weights_hash
    assert 2 == good.num_computed


def test_other_kinds_of_machine_may_give_other_bits(make_cache: MakeCache) -> None:
    """Results are compared with those of the same environment, and each one's is known."""
    cache = make_cache(HereExecutor(scored))
    cache.outcome(CandidateJob(a_recipe(), "search"))
    there = make_cache(HereExecutor(other_weights), environment=ANOTHER)
    there.outcome(CandidateJob(a_recipe(), "search"))
    there.outcome(CandidateJob(a_recipe(), "validation"))
    there.outcome(CandidateJob(a_recipe(), "test"))

    assert [(ANOTHER, 2), (HERE, 1)] == there.origins()


def test_a_cache_that_is_lost_during_a_run_costs_no_origin(
    make_cache: MakeCache, store: CandidateStore
) -> None:
    """Evaluations that are written again come with what they were computed with."""
    cache = make_cache(HereExecutor(scored))
    cache.outcome(CandidateJob(a_recipe(), "search"))
    shutil.rmtree(store.root / ".dvc/cache")
    for record in cache.records():
        cache.check_out(record, Path("written"))
    executor = HereExecutor(scored)
    again = make_cache(executor)
    again.outcome(CandidateJob(a_recipe(), "search"))

    assert [] == executor.jobs
    assert [(HERE, 1)] == again.origins()


def test_what_was_computed_elsewhere_is_known_as_that(
    make_cache: MakeCache, store: CandidateStore
) -> None:
    """Records that `dvc pull` brought have no machine."""
    cache = make_cache(HereExecutor(scored))
    cache.outcome(CandidateJob(a_recipe(), "search"))
    shutil.rmtree(store.root / ".dvc/cache/candidates/facts")
    again = make_cache(HereExecutor(scored))
    again.outcome(CandidateJob(a_recipe(), "search"))

    assert [({}, 1)] == again.origins()
