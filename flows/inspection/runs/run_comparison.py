"""Which of two runs is better: champions on the items that both answered, cost, params."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flows.inspection.row_scores import SplitFigure, figures_of
from flows.inspection.rows.row_difference import (
    Pairs,
    SplitDifference,
    pairs_that_differ,
    split_difference,
)
from flows.inspection.runs.run_source import StoredRun
from stages.errors import LineageError
from stages.lineage.evaluation import SPLITS, Evaluation
from stages.lineage.paired_tests import Comparison, compare
from stages.lineage.rows import Row, finished
from stages.lineage.selection import EntryKind, Selection


@dataclass(frozen=True, slots=True)
class RunFigures:
    """The figures of one run; ``best`` is its champion, or the best of its search without one.

    The champion of a search in one half of the space is the tuned baseline that it gave.

    ``lead`` is the champion's over the best parent on the test split, ``tuned_lead`` that over the
    best tuned baseline, ``expected`` its validation fitness without the luck of having been chosen
    on it. ``items`` were asked for, by split.
    """

    name: str
    best: Row
    is_champion: bool
    figures: Mapping[str, SplitFigure]
    lead: Comparison | None
    tuned_lead: Comparison | None
    expected: float | None
    num_candidates: int
    num_failed: int
    items: Mapping[str, int]
    seed: int | None


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Two runs; ``splits`` are of their champions, the first less the second.

    ``params`` are (first, second) by path, where they differ; None where one run has no params.
    ``weights`` are those of the tasks, where they differ; differences are by the first run's.
    """

    first: RunFigures
    second: RunFigures
    splits: tuple[SplitDifference, ...]
    params: Pairs | None
    weights: Pairs

    @property
    def is_empty(self) -> bool:
        """True where both have one champion with the same scores, from the same params."""
        same = self.first.best.id == self.second.best.id
        changes = any(split.gained or split.lost for split in self.splits)
        return same and not changes and not self.params


def compare_runs(first: StoredRun, second: StoredRun) -> RunComparison:
    """Return how two runs compare.

    Raises:
        LineageError: a run has no candidate that was scored, or the items behind a score are
            missing or of another run.
    """
    ours, others = _figures(first), _figures(second)
    weights = first.lineage.weights or second.lineage.weights
    splits = []
    for split in SPLITS:
        pair = [_evaluation(run, one, split) for run, one in ((first, ours), (second, others))]
        if pair[0] is not None and pair[1] is not None:
            splits.append(split_difference(pair[0], pair[1], weights))
    return RunComparison(
        ours,
        others,
        tuple(one for one in splits if one.num_shared),
        None
        if first.params is None or second.params is None
        else pairs_that_differ(first.params, second.params),
        pairs_that_differ(weights, second.lineage.weights or weights) if weights else {},
    )


def _figures(run: StoredRun) -> RunFigures:
    lineage = run.lineage
    selection = lineage.selection
    best = lineage.tested_row or max(
        finished(lineage.rows), key=lambda row: row.fitness or 0.0, default=None
    )
    if best is None:
        raise LineageError(
            f"run {run.name}: none of its {len(lineage.rows)} candidates was scored, so there is "
            "nothing to compare. Give another run."
        )
    return RunFigures(
        name=run.name,
        best=best,
        is_champion=lineage.tested_row is not None,
        figures=figures_of(best, lineage.weights),
        lead=_lead(selection, "parent"),
        tuned_lead=_lead(selection, "tuned"),
        expected=selection.corrected_validation if selection is not None else None,
        num_candidates=len(lineage.rows),
        num_failed=sum(row.fitness is None for row in lineage.rows),
        items=_items(lineage.rows, selection),
        seed=best.seed if best.seed is not None else _seed(run.params),
    )


def _lead(selection: Selection | None, kind: EntryKind) -> Comparison | None:
    """Return the champion's lead over the model of a kind that is best on the test split."""
    rivals = [] if selection is None else [one.evaluation for one in selection.of_kind(kind)]
    if selection is None or not rivals:
        return None
    best = max(rivals, key=lambda one: one.fitness(selection.task_weights))
    return compare(selection.winner.evaluation, best, selection.task_weights)


def _items(rows: tuple[Row, ...], selection: Selection | None) -> dict[str, int]:
    from stages.report.search_course import cost_of

    if selection is None:
        return {"search": sum(row.num_items for row in rows)}
    cost = cost_of(rows, selection)
    return {"search": cost.search, "validation": cost.validation, "test": cost.test}


def _seed(params: Mapping[str, Any] | None) -> int | None:
    """Return the seed in params, for a lineage of version 1."""
    return (params or {}).get("select.seed")


def _evaluation(run: StoredRun, figures: RunFigures, split: str) -> Evaluation | None:
    """Return the champion's items on a split; None where it has none, or only rows are there."""
    tested = run.lineage.tested
    if split == "test" and tested is not None:
        return tested.evaluation
    if split not in figures.best.scores:
        return None
    try:
        return run.lineage.evaluation(figures.best, split)
    except LineageError:
        if run.lineage.is_alone:
            return None
        raise
