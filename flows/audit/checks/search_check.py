"""Search: are the rows exactly what the strategy proposes, when it is told what was recorded?"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from flows.audit.check_verdict import Difference, Verdict, differences_in
from flows.audit.recorded_run import RecordedRun
from flows.pipeline.evolve import select
from flows.pipeline.search.search_steps import generations, score_centre
from flows.pipeline.search_state import Evolution
from flows.prefect_runtime.console import SearchProgress
from stages.errors import LineageError
from stages.lineage.records.ending import Ending
from stages.lineage.rows import LINEAGE, Row

MOST_ROWS = 5  # that differ and are named
# In the order in which one follows from the other: the first that differs is the cause.
_FIRST = ("name", "generation", "ancestors", "genes", "id", "recipe", "weights_hash", "scores")
_NEWER = ("seed", "environment")  # which rows of the first version do not have


def check(run: RecordedRun) -> Verdict:
    """Run the search again with the recorded outcomes, and compare row by row."""
    select_params, evolution = run.params.select, Evolution(run.session)
    ended, ending = None, None
    with SearchProgress(0, "", is_quiet=True) as progress:
        try:
            for _ in generations(evolution, select.fn, progress):
                pass
            ending = evolution.ending
            score_centre(evolution, progress)
        except LineageError as error:  # the strategy asks for what was never evaluated
            ended = str(error)
    differing = list(_rows(run.rows, evolution.rows, is_whole=ended is None))
    differences = [d for row in differing[:MOST_ROWS] for d in row]
    recorded_ending = Ending.read(LINEAGE)
    if ended is None and recorded_ending != ending:
        where = "why the search ended"
        differences.append(Difference(where, _in_words(recorded_ending), _in_words(ending)))
    if ended is not None:
        differences.append(Difference("the replay ends early", "an evaluation", ended))
    unchecked = []
    if len(differing) > MOST_ROWS:
        unchecked.append(f"{len(differing) - MOST_ROWS} more rows differ from the replay")
    if ended is not None:
        unchecked.append(f"rows after {len(evolution.rows)}: the replay ended there")
    return Verdict(
        "search",
        f"{len(run.rows)} rows by {select_params.optimizer}, seed {select_params.seed}, "
        "asked and told again: genomes, ancestors, fitness",
        tuple(differences),
        tuple(unchecked),
    )


def _in_words(ending: Ending | None) -> str:
    return "after its last generation" if ending is None else str(ending)


def _rows(
    recorded: Sequence[Row], replayed: Sequence[Row], *, is_whole: bool
) -> Iterator[list[Difference]]:
    """Yield the differences of each row that differs: no more than its first few."""
    mine, proposed = ({row.name: row for row in rows} for rows in (recorded, replayed))
    for name in proposed:
        if name not in mine:
            yield [Difference(name, "no row", "proposed by the search")]
    for name, row in mine.items():
        if name in proposed:
            differences = list(islice(_row(row, proposed[name]), 2))
            if differences:
                yield differences
        elif is_whole:
            yield [Difference(name, "a row", "not proposed by the search")]
    yield from _order([n for n in mine if n in proposed], [n for n in proposed if n in mine])


def _order(recorded: Sequence[str], replayed: Sequence[str]) -> Iterator[list[Difference]]:
    """Yield the first row that does not come where the search proposed it."""
    pairs = zip(recorded, replayed, strict=True)
    for one, other in pairs:
        if one != other:
            yield [
                Difference("the order of the rows", f"{one} first", f"{other} is proposed first")
            ]
            return


def _row(recorded: Row, replayed: Row) -> Iterator[Difference]:
    """Yield the differences of two rows, the cause first."""
    one, other = (_columns(row) for row in (recorded, replayed))
    for key in dict.fromkeys((*_FIRST, *one, *other)):
        if key in _NEWER and not one[key]:
            continue
        values = one.get(key), other.get(key)
        differences = list(differences_in(f"{recorded.name}, {key}", *values))
        yield from differences


def _columns(row: Row) -> Mapping[str, Any]:
    """Return the columns that a search decides; another check compares the libraries."""
    columns = row.to_dict()
    return {k: v for k, v in columns.items() if k not in ("schema", "environment")}
