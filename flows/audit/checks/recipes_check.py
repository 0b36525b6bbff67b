"""Recipes: is every id the hash of its recipe, wherever the run names one?"""

from collections.abc import Iterator

from flows.audit.check_verdict import Difference, Verdict
from flows.audit.recorded_run import RecordedRun
from stages.lineage.rows import Row


def check(run: RecordedRun) -> Verdict:
    """Hash every recipe of the lineage and the selection again."""
    rows = {row.name: row for row in run.rows}
    differences = [d for row in run.rows for d in _row(row)]
    searched = [row for rows in run.half_rows.values() for row in rows]
    differences += [d for row in searched for d in _row(row)]
    differences += [d for row in run.later_rows for d in _later(row, rows)]
    for item in run.selection.shortlist:
        listed = rows.get(item.name)
        if listed is None or listed.id != item.id:
            now = listed.id if listed is not None else "no such candidate"
            differences.append(Difference(f"shortlist, {item.name}, id", item.id, now))
    known = {*run.recipes}
    for document in run.outcomes.all:
        if document.recipe is not None and document.recipe not in known:
            now = "no recipe of the run has this id"
            differences.append(Difference(str(document.path), document.recipe, now))
    num_rows = len(run.rows) + len(searched)
    return Verdict(
        "recipes",
        f"the ids of {num_rows} candidates and {len(run.outcomes.all)} evaluations",
        tuple(differences),
    )


def _row(row: Row) -> Iterator[Difference]:
    now = row.recipe.id
    if row.id != now:
        yield Difference(f"{row.name}, id", row.id, f"{now} is the hash of its recipe")
    parents = {parent.name: parent.id for parent in row.recipe.merged}
    if dict(row.parents) != parents:
        yield Difference(f"{row.name}, parents", str(dict(row.parents)), str(parents))


def _later(row: Row, rows: dict[str, Row]) -> Iterator[Difference]:
    """Yield where the selection's lineage and the search's do not speak of the same recipe."""
    if row.name not in rows or rows[row.name].id != row.id:
        now = rows[row.name].id if row.name in rows else "no such row"
        yield Difference(f"{row.name} in data/selection, id", row.id, f"{now} in data/lineage")
