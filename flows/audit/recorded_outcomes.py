"""The evaluations that a run recorded, found by recipe, split and items instead of by their key.

A key holds the versions of libraries; what a run recorded is to be found under any of them.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.execution.executor import CandidateJob
from stages.errors import LineageError
from stages.evaluate.tasks.suite import Suite
from stages.json_text import read_json
from stages.lineage.evaluation import Evaluation
from stages.lineage.outcome import Outcome

ITEMS = "items"  # the folder of documents, in those of the lineage and the selection


@dataclass(frozen=True, slots=True)
class RecordedOutcome:
    """One document: its file, whose name is its key, and what it says of which recipe.

    ``recipe`` is None for a reference, which has no recipe.
    """

    path: Path
    recipe: str | None
    outcome: Outcome

    @property
    def split(self) -> str | None:
        """The split; None for a failure, whose document does not say it."""
        return self.outcome.evaluation.split if self.outcome.evaluation else None

    @property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """The items that were answered: (task, item)."""
        evaluation = self.outcome.evaluation
        return frozenset((i.task, i.item) for i in evaluation.items) if evaluation else frozenset()


class RecordedOutcomes:
    """The documents of ``folders``, the search's first; ``faults`` are of damaged ones.

    ``answered`` are those that repeat an evaluation to keep what the model said, for people.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self.all: list[RecordedOutcome] = []
        self.answered: list[RecordedOutcome] = []
        self.faults: dict[Path, str] = {}
        self._evaluated: dict[Any, RecordedOutcome] = {}
        self._failed: dict[tuple[Path, str], RecordedOutcome] = {}
        self._folders = tuple(folders)
        for folder in self._folders:
            for path in sorted((folder / ITEMS).glob("*.json")):
                self._add(folder, path)

    def find(self, job: CandidateJob, suite: Suite) -> RecordedOutcome | None:
        """Return the document of a job; None where none is recorded."""
        pairs = frozenset(job.items if job.items is not None else suite.items(job.split))
        evaluated = self._evaluated.get((job.recipe.id, job.split, pairs))
        if evaluated is not None:
            return evaluated
        folders = self._folders if job.split == "search" else reversed(self._folders)
        failures = (self._failed.get((folder, job.recipe.id)) for folder in folders)
        return next((failure for failure in failures if failure is not None), None)

    def answer(self, job: CandidateJob) -> Outcome:
        """Return the recorded outcome of a job that also keeps what the model answered.

        Raises:
            LineageError: none is recorded.
        """
        for document in self.answered:
            if (document.recipe, document.split) == (job.recipe.id, job.split):
                return document.outcome
        raise LineageError(
            f"recipe {job.recipe.id[:16]}: no answers of it to the {job.split} items are recorded"
        )

    def _add(self, folder: Path, path: Path) -> None:
        try:
            data = read_json(path)
            recipe = data.get("recipe")
            is_reference = "evaluation" not in data
            read = Evaluation.from_dict(data) if is_reference else Outcome.from_dict(data)
            outcome = Outcome(None, read) if isinstance(read, Evaluation) else read
            document = RecordedOutcome(path, recipe, outcome)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self.faults[path] = str(error)
            return
        if data.get("answers") is not None:
            self.answered.append(document)
            return
        self.all.append(document)
        if recipe is None:
            return
        if outcome.evaluation is None:
            self._failed.setdefault((folder, recipe), document)
        else:
            self._evaluated.setdefault((recipe, document.split, document.pairs), document)


class ReplayedOutcomes:
    """A stream of recorded outcomes, in the order in which they are asked for."""

    def __init__(self, recorded: RecordedOutcomes, suite: Suite) -> None:
        self._recorded = recorded
        self._suite = suite
        self._outcomes: deque[tuple[str, Outcome]] = deque()

    def submit(self, label: str, job: CandidateJob) -> None:
        """Find the recorded outcome of ``job``.

        Raises:
            LineageError: none is recorded.
        """
        document = self._recorded.find(job, self._suite)
        if document is None:
            raise LineageError(
                f"{label}: recipe {job.recipe.id[:16]} is asked for, and no evaluation of it "
                "on these items is recorded"
            )
        self._outcomes.append((label, document.outcome))

    def next(self) -> tuple[str, Outcome]:
        """Return the label and the outcome of the first job that was not returned."""
        return self._outcomes.popleft()
