"""Which model of a run a word means."""

from dataclasses import replace
from pathlib import Path

import pytest

from flows.publishing.run_model import run_model
from stages.errors import LineageError
from stages.lineage.rows import read_rows, write_rows
from tests.flows.inspection.small_run import CHAMPION, write_run


def test_a_champion_of_another_run_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Candidates of two runs have the same names: the selection says which recipe it chose."""
    write_run(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert CHAMPION == run_model("champion").name
    path = Path("data/selection/genomes.jsonl")
    rows = read_rows(path)
    other = next(row for row in rows if row.name != CHAMPION and row.weights_hash is not None)
    write_rows(path, [replace(other, name=CHAMPION) if r.name == CHAMPION else r for r in rows])
    for word in ("champion", other.name):
        with pytest.raises(LineageError, match=r"its champion .* They are of two runs"):
            run_model(word)


def test_a_lineage_that_is_damaged_or_of_another_search_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The selection has the rows too, but may be of an earlier search than data/lineage."""
    write_run(tmp_path)
    monkeypatch.chdir(tmp_path)
    path = Path("data/lineage/genomes.jsonl")
    rows = read_rows(path)
    write_rows(path, rows[:-1])
    for word in ("champion", CHAMPION):
        with pytest.raises(LineageError, match=r"another search than data/lineage.*`dvc repro`"):
            run_model(word)
    path.write_text(path.read_text(encoding="utf-8")[:-9], encoding="utf-8")
    for word in ("champion", CHAMPION):
        with pytest.raises(LineageError, match=r"data/lineage/genomes\.jsonl, line"):
            run_model(word)
    path.unlink()
    with pytest.raises(LineageError, match=r"data/lineage/genomes\.jsonl: no such file"):
        run_model(CHAMPION)
