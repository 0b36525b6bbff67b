"""The course of the search, generation by generation, and what it cost: plain data."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from stages.lineage.rows import MEAN, Row, finished
from stages.lineage.selection import Selection


@dataclass(frozen=True, slots=True)
class GenerationFigures:
    """The fitness of one generation; None where nothing was scored.

    ``best_stderr`` is the standard error of the best candidate's fitness over items.
    """

    generation: int
    best: float | None
    best_stderr: float | None
    mean: float | None
    median: float | None
    best_so_far: float | None
    num_ok: int
    num_failed: int


@dataclass(frozen=True, slots=True)
class ItemCost:
    """How many items were asked for on each split.

    A candidate whose recipe had been scored before counts again, although its answers came from
    the cache: the count says what the search asked for, whatever was cached.
    """

    search: int
    validation: int
    test: int


def generations_of(rows: Sequence[Row], *, is_raced: bool) -> tuple[GenerationFigures, ...]:
    """Return the figures of each generation; the row of the search's mean belongs to none.

    ``is_raced``: each generation was a race on items of its own. Its best is then the best of
    those that answered all of them, and there is no best so far: it would compare unlike items.
    """
    rows = [row for row in rows if row.name != MEAN]
    figures: list[GenerationFigures] = []
    ends = {row.name for row in finished(rows)}
    so_far: float | None = None
    for generation in sorted({row.generation for row in rows}):
        members = [row for row in rows if row.generation == generation]
        scored = [row.fitness for row in members if row.fitness is not None]
        last = [row for row in members if row.name in ends]
        best = max(last, key=lambda row: row.fitness or 0.0, default=None)
        top = best.fitness if best else None
        if not is_raced:
            so_far = max((f for f in (so_far, top) if f is not None), default=None)
        figures.append(
            GenerationFigures(
                generation=generation,
                best=top,
                best_stderr=best.fitness_stderr if best else None,
                mean=fmean(scored) if scored else None,
                median=median(scored) if scored else None,
                best_so_far=so_far,
                num_ok=len(scored),
                num_failed=len(members) - len(scored),
            )
        )
    return tuple(figures)


def cost_of(rows: Sequence[Row], selection: Selection) -> ItemCost:
    """Return the items of the search (its mean too), of the shortlist and of the tested models."""
    validation = (row.scores.get("validation", {}) for row in rows)
    return ItemCost(
        search=sum(row.num_items for row in rows),
        validation=sum(
            int(task["num_items"]) for scores in validation for task in scores.values()
        ),
        test=sum(t.num_items for entry in selection.entries for t in entry.evaluation.tasks),
    )


@dataclass(frozen=True, slots=True)
class TaskStep:
    """One task in one generation: the score of its fittest candidate, and the mean of all."""

    task: str
    generation: int
    fittest: float
    mean: float


def task_course(rows: Sequence[Row]) -> tuple[TaskStep, ...]:
    """Return each task's search scores, generation by generation; the search's mean is in none.

    A generation in which nothing was scored, or no race was run to its end, has none.
    """
    rows = [row for row in rows if row.name != MEAN and row.fitness is not None]
    ends = {row.name for row in finished(rows)}
    steps = []
    for generation in sorted({row.generation for row in rows}):
        members = [row for row in rows if row.generation == generation]
        last = [row for row in members if row.name in ends]
        if last:
            fittest = max(last, key=lambda row: row.fitness or 0.0)
            for task in sorted(fittest.scores["search"]):
                scores = [row.scores["search"][task]["score"] for row in members]
                best = fittest.scores["search"][task]["score"]
                steps.append(TaskStep(task, generation, best, fmean(scores)))
    return tuple(steps)
