"""How far a run is: told from files that it writes, whole or torn, alive or killed."""

import json
import re
import socket
from pathlib import Path

import pytest

from flows.inspection.runs.journal import Journal
from flows.inspection.runs.run_holder import HOLDER, holder_of, holding
from flows.inspection.runs.run_log import JOURNAL, RUN_LOG, RunLog
from flows.inspection.runs.run_status import StageProgress, status_of
from flows.prefect_runtime.console import SearchProgress, only_run
from stages.errors import LineageError
from stages.lineage.rows import LINEAGE
from tests.flows.inspection.small_run import CHAMPION, rows_of_run, write_run


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a checkout of its own."""
    monkeypatch.chdir(tmp_path)


def begun(num_rows: int) -> RunLog:
    """Write the logs of a search of eight that has some rows in its journal, after another's."""
    rows, _ = rows_of_run()
    Journal(JOURNAL).add(rows[-1:])
    log = RunLog("evolve", 8)
    Journal(JOURNAL).add(rows[:num_rows])
    log._last -= 10
    log._begun -= 10
    log.candidates(num_rows)
    log.generation(rows[:num_rows], num_computed=2)
    return log


def progress_here() -> StageProgress:
    """Return the progress of the last stage."""
    progress = status_of(Path()).progress
    assert progress is not None
    return progress


def test_nothing_was_run_in_a_new_project() -> None:
    """Neither a log nor a lineage is there, which is not a fault."""
    status = status_of(Path())
    assert (None, None, None, None) == (
        status.holder,
        status.progress,
        status.lineage,
        status.page,
    )


def test_a_search_under_way_is_seen_with_its_best() -> None:
    """Rows of earlier searches in the same journal do not count."""
    begun(3)
    progress = progress_here()
    assert ("evolve", 3, 8, False) == (
        progress.stage,
        progress.done,
        progress.total,
        progress.has_ended,
    )
    assert ["g00-c00", "g00-c01", "g00-c02"] == [row.name for row in progress.rows]
    assert progress.best is not None
    assert ("g00-c01", 1) == (progress.best.name, progress.num_failed)
    assert {"maths": "g00-c01", "words": "g00-c01"} == {
        task: row.name for task, row in progress.best_by_task().items()
    }
    assert (2, 1) == (progress.computed, progress.looked_up)
    assert progress.seconds_left is not None


def test_a_line_that_is_being_written_is_left_alone() -> None:
    """It is neither read nor cut off."""
    begun(3)
    for path in (RUN_LOG, JOURNAL):
        whole = path.read_bytes()
        path.write_bytes(whole + b'{"half": ')
        assert 3 == len(progress_here().rows)
        assert whole + b'{"half": ' == path.read_bytes()


def test_a_damaged_log_is_named() -> None:
    """With what to do about it."""
    begun(3)
    RUN_LOG.write_text("[]\nx\n")
    with pytest.raises(LineageError, match=r"log.jsonl, line 2 .*not a record .* move it away"):
        status_of(Path())


def test_a_damaged_row_of_the_journal_is_named() -> None:
    """The journal is only a log, whose rows are read while a search runs."""
    begun(3)
    JOURNAL.write_bytes(re.sub(rb'"id":".', b'"id":"x', JOURNAL.read_bytes()))
    with pytest.raises(LineageError, match=r"line 1 after .*not a record \(id is 'x.*it must be"):
        status_of(Path())


def test_the_end_of_a_stage_is_logged() -> None:
    """By itself or by an error; of a killed one there is none."""
    with SearchProgress(8, "select") as progress:
        progress.advance(8)
    assert (8, True, None) == (
        (done := progress_here()).done,
        done.has_ended,
        done.stopped_by,
    )
    with SearchProgress(8, "evolve") as progress:
        progress.advance(7)  # as of a search without a centre
    assert (7, 7) == ((done := progress_here()).done, done.total)
    with pytest.raises(KeyboardInterrupt), SearchProgress(8, "evolve"):
        raise KeyboardInterrupt
    assert 8 == progress_here().total
    assert "KeyboardInterrupt" == progress_here().stopped_by


def test_times_and_hosts_are_in_the_log_alone() -> None:
    """What a run records holds neither."""
    begun(3)
    first = json.loads(RUN_LOG.read_text().splitlines()[0])
    assert (socket.gethostname(), "evolve") == (first["host"], first["stage"])
    assert {"time", "seconds", "process"} <= set(first)


def test_who_runs_is_seen_without_the_lock() -> None:
    """While the lock is held, and no longer."""
    assert holder_of(Path()) is None
    with only_run():
        holder = status_of(Path()).holder
        assert holder is not None
        assert holder.is_alive
    assert holder_of(Path()) is None
    assert not HOLDER.exists()


@pytest.mark.parametrize(
    ("changes", "is_seen"),
    [
        ({"process": 2**22 + 1}, False),  # above the highest number that Linux gives
        ({"begun": 1.0}, False),
        ({"host": "another"}, True),
    ],
)
def test_a_killed_run_is_seen_to_be_gone(changes: dict[str, object], is_seen: bool) -> None:
    """Its number may be another process's now; one of another machine may live."""
    with holding("evolve"):
        data = json.loads(HOLDER.read_text())
    HOLDER.write_text(json.dumps({**data, **changes}))
    assert is_seen == (holder_of(Path()) is not None)
    HOLDER.write_text("{")
    assert holder_of(Path()) is None


def test_a_whole_run_is_seen_with_its_champion(tmp_path: Path) -> None:
    """And with the page, where there is one."""
    write_run(tmp_path)
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/index.html").touch()
    status = status_of(tmp_path)
    assert status.lineage is not None
    assert status.lineage.selection is not None
    assert CHAMPION == status.lineage.selection.champion
    assert tmp_path / "reports/index.html" == status.page
    (tmp_path / LINEAGE / "genomes.jsonl").write_text("{\n")
    with pytest.raises(LineageError, match="line 1: not a row"):
        status_of(tmp_path)
