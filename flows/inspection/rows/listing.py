"""The rows that a person asks for, filtered and in order."""

from collections.abc import Sequence
from dataclasses import dataclass

from flows.inspection.rows.row_filter import condition_of, is_score, key_of, ordered
from flows.inspection.stored_lineage import StoredLineage
from stages.errors import LineageError
from stages.hashing import nearest
from stages.lineage.evaluation import SPLITS
from stages.lineage.rows import Row
from stages.lineage.table import record_of


@dataclass(frozen=True, slots=True)
class RowQuery:
    """Which rows, and in which order: every condition must hold; None and () ask for nothing.

    ``generations`` are the first and the last. ``sort`` is a column, a task, or a split and a
    task; scores come best first, all else from the least, rows without a value last.
    """

    sort: str = "fitness"
    reverse: bool = False
    tasks: tuple[str, ...] = ()
    generations: tuple[int, int] | None = None
    status: str | None = None
    methods: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    limit: int | None = None


def listed_rows(lineage: StoredLineage, query: RowQuery) -> list[Row]:
    """Return the rows of the lineage that a query asks for, in its order.

    Raises:
        LineageError: a column, a task, a method or a comparison is not one.
    """
    _check(lineage, query)
    records = [record_of(row) for row in lineage.rows]
    rows = dict(zip((str(record["name"]) for record in records), lineage.rows, strict=True))
    conditions = [condition_of(text, records) for text in query.where] if records else []
    key = key_of(query.sort, records) if records else ""
    kept = [
        record
        for record in records
        if all(condition.holds(record) for condition in conditions)
        and (query.status is None or record["status"] == query.status)
        and (not query.methods or record["method"] in query.methods)
        and (query.generations is None or _is_within(record["generation"], query.generations))
    ]
    lower = is_score(key) and _lower_is_better(lineage.rows, key)
    sorted_records = ordered(kept, key, reverse=query.reverse, lower_is_better=lower)
    return [rows[record["name"]] for record in sorted_records[: query.limit]]


def tasks_of(rows: Sequence[Row]) -> list[str]:
    """Return the names of the tasks that any row was scored on, sorted."""
    scores = (tasks for row in rows for tasks in row.scores.values())
    return sorted({task for tasks in scores for task in tasks})


def _check(lineage: StoredLineage, query: RowQuery) -> None:
    methods = sorted({row.recipe.method for row in lineage.rows})
    for option, words, legal in (
        ("--task", query.tasks, tasks_of(lineage.rows)),
        ("--method", query.methods, methods),
    ):
        for word in words:
            if lineage.rows and word not in legal:
                raise LineageError(
                    f"{option} {word}: not in {lineage.source}.{nearest(word, legal)} "
                    f"There: {', '.join(legal) or 'none'}."
                )


def _is_within(generation: int, bounds: tuple[int, int]) -> bool:
    return bounds[0] <= generation <= bounds[1]


def _lower_is_better(rows: Sequence[Row], key: str) -> bool:
    """Return whether the score in a column is better where it is lower."""
    for split in SPLITS:
        for row in rows:
            for task, scores in row.scores.get(split, {}).items():
                if key == f"{split}.{task}.score":
                    return not scores["higher_is_better"]
    return False
