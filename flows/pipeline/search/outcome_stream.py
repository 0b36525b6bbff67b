"""Outcomes as they come in: from the cache, or computed by Prefect's tasks."""

from queue import Empty, SimpleQueue
from typing import Protocol

from prefect import Task
from prefect.futures import PrefectFuture

from flows.execution.candidates.candidate_faults import MAY_PASS
from flows.execution.evaluation_cache import EvaluationCache
from flows.execution.executor import CandidateJob
from flows.pipeline.search.stopped_processes import StoppedProcesses
from flows.prefect_runtime.console import say
from stages.lineage.outcome import Outcome

_LOOK_S = 5.0  # between looks at the run's processes, while nothing is done


class OutcomeStream(Protocol):
    """Takes jobs at any time, and gives the outcome of each once."""

    def submit(self, label: str, job: CandidateJob) -> None:
        """Have ``job`` done; ``label`` names it, once in this stream."""

    def next(self) -> tuple[str, Outcome]:
        """Return the label and the outcome of the job that is done next, in no fixed order.

        There must be one that was submitted and not returned.

        Raises:
            GermlineError: something else than a candidate is at fault, so the run cannot go on.
        """


class ComputedOutcomes:
    """Outcomes from the cache, or computed by Prefect's task ``evaluate``."""

    def __init__(self, cache: EvaluationCache, evaluate: Task[[CandidateJob], Outcome]) -> None:
        self._cache = cache
        self._evaluate = evaluate
        self._jobs: dict[str, CandidateJob] = {}
        self._done: SimpleQueue[tuple[str, PrefectFuture[Outcome]]] = SimpleQueue()
        self._stopped = StoppedProcesses()

    def submit(self, label: str, job: CandidateJob) -> None:
        """Have ``job`` done, under ``label`` on Prefect's page."""
        self._jobs[label] = job
        future = self._evaluate.with_options(task_run_name=label).submit(job)
        future.add_done_callback(lambda done: self._done.put((label, done)))

    def next(self) -> tuple[str, Outcome]:
        """Return the label and the outcome of the job that is done next.

        Raises:
            GermlineError: the run cannot go on.
        """
        label, future = self._next_done()
        result = future.result(raise_on_failure=False)
        job = self._jobs.pop(label)
        if isinstance(result, MAY_PASS):
            result = self._cache.failure(job, result)
        if isinstance(result, BaseException):
            raise result
        return label, result

    def _next_done(self) -> tuple[str, "PrefectFuture[Outcome]"]:
        """Wait for a job; say meanwhile what it may wait for that nobody sees."""
        while True:
            try:
                return self._done.get(timeout=_LOOK_S)
            except Empty:
                for sentence in self._stopped.new():
                    say(sentence)
