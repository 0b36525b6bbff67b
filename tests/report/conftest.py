"""A small finished run: two generations, one failure, three tasks' worth of test results."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from stages.lineage.evaluation import Evaluation, ItemScore, TaskScore
from stages.lineage.outcome import Outcome
from stages.lineage.records.question_answers import QuestionAnswers
from stages.lineage.rows import MEAN, Row, candidate_name, write_rows
from stages.lineage.selection import EntryKind, Selection, Shortlisted, TestedModel
from stages.params.space.space_params import Half
from stages.recipe.candidate import Candidate
from stages.recipe.recipe import Model, Recipe, Rule
from stages.report.story import Story, story_of

ERROR = "<script>alert('error')</script> merge failed"
TASK_WEIGHTS = {"maths": 1.0, "french": 3.0}


def evaluation_of(split: str, right: int, num_items: int = 20) -> Evaluation:
    """Return an evaluation that got the first ``right`` of each task's items right."""
    tasks, items = [], []
    for task in TASK_WEIGHTS:
        mean = right / num_items
        stderr = (mean * (1 - mean) / (num_items - 1)) ** 0.5
        tasks.append(TaskScore(task, "acc", mean, stderr, num_items, True))
        items += [ItemScore(task, f"i{i}", float(i < right)) for i in range(num_items)]
    return Evaluation(split, tuple(tasks), tuple(items))


def rows_of() -> list[Row]:
    """Return three generations of four rows, one failed, and the mean."""
    rows = []
    for generation in range(3):
        for number in range(4):
            recipe = Recipe.of_models(
                "linear", (Model("p0", "aa"),), (Rule({"weight": (number / 10,)}),)
            )
            name = candidate_name(generation, number)
            candidate = Candidate(name, (number / 10,), recipe, generation, ("p0",))
            genes = {"weight.p0": number / 10}
            outcome = Outcome("ff", evaluation_of("search", generation * 3 + number))
            if (generation, number) == (1, 2):
                outcome = Outcome(None, None, ERROR)
            rows.append(Row.of(candidate, genes, outcome, weights=TASK_WEIGHTS))
    return [*rows, replace(rows[0], name=MEAN, generation=3, fitness=0.9)]


def selection_of(title_of_parent: str = "p0") -> Selection:
    """Return the selection of that run: a champion, two parents, a baseline and the base."""
    other, best = rows_of()[10:12]

    def entry(name: str, kind: EntryKind, right: int) -> TestedModel:
        """Return a model that got ``right`` of twenty items right."""
        digest = name.encode().hex()
        return TestedModel(name, kind, best.recipe.to_dict(), digest, evaluation_of("test", right))

    return Selection(
        champion=best.name,
        task_weights=TASK_WEIGHTS,
        shortlist=(
            Shortlisted(best.name, best.id, best.genes, 0.45, 0.5, 0.1, None, {"maths": 0.6}),
            Shortlisted(other.name, other.id, {"weight.p0": 0.2}, 0.4, None, None, None, {}),
        ),
        entries=(
            entry("base", "base", 0),
            entry(title_of_parent, "parent", 8),
            entry("p1", "parent", 4),
            entry("uniform", "baseline", 18),
            entry(best.name, "champion", 18),
        ),
        corrected_validation=0.48,
    )


def told(
    rows: Sequence[Row] | None = None,
    selection: Selection | None = None,
    *,
    answers: QuestionAnswers | None = None,
    is_raced: bool = False,
    confidence: float = 0.95,
    halves: tuple[Half, ...] = ("parameters",),
) -> Story:
    """Return the story of that run, or of other rows, another selection or its answers."""
    return story_of(
        rows_of() if rows is None else rows,
        selection or selection_of(),
        answers,
        confidence=confidence,
        is_raced=is_raced,
        seed=7,
        halves=halves,
    )


def entry_of(
    name: str, kind: EntryKind, *, lower_is_better: bool = False, **right: int
) -> TestedModel:
    """Return a model that got that many of twenty items of each task right.

    ``lower_is_better``: the metric counts what it got right as mistakes.
    """
    tasks, items = [], []
    for task, count in right.items():
        mean = count / 20
        stderr = (mean * (1 - mean) / 19) ** 0.5
        tasks.append(TaskScore(task, "acc", mean, stderr, 20, not lower_is_better))
        items += [ItemScore(task, f"i{i}", float(i < count)) for i in range(20)]
    evaluation = Evaluation("test", tuple(tasks), tuple(items))
    return TestedModel(name, kind, {}, name.encode().hex(), evaluation)


def selection_with(*entries: TestedModel) -> Selection:
    """Return the selection of that run with other models on the test split, "it" the champion."""
    shortlist = (Shortlisted("it", "01" * 32, {}, 0.4, 0.4, 0.1, None, {}),)
    tasks = entries[0].evaluation.tasks
    weights = {score.task: 1.0 for score in tasks}
    return replace(
        selection_of(), champion="it", task_weights=weights, shortlist=shortlist, entries=entries
    )


def raced_rows(*fitnesses: float) -> list[Row]:
    """Return generations of a winner each, with a candidate that stopped early and scored 1.0."""
    rows = rows_of()
    winners = [
        replace(rows[4 * i], name=f"g0{i}-c00", fitness=fitness, fitness_stderr=0.1 * (i + 1))
        for i, fitness in enumerate(fitnesses)
    ]
    few = {"search": {task: {**s, "num_items": 5} for task, s in rows[0].scores["search"].items()}}
    stopped = [
        replace(row, name=row.name.replace("c00", "c01"), fitness=1.0, scores=few)
        for row in winners
    ]
    return [*winners, *stopped, replace(rows[-1], fitness=0.9)]


@pytest.fixture
def finished(tmp_path: Path) -> Callable[[], tuple[Path, Path]]:
    """Write the run to disk and return the paths of lineage and selection."""

    def write() -> tuple[Path, Path]:
        lineage, selection = tmp_path / "genomes.jsonl", tmp_path / "selection.json"
        write_rows(lineage, rows_of())
        selection_of("<script>alert('name')</script>").write(selection)
        return lineage, selection

    return write
