"""The story of a run: all that the report says, as plain data that tests check.

Charts, tables and the page are made from it and add no number of their own. It holds numbers,
names and sentences, and knows neither pandas, HTML nor matplotlib.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stages.lineage.rows import Row
from stages.lineage.selection import EntryKind, Selection, Shortlisted
from stages.report.comparisons import (
    ModelFigures,
    Rival,
    TaskRival,
    best_of_kind,
    best_parents,
    models_compared,
)
from stages.report.search_course import (
    GenerationFigures,
    ItemCost,
    ScoredCandidate,
    cost_of,
    generations_of,
    scored_candidates,
)
from stages.report.verdict import headline

_RIVALS: tuple[EntryKind, ...] = ("parent", "baseline", "tuned", "reference")


@dataclass(frozen=True, slots=True)
class FailedCandidate:
    """A candidate that could not be merged or scored, and why."""

    name: str
    error: str


@dataclass(frozen=True, slots=True)
class ChampionStory:
    """What is needed to rebuild the champion, and what its earlier scores lead one to expect.

    ``expected_fitness`` is its validation fitness without the luck of having been the best of the
    shortlist on those very items.
    """

    name: str
    id: str
    weights_hash: str | None
    recipe: Mapping[str, Any]
    genes: tuple[tuple[str, float], ...]
    expected_fitness: float


@dataclass(frozen=True, slots=True)
class Story:
    """A finished run.

    ``models`` are all that met the test split, the champion first; ``rivals`` the best of each
    kind; ``task_rivals`` each task's best parent. ``is_raced``: each generation answered items of
    its own. ``num_pairs`` is what the p-values of the shortlist were multiplied by. ``lineage``
    is the record of every candidate, for the tables.
    """

    headline: str
    cautions: tuple[str, ...]
    seed: int
    tasks: tuple[str, ...]
    champion: ChampionStory
    models: tuple[ModelFigures, ...]
    rivals: tuple[Rival, ...]
    task_rivals: tuple[TaskRival, ...]
    shortlist: tuple[Shortlisted, ...]
    num_pairs: int
    is_raced: bool
    generations: tuple[GenerationFigures, ...]
    candidates: tuple[ScoredCandidate, ...]
    failed: tuple[FailedCandidate, ...]
    num_candidates: int
    num_recipes: int
    cost: ItemCost
    lineage: tuple[Row, ...]


def story_of(
    rows: Sequence[Row], selection: Selection, *, confidence: float, is_raced: bool, seed: int
) -> Story:
    """Return the story of a lineage and the selection that was made from it.

    ``confidence`` is that of the intervals, and decides what counts as a win or a loss.
    """
    num_recipes = len({row.id for row in rows})
    winner, *others = models_compared(selection, confidence)
    models = (replace(winner, num_evaluations=num_recipes), *others)
    rivals = _rivals(models, confidence)
    task_rivals = best_parents(models, confidence)
    num_validated = sum(item.validation_fitness is not None for item in selection.shortlist)
    return Story(
        headline=headline(models[0], rivals, task_rivals),
        cautions=selection.cautions,
        seed=seed,
        tasks=tuple(figures.task for figures in models[0].tasks),
        champion=_champion(selection),
        models=models,
        rivals=rivals,
        task_rivals=task_rivals,
        shortlist=selection.shortlist,
        num_pairs=math.comb(num_validated, 2),
        is_raced=is_raced,
        generations=generations_of(rows, is_raced=is_raced),
        candidates=scored_candidates(rows),
        failed=_failed(rows),
        num_candidates=len(rows),
        num_recipes=num_recipes,
        cost=cost_of(rows, selection),
        lineage=tuple(rows),
    )


def _rivals(models: tuple[ModelFigures, ...], confidence: float) -> tuple[Rival, ...]:
    """Return the best of each kind, and the base where the champion does not beat it."""
    rivals = [best_of_kind(models, kind, confidence) for kind in _RIVALS]
    base = best_of_kind(models, "base", confidence)
    if base is not None and base.lead.outcome != "win":
        rivals.append(base)
    return tuple(rival for rival in rivals if rival is not None)


def _failed(rows: Sequence[Row]) -> tuple[FailedCandidate, ...]:
    failed = [row for row in rows if row.status == "failed"]
    return tuple(FailedCandidate(row.name, row.error or "") for row in failed)


def _champion(selection: Selection) -> ChampionStory:
    return ChampionStory(
        name=selection.champion,
        id=selection.chosen.id,
        weights_hash=selection.winner.weights_hash,
        recipe=selection.winner.recipe or {},
        genes=tuple(sorted(selection.chosen.genes.items())),
        expected_fitness=selection.corrected_validation,
    )
