"""What a worker process does: it starts once, then runs jobs. Its state is here and nowhere else.

Nothing heavy is imported before ``start``, so that a library that cannot be imported is told like
any other reason why a process cannot start.
"""

from threading import RLock
from typing import TYPE_CHECKING

from flows.execution.error_log import explained
from flows.execution.executor import Job, WorkerSettings
from stages.errors import GermlineError
from stages.lineage.outcome import Outcome

if TYPE_CHECKING:
    from flows.execution.candidates.candidate_scorer import CandidateScorer


class _Process:
    """The state of this process: a scorer, or the reason why it has none."""

    scorer: "CandidateScorer | None" = None
    fault: str | None = None


def start(settings: WorkerSettings) -> None:
    """Load what every job needs; what goes wrong is told by ``run``.

    To raise here would end the process, and another that cannot start would take its place.
    """
    try:
        from tqdm import tqdm

        # Its own lock is a semaphore, which a process that is ended leaves behind with a warning.
        tqdm.set_lock(RLock())
        from flows.execution.candidates.candidate_scorer import CandidateScorer

        _Process.scorer = CandidateScorer(settings)
    except GermlineError as error:
        _Process.fault = str(error)
    except Exception as error:  # noqa: BLE001  whatever it is, it is told
        _Process.fault = f"a worker process cannot start: {_advised(error)}"


def refuse(reason: str) -> None:
    """Have every job of this process raise ``reason``."""
    _Process.fault = reason


def run(job: Job) -> Outcome:
    """Return the outcome of ``job``.

    Raises:
        ServiceError: a server did not answer; the job may be tried again.
        GermlineError: the run cannot go on: the message says why.
    """
    if _Process.fault is not None:
        raise GermlineError(_Process.fault)
    if _Process.scorer is None:
        raise TypeError("this process did not start: worker.start was not called in it")
    try:
        return _Process.scorer.outcome(job)
    except GermlineError:
        raise
    except Exception as error:
        raise GermlineError(f"{job}: {_advised(error)}") from error


def _advised(error: Exception) -> str:
    return (
        f"{explained(error)} This is not a fault of the candidate. Remove the cause and run the "
        "same command again; what was evaluated is kept."
    )
