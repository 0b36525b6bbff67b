"""Outcomes of recipes on splits, each computed once: look it up in the store, or ask the executor.

A score is stored under a key of all that decides it, a failure under a key of its own (see
``remembered_failures``). What in the store is damaged or is not such a document is a miss.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from flows.execution.candidates.candidate_faults import plain_reason
from flows.execution.executor import CandidateJob, Executor, Job, ReferenceJob
from flows.execution.known_results import KnownResults
from flows.execution.remembered_failures import failure_key
from flows.execution.unsaved import keep
from flows.execution.used_records import UsedRecords
from stages.errors import GermlineError, LineageError
from stages.evaluate.backends.model_strings import identity
from stages.evaluate.tasks.suite import Suite
from stages.hashing import content_hash
from stages.lineage.evaluation import Evaluation, Items
from stages.lineage.outcome import Outcome
from stages.params.evaluate_params import EvaluateParams
from stages.store.candidate_store import CandidateStore, Record, evaluation_key
from stages.store.facts import Facts


class EvaluationCache:
    """What was scored before comes from the store; the rest is computed and stored.

    ``frame`` is the hash of the files that every candidate has besides its weights.
    ``environment`` is with what the executor computes. ``check_sources`` raises where what is
    merged is not what it was when the run began. Threads may share it.
    """

    def __init__(
        self,
        params: EvaluateParams,
        store: CandidateStore,
        suite: Suite,
        executor: Executor,
        *,
        frame: str,
        environment: Mapping[str, Any],
        check_sources: Callable[[], None] = lambda: None,
    ) -> None:
        self.num_computed = 0
        self._references = params.references
        self._store = store
        self._suite = suite
        self._executor = executor
        self._frame = frame
        self._environment = environment
        self._check_sources = check_sources
        self._used = UsedRecords(store)
        # Servers that judge, and other engines, may answer the same text otherwise another time.
        judges = [task.judge for task in params.tasks if task.judge]
        repeats = params.backend is None and not judges
        self._known = KnownResults(Facts(store.root), environment, repeats=repeats)
        self._failure_key = partial(
            failure_key, timeout_s=params.timeout_s, retries=params.retries, judges=judges
        )

    def outcome(self, job: CandidateJob) -> Outcome:
        """Return the outcome of ``job``, from the store or computed now.

        Raises:
            UnfinishedError: the evaluation hung or its process died; it may be tried again.
            ServiceError: a judge did not answer; it may be tried again.
            GermlineError: the run cannot go on: the machine, the store or the params are at fault.
        """
        key = self._key(job)
        failed = self._failure_key(key)
        for stored in (key, failed):
            outcome = self._find(stored, job, is_failure=stored == failed)
            if outcome is not None:
                return outcome
        outcome = self._computed(job)
        self._remember(failed if outcome.evaluation is None else key, job, outcome)
        return outcome

    def reference(self, name: str, split: str) -> Evaluation:
        """Return what the reference ``name`` scores on ``split``, from the store or asked now.

        A failure is not remembered.

        Raises:
            ServiceError: its server did not answer; it may be tried again.
            EvaluationError: it cannot be loaded or scored.
            ParamsError: its server refuses what the params have it asked.
        """
        model_identity = identity(self._references[name])
        key = evaluation_key(content_hash(["reference", model_identity]), self._suite.key(split))
        stored = self._read(key)
        if stored is not None:
            return stored
        evaluation = self._computed(ReferenceJob(name, split)).evaluation
        if evaluation is None:
            raise GermlineError(f"reference {name} on the {split} split: gave no scores.")
        document = evaluation.to_dict()
        with self._kept_aside(key, document):
            self._used.add(self._store.put_json(key, document), document)
        return evaluation

    def failure(self, job: CandidateJob, error: GermlineError) -> Outcome:
        """Remember that all tries of ``job`` failed with ``error``, and return that outcome."""
        outcome = Outcome(None, None, plain_reason(error))
        self._remember(self._failure_key(self._key(job)), job, outcome)
        return outcome

    def records(self) -> Sequence[Record]:
        """Return the records of every outcome given so far, sorted by key."""
        return self._used.all()

    def check_out(self, record: Record, path: Path) -> None:
        """Make ``path`` the document of one of ``records``, also where the store has lost it.

        Raises:
            LineageError: the store cannot be written.
        """
        self._used.check_out(record, path)
        self._known.keep_origin(record.key)

    def origins(self) -> list[tuple[Mapping[str, Any], int]]:
        """Return with what the outcomes given so far were computed, and how many; most first."""
        return self._known.origins()

    def _computed(self, job: Job) -> Outcome:
        outcome = self._executor.submit(job).result()
        self._check_sources()
        self.num_computed += 1
        return outcome

    def _find(self, key: str, job: CandidateJob, *, is_failure: bool) -> Outcome | None:
        """Return the stored outcome; None where none is that could have been stored here."""
        record = self._store.find(key)
        if record is None:
            return None
        document = self._store.document(record)
        outcome = _outcome(document, job.recipe.id)
        if outcome is None or (outcome.evaluation is None) is not is_failure:
            return None
        if not self._known.agrees(key, job.recipe.id, self._suite_key(job), outcome):
            return None
        self._known.note(key)
        self._used.add(record, document)
        return outcome

    def _read(self, key: str) -> Evaluation | None:
        record = self._store.find(key)
        document = self._store.document(record) if record is not None else None
        try:
            evaluation = Evaluation.from_dict(document)  # type: ignore[arg-type]
        except (KeyError, TypeError, ValueError):
            return None
        if record is not None:
            self._used.add(record, document)
        return evaluation

    def _remember(self, key: str, job: CandidateJob, outcome: Outcome) -> None:
        document = {**outcome.to_dict(), "recipe": job.recipe.id}
        with self._kept_aside(key, document):
            said = self._known.contradiction(job.recipe.id, self._suite_key(job), outcome)
        if said is not None:
            raise LineageError(said)
        with self._kept_aside(key, document):
            self._used.add(self._store.put_json(key, document), document)
            self._known.learn(key, job.recipe.id, self._suite_key(job), outcome)

    @contextmanager
    def _kept_aside(self, key: str, document: dict[str, Any]) -> Iterator[None]:
        """Lose no document where the store cannot be read or written."""
        try:
            yield
        except GermlineError as error:
            raise LineageError(keep(key, document, self._environment, error)) from error

    def _key(self, job: CandidateJob) -> str:
        key = evaluation_key(job.recipe.id, self._suite_key(job))
        return content_hash(["answers", key]) if job.answers else key

    def _suite_key(self, job: CandidateJob) -> str:
        return suite_key(self._suite, self._frame, job.split, job.items)


def suite_key(suite: Suite, frame: str, split: str, items: Items | None) -> str:
    """Return the hash of all that decides a candidate's scores, except its recipe."""
    return content_hash([suite.key(split, items), frame])


def _outcome(document: Any, recipe_id: str) -> Outcome | None:
    try:
        outcome = Outcome.from_dict(document)
        is_of_recipe = document["recipe"] == recipe_id
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return outcome if is_of_recipe else None
