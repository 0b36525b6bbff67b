"""What the head asks of whatever computes: plain jobs in, futures of plain outcomes out.

A job is data: it names no store, no pool and nothing of Prefect, so it can be sent to another
process or another machine. The processes that run it are described by ``WorkerSettings``.
"""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stages.errors import EvaluationError
from stages.lineage.evaluation import Items
from stages.lineage.outcome import Outcome
from stages.params.evaluate_params import EvaluateParams
from stages.params.merge_params import MergeParams
from stages.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True)
class CandidateJob:
    """Merge ``recipe`` and score it on ``split``, or on ``items`` of it.

    With ``answers`` the outcome also holds what it answered.
    It is ended after ``limit_s`` seconds of work; waiting for a free process does not count.
    """

    recipe: Recipe
    split: str
    items: Items | None = None
    limit_s: float | None = None
    answers: bool = False

    def __str__(self) -> str:
        return f"recipe {self.recipe.id[:16]} on the {self.split} split"


@dataclass(frozen=True, slots=True)
class ReferenceJob:
    """Score the model that ``evaluate.references`` lists under ``name``.

    It has no limit as a whole: each request to its server has one.
    """

    name: str
    split: str
    limit_s: float | None = None

    def __str__(self) -> str:
        return f"reference {self.name} on the {self.split} split"


Job = CandidateJob | ReferenceJob


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What a process needs to know before its first job; ``parents`` is the downloads' folder.

    ``tasks`` are the hashes of the tasks as the run's own process loaded them; None: not compared.
    """

    evaluate: EvaluateParams
    merge: MergeParams
    parents: Path
    tasks: Mapping[str, str] | None = None


class UnfinishedError(EvaluationError):
    """An evaluation ran too long, or its process died; it may be tried again."""


class StoppedError(EvaluationError):
    """The run was stopped while somebody waited for an outcome."""


class Executor(Protocol):
    """Computes outcomes somewhere, several at a time; threads may share it."""

    def submit(self, job: Job) -> "Future[Outcome]":
        """Return the future outcome of ``job``; a fault of the candidate is an outcome, too.

        The future raises ``UnfinishedError`` where the job hung or killed its process,
        ``StoppedError`` after ``stop``, ServiceError where a server did not answer, and any other
        GermlineError where the run itself cannot go on.
        """

    def close(self) -> None:
        """End the processes after the work they have."""

    def stop(self) -> None:
        """End the processes at once; futures that are not done raise ``StoppedError``."""
