"""The queries that docs/lineage.md prints run, and agree."""

import re
from pathlib import Path

import duckdb
import pytest

from stages.lineage.rows import LINEAGE, read_rows
from tests.flows.inspection.small_run import RIGHT, write_run

DOCUMENT = Path(__file__).parents[2] / "docs/lineage.md"


@pytest.fixture
def blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The language and the text of each block of the page; the working folder is a run's."""
    write_run(tmp_path)
    monkeypatch.chdir(tmp_path)
    text = DOCUMENT.read_text(encoding="utf-8")
    return re.findall(r"^```(python|sql)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_pandas_and_duckdb_find_the_same_best(
    blocks: list[tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of each generation; a failed candidate is in no one's way."""
    python = next(text for language, text in blocks if language == "python")
    scope: dict[str, object] = {}
    exec(python, scope)  # noqa: S102  # the documentation is what is tested
    printed = capsys.readouterr().out
    (query, items) = (text for language, text in blocks if language == "sql")
    table = duckdb.execute(query).fetchall()
    best = {0: "g00-c01", 1: "g01-c01", 2: "g02-c01"}
    assert best == {generation: name for generation, name, *_ in table}
    assert [16, 24, 16] == [num_items for *_, num_items in table]
    assert all(name in printed for name in best.values())
    scores = duckdb.execute(items).fetchall()
    rows = {row.id: row for row in read_rows(LINEAGE / "genomes.jsonl")}
    assert 2 * (len(RIGHT) - 1) == len(scores)
    for recipe, split, task, score, num_items in scores:
        assert (score, num_items) == (rows[recipe].scores[split][task]["score"], 4)
