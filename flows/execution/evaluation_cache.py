"""Score recipes through the store: look the evaluation up, or compute it in a worker process."""

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from multiprocessing import get_context
from threading import Lock
from typing import Any

from pebble import ProcessExpired, ProcessPool

from flows.execution.candidate_folder import clear
from flows.execution.worker import Bench, Outcome, frame_folder, score, score_reference
from stages.download.manifest import Parents
from stages.errors import EvaluationError
from stages.evaluate.backends.model_strings import identity
from stages.evaluate.tasks.suite import Suite
from stages.evaluate.tasks.task_hash import folder_key
from stages.hashing import content_hash
from stages.lineage.evaluation import Evaluation, Items
from stages.params.load import EvaluateParams, Params
from stages.recipe.recipe import Recipe
from stages.store.candidate_store import CandidateStore, Record, evaluation_key


class Scorer:
    """Outcomes of recipes on splits, each computed once: the store remembers, a pool computes.

    The pool starts with the first miss, so a replay from the store starts no process and loads no
    model. An evaluation that outlasts ``evaluate.timeout_s`` is ended with its process.
    """

    def __init__(
        self, params: Params, parents: Parents, store: CandidateStore, suite: Suite
    ) -> None:
        self.suite = suite
        self.store = store
        self.used: dict[str, Record] = {}
        self.num_computed = 0
        self._params: EvaluateParams = params.evaluate
        self._gate = Lock()
        self._running: set[Future[Any]] = set()
        self._is_stopped = False
        self._frame = folder_key(frame_folder(params, parents))
        clear()  # one run at a time is at work here: what is left is a killed one's
        self._pool = ProcessPool(
            max_workers=params.evaluate.workers,
            initializer=Bench.open,
            initargs=(params, parents.out),
            context=get_context("spawn"),
        )

    def outcome(self, recipe: Recipe, split: str, items: Items | None = None) -> Outcome:
        """Return the outcome of ``recipe`` on ``split``, from the store or computed now.

        With ``items`` it is the outcome on those of the split alone, an entry of its own in the
        store: that of the whole split is not cut down, so what is in the store decides no bit.

        Raises:
            EvaluationError: the evaluation hung or its process died; it may be tried again.
            ServiceError: a judge did not answer; it may be tried again.
            ParamsError: a judge refuses what the params have it asked.
        """
        found = self._look_up(recipe, split, items)
        return found if found is not None else self._compute(recipe, split, items)

    def reference(self, name: str, split: str) -> Evaluation:
        """Return what the reference ``name`` scores on ``split``, from the store or asked now.

        It has no time-out as a whole: each request has one. A failure is not remembered.

        Raises:
            ServiceError: its server did not answer; it may be tried again.
            EvaluationError: it cannot be loaded or scored.
            ParamsError: its server refuses what the params have it asked.
        """
        chosen = identity(self._params.references[name])
        key = evaluation_key(content_hash(["reference", chosen]), self.suite.key(split))
        record = self.store.find(key)
        if record is None:
            evaluation: Evaluation = self._work(score_reference, [name, split], split, None)
            record = self.store.put_json(key, evaluation.to_dict())
            self.num_computed += 1
        self.used[key] = record
        return Evaluation.from_dict(self.store.read_json(record))

    def failure(
        self, recipe: Recipe, split: str, error: BaseException, items: Items | None = None
    ) -> Outcome:
        """Remember that all tries failed with ``error``; with more retries or time it is tried."""
        outcome = Outcome(None, None, str(error))
        self._remember(self._failure_key(recipe, split, items), recipe, outcome)
        return outcome

    def records(self) -> Sequence[Record]:
        """Return the records of every outcome given so far, sorted by key."""
        return [self.used[key] for key in sorted(self.used)]

    def close(self) -> None:
        """End the workers after the work they have."""
        self._pool.close()
        self._pool.join()

    def stop(self) -> None:
        """End the workers at once; threads that wait for an outcome are told so."""
        with self._gate:
            self._is_stopped = True
            waited_for = list(self._running)
        for future in waited_for:  # the pool itself would leave them waiting
            future.cancel()
        self._pool.stop()
        self._pool.join()

    def _look_up(self, recipe: Recipe, split: str, items: Items | None) -> Outcome | None:
        for key in (self._key(recipe, split, items), self._failure_key(recipe, split, items)):
            record = self.store.find(key)
            if record is None:
                continue
            self.used[key] = record
            return _outcome(self.store.read_json(record))
        return None

    def _compute(self, recipe: Recipe, split: str, items: Items | None) -> Outcome:
        limit = self._params.timeout_s
        outcome: Outcome = self._work(score, [recipe, split, items], split, limit)
        self._remember(self._key(recipe, split, items), recipe, outcome)
        self.num_computed += 1
        return outcome

    def _work(
        self, job: Callable[..., Any], arguments: list[Any], split: str, limit: float | None
    ) -> Any:
        """Return what a worker's ``job`` gives; it is ended after ``limit`` seconds."""
        future = self._schedule(job, arguments, split, limit)
        try:
            return future.result()
        except CancelledError as error:
            raise _stopped(split) from error
        except FutureTimeoutError as error:
            patience = self._params.timeout_s
            raise EvaluationError(
                f"evaluation on the {split} split: ran longer than evaluate.timeout_s = "
                f"{patience:g} and was ended. Raise evaluate.timeout_s or use fewer items."
            ) from error
        except ProcessExpired as error:
            raise EvaluationError(
                f"evaluation on the {split} split: its process died with exit code "
                f"{error.exitcode}. Out of memory is the usual cause; lower evaluate.batch_size, "
                "evaluate.batch_tokens or evaluate.workers. Raise evaluate.retries to try again."
            ) from error
        finally:
            self._running.discard(future)

    def _schedule(
        self, job: Callable[..., Any], arguments: list[Any], split: str, limit: float | None
    ) -> "Future[Any]":
        with self._gate:
            if self._is_stopped:
                raise _stopped(split)
            future: Future[Any] = self._pool.schedule(job, args=arguments, timeout=limit)
            self._running.add(future)
        return future

    def _remember(self, key: str, recipe: Recipe, outcome: Outcome) -> None:
        document = {
            "error": outcome.error,
            "evaluation": outcome.evaluation.to_dict() if outcome.evaluation else None,
            "recipe": recipe.id,
            "weights_hash": outcome.weights_hash,
        }
        self.used[key] = self.store.put_json(key, document)

    def _key(self, recipe: Recipe, split: str, items: Items | None) -> str:
        suite_key = self.suite.key(split, items)
        return evaluation_key(recipe.id, content_hash([suite_key, self._frame]))

    def _failure_key(self, recipe: Recipe, split: str, items: Items | None) -> str:
        # What a user changes to have it tried again: of judges, too, where there are some.
        patience = [[self._params.timeout_s, self._params.retries]]
        patience += [[j.timeout_s, j.retries] for t in self._params.tasks if (j := t.judge)]
        return content_hash(["failed", self._key(recipe, split, items), *patience])


def _stopped(split: str) -> EvaluationError:
    return EvaluationError(f"evaluation on the {split} split: the run was stopped.")


def _outcome(document: dict[str, Any]) -> Outcome:
    data = document["evaluation"]
    evaluation = Evaluation.from_dict(data) if data else None
    return Outcome(document["weights_hash"], evaluation, document["error"])
