"""Search: are the rows exactly what the strategy proposes, when it is told what was recorded?"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, zip_longest
from typing import Any

from flows.audit.check_verdict import Difference, Verdict, differences_in
from flows.audit.recorded_run import RecordedRun
from flows.pipeline.evolve import generations, score_centre, select
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
            ending = evolution.ending()
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
    by_name = {row.name: row for row in replayed}
    for one, other in zip_longest(recorded, replayed if is_whole else replayed[: len(recorded)]):
        if one is None:
            yield [Difference(f"{other.name}", "no row", "proposed by the search")]
        elif one.name not in by_name:
            if is_whole:
                yield [Difference(f"{one.name}", "a row", "not proposed by the search")]
        else:
            differences = list(islice(_row(one, by_name[one.name]), 2))
            if differences:
                yield differences


def _row(recorded: Row, replayed: Row) -> Iterator[Difference]:
    """Yield the differences of two rows, the cause first."""
    one, other = (_columns(row) for row in (recorded, replayed))
    for key in [*_FIRST, *(key for key in one if key not in _FIRST)]:
        if key in _NEWER and not one[key]:
            continue
        differences = list(differences_in(f"{recorded.name}, {key}", one[key], other[key]))
        yield from differences


def _columns(row: Row) -> Mapping[str, Any]:
    """Return the columns that a search decides; another check compares the libraries."""
    columns = row.to_dict()
    return {k: v for k, v in columns.items() if k not in ("schema", "environment")}
