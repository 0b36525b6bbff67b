"""How far a run is, or how the last one ended: read from files, so that nothing disturbs it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from flows.inspection.row_scores import best_by_task
from flows.inspection.runs.page_so_far import PAGE_SO_FAR
from flows.inspection.runs.run_holder import RunHolder, runner_of
from flows.inspection.runs.run_log import JOURNAL, RUN_LOG
from flows.inspection.stored_lineage import StoredLineage, read_lineage
from stages.errors import LineageError
from stages.files import text_in
from stages.json_text import json_in
from stages.lineage.rows import LINEAGE, Row, finished

R = TypeVar("R")

PAGE = Path("reports/index.html")
_RECENT = 20  # records of candidates that tell the present speed


@dataclass(frozen=True, slots=True)
class StageProgress:
    """The last stage that scored candidates: from its records in the run log.

    ``stopped_by`` is the kind of error that ended it, where one did; ``has_ended`` is False for
    one that goes on or was killed. ``rows`` are those of its generations so far.
    """

    stage: str
    begun: str
    host: str
    seconds: float
    done: int
    total: int
    has_ended: bool
    stopped_by: str | None
    seconds_left: float | None
    computed: int | None
    looked_up: int | None
    rows: tuple[Row, ...]

    @property
    def best(self) -> Row | None:
        """The best row that answered all items of its generation, in the latest such race."""
        rows = finished(self.rows)
        return max(rows, key=lambda row: row.fitness or 0.0, default=None)

    @property
    def num_failed(self) -> int:
        """How many candidates failed so far."""
        return sum(row.fitness is None for row in self.rows)

    def best_by_task(self) -> dict[str, Row]:
        """Return the row with the best score on each task."""
        return best_by_task(self.rows)


@dataclass(frozen=True, slots=True)
class RunStatus:
    """What happens in a project: ``holder`` runs there now, ``progress`` is of the last search.

    ``lineage`` is what the last whole search left, None where there is none. ``page`` is the
    one to look at, where there is one: that of the search so far while something runs.
    """

    folder: Path
    holder: RunHolder | None
    progress: StageProgress | None
    lineage: StoredLineage | None
    page: Path | None


def status_of(folder: Path) -> RunStatus:
    """Return what happens in the project at ``folder``.

    Raises:
        LineageError: a log or the lineage is damaged.
    """
    holder = runner_of(folder)
    has_lineage = (folder / LINEAGE / "genomes.jsonl").is_file()
    return RunStatus(
        folder,
        holder,
        _progress(folder),
        read_lineage(folder) if has_lineage else None,
        page_to_look_at(folder),
    )


def page_to_look_at(folder: Path) -> Path | None:
    """Return the project's page: that of the search so far while something runs."""
    is_running = runner_of(folder) is not None
    pages = (PAGE_SO_FAR, PAGE) if is_running else (PAGE, PAGE_SO_FAR)
    return next((folder / page for page in pages if (folder / page).is_file()), None)


def _progress(folder: Path) -> StageProgress | None:
    records = _records(folder / RUN_LOG, dict[str, Any])
    starts = [number for number, one in enumerate(records) if one["event"] == "begin"]
    if not starts:
        return None
    begin, *rest = records[starts[-1] :]
    counts = [(one["seconds"], one["done"]) for one in rest if one["event"] == "candidates"]
    generations = [one for one in rest if one["event"] == "generation"]
    end = next((one for one in rest if one["event"] == "end"), None)
    is_search = begin["stage"] == "evolve"
    rows = _records(folder / JOURNAL, Row.from_dict, begin["journal_bytes"]) if is_search else []
    done = counts[-1][1] if counts else 0
    is_whole = end is not None and end["stopped_by"] is None  # perhaps with fewer than expected
    last = generations[-1] if generations else {}
    return StageProgress(
        stage=begin["stage"],
        begun=begin["time"],
        host=begin["host"],
        seconds=rest[-1]["seconds"] if rest else 0.0,
        done=done,
        total=done if is_whole else begin["total"],
        has_ended=end is not None,
        stopped_by=end["stopped_by"] if end else None,
        seconds_left=_left(counts, begin["total"]),
        computed=last.get("computed"),
        looked_up=last.get("looked_up"),
        rows=tuple(rows),
    )


def _left(counts: Sequence[tuple[float, int]], total: int) -> float | None:
    """Return the seconds that the rest takes at the present speed; None where nobody knows."""
    recent = [(0.0, 0), *counts][-_RECENT:]
    (first_s, first), (last_s, last) = recent[0], recent[-1]
    if last <= first or last_s <= first_s:
        return None
    return (total - last) * (last_s - first_s) / (last - first)


def _records(path: Path, read: Callable[[Any], R], offset: int = 0) -> list[R]:
    """Return what ``read`` makes of the whole lines after ``offset``.

    A last line that is being written is left out.

    Raises:
        LineageError: a line is damaged.
    """
    if not path.is_file():
        return []
    with path.open("rb") as file:
        file.seek(offset)
        lines = file.read().split(b"\n")[:-1]
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(read(json_in(text_in(line))))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise LineageError(
                f"{path}, line {number} after byte {offset}: not a record ({error}). It is only a "
                "log: move it away."
            ) from error
    return records
