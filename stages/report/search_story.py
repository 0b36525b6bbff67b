"""The search of a run, finished or under way: all that the report says of it, as plain data."""

from collections.abc import Sequence
from dataclasses import dataclass

from stages.lineage.rows import MEAN, Row, finished
from stages.report.candidates.gene_effects import GeneEffect, gene_effects
from stages.report.candidates.layer_sources import layers_named
from stages.report.candidates.scan_story import ScanStory, scan_story
from stages.report.candidates.tradeoffs import unbeaten
from stages.report.search_course import GenerationFigures, generations_of


@dataclass(frozen=True, slots=True)
class FailedCandidate:
    """A candidate that could not be merged or scored, and why."""

    name: str
    error: str


@dataclass(frozen=True, slots=True)
class SearchStory:
    """What a search has tried so far, its ``scan`` before the first generation included.

    ``tasks`` are those of the search items. ``is_raced``: each generation answered items
    of its own. ``ended`` are the candidates that answered as much as any: the only ones whose
    fitness may be compared, if not raced. ``unbeaten`` are those of them that no other beats in
    every task; none where races or a single task leave nothing to compare. ``costs`` are what
    children cost where that is an objective, which then counts as a task does. ``num_layers`` is
    how many layers the recipes tell apart. ``lineage`` is the record of every candidate.
    """

    tasks: tuple[str, ...]
    is_raced: bool
    scan: ScanStory
    generations: tuple[GenerationFigures, ...]
    failed: tuple[FailedCandidate, ...]
    num_candidates: int
    num_recipes: int
    num_items: int
    num_layers: int
    ended: frozenset[str]
    gene_effects: tuple[GeneEffect, ...]
    unbeaten: tuple[str, ...]
    lineage: tuple[Row, ...]
    costs: tuple[str, ...] = ()

    @property
    def has_mean(self) -> bool:
        """Whether the centre on which the search settled is a candidate of its own."""
        return any(row.name == MEAN for row in self.lineage)


def search_story(rows: Sequence[Row], *, is_raced: bool, order: Sequence[str] = ()) -> SearchStory:
    """Return the story of the search that gave ``rows``; there may be none yet.

    Tasks are in ``order``, those that it does not have by name.
    """
    ended = finished(rows)
    names = sorted({task for row in rows for task in row.scores.get("search", {})})
    tasks = tuple(sorted(names, key=[*order, *names].index))
    costs = tuple(sorted({unit for row in rows for unit in row.child_cost}))
    compared = [] if is_raced else [row for row in ended if row.name != MEAN]
    return SearchStory(
        tasks=tasks,
        is_raced=is_raced,
        scan=scan_story(rows),
        generations=generations_of(rows, is_raced=is_raced),
        failed=tuple(
            FailedCandidate(row.name, row.error or "") for row in rows if row.status == "failed"
        ),
        num_candidates=len(rows),
        num_recipes=len({row.id for row in rows}),
        num_items=sum(row.num_items for row in rows),
        num_layers=layers_named([row.recipe for row in rows]),
        ended=frozenset(row.name for row in ended),
        gene_effects=gene_effects(compared),
        unbeaten=unbeaten(compared) if len(tasks) + len(costs) > 1 else (),
        lineage=tuple(rows),
        costs=costs,
    )
