"""The evaluation cache: computed once, failures with a way out, and nobody else's faults."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from flows.execution import unsaved
from flows.execution.evaluation_cache import EvaluationCache
from flows.execution.executor import CandidateJob, Job, UnfinishedError
from flows.execution.unsaved import store_unsaved
from stages.errors import GermlineError, LineageError
from stages.lineage.outcome import Outcome
from stages.store.candidate_store import CandidateStore
from tests.flows.execution.conftest import HERE, HereExecutor, a_recipe, scored

MakeCache = Callable[..., EvaluationCache]
INDEX = Path(".dvc/cache/candidates")


def broken(job: Job) -> Outcome:
    """Return the outcome of a candidate that has no score."""
    del job
    return Outcome(None, None, "recipe ab: a weight overflows.")


def object_of(store: CandidateStore, cache: EvaluationCache) -> Path:
    """Return the file of the only document."""
    (record,) = cache.records()
    return store.root / ".dvc/cache/files/md5" / record.md5[:2] / record.md5[2:]


def test_an_outcome_is_computed_once(make_cache: MakeCache) -> None:
    """Another cache over the same store asks no executor; some items are an entry of their own."""
    first, second = HereExecutor(scored), HereExecutor(scored)
    cache = make_cache(first)
    outcome = cache.outcome(CandidateJob(a_recipe(), "search"))
    again = make_cache(second)

    assert outcome == again.outcome(CandidateJob(a_recipe(), "search"))
    assert [] == second.jobs
    assert cache.records() == again.records()
    assert (1, 0) == (cache.num_computed, again.num_computed)
    again.outcome(CandidateJob(a_recipe(0.25), "search"))
    again.outcome(CandidateJob(a_recipe(), "validation"))
    assert 2 == len(second.jobs)


@pytest.mark.parametrize("changes", [{"retries": 3}, {"timeout_s": 500.0}])
def test_a_failure_is_believed_until_it_is_asked_again(
    make_cache: MakeCache, changes: dict[str, object]
) -> None:
    """More retries or time have a candidate's own failure tried again, as they do a time-out."""
    cache = make_cache(HereExecutor(broken))
    failed = cache.outcome(CandidateJob(a_recipe(), "search"))
    kept = make_cache(HereExecutor(scored))
    asked = make_cache(HereExecutor(scored), **changes)

    assert failed == kept.outcome(CandidateJob(a_recipe(), "search"))
    assert 0 == kept.num_computed
    assert asked.outcome(CandidateJob(a_recipe(), "search")).evaluation is not None


