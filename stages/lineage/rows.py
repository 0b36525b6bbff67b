"""The lineage: one row for every genome that was evaluated.

The JSONL file is the truth; tables are derived from it (table.py).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, Self

from stages.errors import LineageError
from stages.files import text_in, write_whole
from stages.hashing import canonical_json
from stages.json_text import json_in
from stages.lineage.columns import SCHEMA, current
from stages.lineage.data_types import RowData, check_data
from stages.lineage.evaluation import Evaluation, recorded_error, weighted_error
from stages.lineage.outcome import Outcome
from stages.recipe.candidate import Candidate
from stages.recipe.html_table import html_table, shown
from stages.recipe.recipe import Recipe

LINEAGE = Path("data/lineage")
Status = Literal["ok", "failed"]
MEAN = "mean"  # the row of the search's centre, evaluated after the last generation


SCAN = -1  # the generation of what was tried before the search


def scan_name(number: int) -> str:
    """Return the name of a candidate of a scan: s00-c03."""
    return f"s00-c{number:02d}"


def candidate_name(generation: int, number: int) -> str:
    """Return the name of a candidate: g03-c07 is number 7 of generation 3."""
    return f"g{generation:02d}-c{number:02d}"


def is_row_name(name: str) -> bool:
    """Return whether a candidate of a search or of a scan may have this name."""
    return re.fullmatch(r"[gs]\d{2,}-c\d{2,}", name) is not None


@dataclass(frozen=True, slots=True)
class Row:
    """One evaluated genome.

    ``scores`` is {split: {task: {score, stderr, num_items, metric, higher_is_better}}}, with
    ``estimator`` where the score is an estimate from ``num_items`` items. A failed row has an
    error and no fitness. Ancestors are names of rows, or of the warm start or model that the
    genome was copied from. ``environment`` are the versions of the libraries that scored it. What
    each column means is in columns.py.
    """

    name: str
    id: str
    generation: int
    ancestors: tuple[str, ...]
    genes: Mapping[str, float]
    recipe: Recipe
    parents: Mapping[str, str]
    status: Status
    weights_hash: str | None = None
    scores: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    fitness: float | None = None
    fitness_stderr: float | None = None
    error: str | None = None
    seed: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    child_cost: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        candidate: Candidate,
        genes: Mapping[str, float],
        outcome: Outcome,
        *,
        weights: Mapping[str, float],
        seed: int | None = None,
        environment: Mapping[str, str] | None = None,
        child_cost: Mapping[str, int] | None = None,
    ) -> Self:
        """Return the row of a candidate and its outcome; ``weights`` are those of the tasks."""
        evaluation = outcome.evaluation
        error = outcome.error or "it was not evaluated, and no error was recorded"
        return cls(
            name=candidate.name,
            id=candidate.id,
            generation=candidate.generation,
            ancestors=candidate.ancestors,
            genes=dict(genes),
            recipe=candidate.recipe,
            parents={parent.name: parent.id for parent in candidate.recipe.merged},
            status="ok" if evaluation else "failed",
            weights_hash=outcome.weights_hash,
            scores={evaluation.split: _scores(evaluation)} if evaluation else {},
            fitness=evaluation.fitness(weights) if evaluation else None,
            fitness_stderr=evaluation.fitness_stderr(weights) if evaluation else None,
            error=None if evaluation else error,
            seed=seed,
            environment=dict(environment or {}),
            child_cost=dict(child_cost or {}),
        )

    def also(self, evaluation: Evaluation) -> Self:
        """Return the row with the scores of one more split; fitness stays that of the search."""
        return replace(self, scores={**self.scores, evaluation.split: _scores(evaluation)})

    @property
    def num_items(self) -> int:
        """The number of search items that the fitness rests on."""
        return sum(int(task["num_items"]) for task in self.scores.get("search", {}).values())

    @property
    def is_estimated(self) -> bool:
        """True where the search scores are estimates of those on all items."""
        return any("estimator" in task for task in self.scores.get("search", {}).values())

    @property
    def objectives(self) -> tuple[float, ...]:
        """The search scores in the order of the tasks' names; lower-is-better ones negative.

        What the child costs comes last, negative too; without scores there are no objectives.
        """
        tasks = sorted(self.scores.get("search", {}).items())
        scores = (s["score"] if s["higher_is_better"] else -s["score"] for _, s in tasks)
        costs = (-cost for cost in self.child_cost.values()) if tasks else ()
        return (*scores, *costs)

    def shown_error(self, weights: Mapping[str, float]) -> float | None:
        """Return the error bar of the fitness that is shown, with these weights of the tasks.

        It is ``fitness_stderr`` but where a task's items all score alike.
        """
        tasks = self.scores.get("search", {})
        errors = {task: recorded_error(scores) for task, scores in tasks.items()}
        if not weights.keys() >= errors.keys() or all(
            error == tasks[task]["stderr"] for task, error in errors.items()
        ):
            return self.fitness_stderr
        return weighted_error(errors, weights)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: scores by split and task, then genes."""
        rows: list[tuple[str, object, object]] = [
            (f"{split} {task}", score["score"], recorded_error(score))
            for split, tasks in self.scores.items()
            for task, score in tasks.items()
        ]
        rows += [(name, value, None) for name, value in self.genes.items()]
        title = f"{self.name}: fitness {shown(self.fitness)}, from {' '.join(self.ancestors)}"
        return html_table(title if self.error is None else self.error, ("", "", "±"), rows)

    def brief(self) -> dict[str, Any]:
        """Return the few columns that a person wants to see while a search runs."""
        return {
            "name": self.name,
            "fitness": self.fitness,
            "stderr": self.fitness_stderr,
            "items": self.num_items,
            "id": self.id[:16],
            "ancestors": " ".join(self.ancestors),
            "error": self.error,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain JSON data; ``from_dict`` is its inverse."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        if not self.child_cost:
            del values["child_cost"]
        plain = {"ancestors": list(self.ancestors), "recipe": self.recipe.to_dict()}
        return {**values, **plain, "num_items": self.num_items, "schema": SCHEMA}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the row that ``to_dict`` wrote, today or in an older version.

        Raises:
            ValueError: a column is missing, is unknown, of another type, or contradicts another.
        """
        values = current(data)
        check_data(RowData, values)
        num_items = values.pop("num_items")
        recipe = Recipe.from_dict(values["recipe"])
        row = cls(**{**values, "ancestors": tuple(values["ancestors"]), "recipe": recipe})
        if num_items not in (None, row.num_items):
            raise ValueError(f"num_items is {num_items}, its search scores are of {row.num_items}")
        if row.status not in ("ok", "failed") or (row.fitness is None) == (row.status == "ok"):
            raise ValueError(f"status is {row.status!r} and fitness is {row.fitness}")
        return row


def finished(rows: Sequence[Row]) -> list[Row]:
    """Return the rows whose fitness speaks for the whole split: no race stopped them early.

    They answered as many items as any row, or their scores are estimates.
    """
    scored = [row for row in rows if row.fitness is not None]
    most = max((row.num_items for row in scored), default=0)
    return [row for row in scored if row.num_items == most or row.is_estimated]


def equal_scores(rows: Sequence[Row]) -> dict[str, float]:
    """Return the tasks in which all scored rows have one search score, with that score.

    Nothing is learned of a task from rows that it does not tell apart; of fewer than two scored
    recipes nothing is said.
    """
    scored = [row for row in rows if row.fitness is not None]
    if len({row.id for row in scored}) < 2:
        return {}
    tasks = sorted(scored[0].scores["search"])
    seen = {task: {row.scores["search"][task]["score"] for row in scored} for task in tasks}
    return {task: scores.pop() for task, scores in seen.items() if len(scores) == 1}


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write ``rows`` as JSON lines, by generation, then number; equal rows, equal bytes.

    Raises:
        LineageError: two rows have one name.
    """
    ordered = sorted(rows, key=lambda row: (row.generation, len(row.name), row.name))
    names = [row.name for row in ordered]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise LineageError(f"{path}: row {twice} is given twice. Write each candidate once.")
    text = "".join(canonical_json(row.to_dict()) + "\n" for row in ordered)
    write_whole(path, text)


def read_rows(path: Path) -> list[Row]:
    """Return the rows that ``write_rows`` wrote, in order.

    Raises:
        LineageError: the file is missing, or a line of it is damaged; the message names the line.
    """
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError as error:
        raise LineageError(f"{path}: no such file. Make it with `dvc repro evolve`.") from error
    rows = []
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(Row.from_dict(json_in(text_in(line))))
            _refuse_again(rows[-1].name, seen, number)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            reason = "; ".join(str(error).splitlines())  # of a recipe it may be several
            reason = reason.removeprefix("line 1: ")  # of the row, which is a line of the file
            raise LineageError(
                f"{path}, line {number}: not a row of the lineage ({reason}). The file is damaged "
                "or of another version; restore it with `dvc checkout`, or remove it and run "
                "`dvc repro`, which repeats the run from the cache."
            ) from error
    return rows


def _refuse_again(name: str, seen: dict[str, int], number: int) -> None:
    """Note that line ``number`` holds the row ``name``; two rows of one name are of two runs."""
    if name in seen:
        raise ValueError(f"{name} is line {seen[name]} already: rows of two runs?")
    seen[name] = number


def _scores(evaluation: Evaluation) -> dict[str, dict[str, Any]]:
    scores = {t.task: t.to_dict() for t in evaluation.tasks}
    return {task: {k: v for k, v in s.items() if k != "task"} for task, s in scores.items()}
