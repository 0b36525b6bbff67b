"""The journal of a run, held to what a crash leaves behind."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flows.inspection.runs.journal import Journal
from stages.errors import LineageError
from stages.lineage.rows import Row
from tests.flows.inspection.small_run import rows_of_run


def test_journal_keeps_whole_records_of_a_torn_file(tmp_path: Path) -> None:
    """A record torn by a crash is dropped, and the next one starts on a line of its own."""
    path = tmp_path / "journal.jsonl"
    Journal(path).append({"name": "g00-c00"})
    with path.open("a") as file:
        file.write('{"name": "g00-')
    assert [{"name": "g00-c00"}] == Journal(path).read()
    Journal(path).append({"name": "g00-c02"})
    assert [{"name": "g00-c00"}, {"name": "g00-c02"}] == Journal(path).read()


def test_journal_records_rows(tmp_path: Path) -> None:
    """A row in the journal is the row of the lineage."""
    rows, _ = rows_of_run()
    journal = Journal(tmp_path / "journal.jsonl")
    journal.add(rows)
    assert rows == [Row.from_dict(record) for record in journal.read()]


def test_journal_takes_records_from_threads(tmp_path: Path) -> None:
    """Records of parallel evaluations are whole lines."""
    journal = Journal(tmp_path / "run" / "journal.jsonl")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: journal.append({"i": i, "pad": "x" * 5000}), range(64)))
    assert set(range(64)) == {record["i"] for record in journal.read()}


def test_journal_reports_damage_before_its_end(tmp_path: Path) -> None:
    """A damaged line that is not the last is not a torn append."""
    path = tmp_path / "journal.jsonl"
    path.write_text('{"a": 1}\n{"b"\n{"c": 2}\n')
    with pytest.raises(LineageError, match="line 2"):
        Journal(path).read()
    assert [] == Journal(tmp_path / "none").read()