def test_a_failure_is_forgotten_with_the_code_that_gave_it(
    make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a later germline does with the recipe is tried."""
    cache = make_cache(HereExecutor(broken))
    cache.outcome(CandidateJob(a_recipe(), "search"))
    monkeypatch.setattr("flows.execution.remembered_failures._code", lambda: "another")

    cache.outcome(CandidateJob(a_recipe(), "search"))

    assert 2 == cache.num_computed


def test_all_tries_failed_is_remembered(make_cache: MakeCache) -> None:
    """A hung evaluation is a failed row in every later run, without a path of this machine."""
    cache = make_cache(HereExecutor(scored))
    job = CandidateJob(a_recipe(), "search")
    cache.failure(job, UnfinishedError("task t: /home/me/models/one.json: took too long."))

    outcome = cache.outcome(job)

    assert Outcome(None, None, "task t: one.json: took too long.") == outcome
    assert 0 == cache.num_computed


@pytest.mark.parametrize(
    "error", [GermlineError("disk"), LineageError("store"), UnfinishedError("slow"), OSError("?")]
)
def test_nothing_is_remembered_of_what_is_raised(make_cache: MakeCache, error: Exception) -> None:
    """With the cause gone the candidate is scored, under the same params."""
    executor = HereExecutor(scored)
    cache = make_cache(executor)

    def fail(job: Job) -> Outcome:
        del job
        raise error

    executor.compute = fail
    with pytest.raises(type(error)):
        cache.outcome(CandidateJob(a_recipe(), "search"))
    executor.compute = scored

    assert [] == list(cache.records())
    assert scored(executor.jobs[0]) == cache.outcome(CandidateJob(a_recipe(), "search"))


def test_a_damaged_evaluation_is_a_miss(make_cache: MakeCache, store: CandidateStore) -> None:
    """Bits that flipped under an unchanged time stamp cost the time of one evaluation."""
    cache = make_cache(HereExecutor(scored), retries=0)
    outcome = cache.outcome(CandidateJob(a_recipe(), "search"))
    path = object_of(store, cache)
    status = path.stat()
    path.chmod(0o644)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"0.5", b"0.9"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    path.chmod(0o444)

    again = make_cache(HereExecutor(scored), retries=0)

    assert outcome == again.outcome(CandidateJob(a_recipe(), "search"))
    assert 1 == again.num_computed
    assert content == object_of(store, again).read_bytes()


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"error": None},
        {"error": "disk full", "evaluation": None, "recipe": a_recipe().id, "weights_hash": None},
        {"error": None, "evaluation": {"split": 1}, "recipe": a_recipe().id, "weights_hash": ""},
    ],
)
def test_what_is_not_a_score_is_a_miss(
    make_cache: MakeCache, store: CandidateStore, document: object
) -> None:
    """Neither another document nor a failure under the key of a score is believed."""
    cache = make_cache(HereExecutor(scored))
    job = CandidateJob(a_recipe(), "search")
    outcome = cache.outcome(job)
    (record,) = cache.records()
    store.put_json(record.key, document)

    again = make_cache(HereExecutor(scored))

    assert outcome == again.outcome(job)
    assert 1 == again.num_computed


def test_a_score_is_not_lost_where_the_store_cannot_be_written(
    make_cache: MakeCache, store: CandidateStore
) -> None:
    """The run stops with one line; the next one stores what was computed and computes nothing."""

    def compute(job: Job) -> Outcome:
        INDEX.parent.mkdir(parents=True, exist_ok=True)
        INDEX.write_text("in the way of a folder")
        return scored(job)

    executor = HereExecutor(compute)
    cache = make_cache(executor)
    job = CandidateJob(a_recipe(), "search")

    with pytest.raises(LineageError) as caught:
        cache.outcome(job)

    assert 1 == len(str(caught.value).splitlines())
    assert "store: cannot be" in str(caught.value)
    assert ".scratch/unsaved" in str(caught.value)
    with pytest.raises(LineageError):
        store_unsaved(store)
    INDEX.unlink()
    assert 1 == store_unsaved(store)
    assert 0 == store_unsaved(store)
    executor.jobs.clear()
    assert scored(job) == cache.outcome(job)
    assert [] == executor.jobs
    assert [(HERE, 1)] == cache.origins()


def test_half_of_an_unsaved_score_is_computed_again(store: CandidateStore) -> None:
    """A file that is not JSON to its end is dropped."""
    unsaved.UNSAVED.mkdir(parents=True)
    (unsaved.UNSAVED / f"{'a' * 64}.json").write_text('{"error": nu')

    assert 0 == store_unsaved(store)
    assert [] == list(unsaved.UNSAVED.iterdir())


def test_answers_are_an_entry_of_their_own(make_cache: MakeCache) -> None:
    """The score keeps its key and its bytes; answers are asked for once and found again."""
    said = (("spanish_arithmetic", "ab", "2 + 2", "4", "5"),)

    def answered(job: Job) -> Outcome:
        outcome = scored(job)
        return replace(outcome, answers=said if job == asked else None)

    cache = make_cache(HereExecutor(answered))
    plain = CandidateJob(a_recipe(), "test")
    asked = replace(plain, answers=True)
    assert (None, said) == (cache.outcome(plain).answers, cache.outcome(asked).answers)
    assert 2 == len(cache.records())

    again = make_cache(HereExecutor(answered))
    assert scored(plain) == again.outcome(plain)
    assert said == again.outcome(asked).answers
    assert 0 == again.num_computed
