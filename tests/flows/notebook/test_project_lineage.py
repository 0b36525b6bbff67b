"""``germline.load_lineage``: what it reads, what it answers, what it refuses."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import germline
from stages.hashing import canonical_json
from stages.lineage.outcome import Outcome
from stages.lineage.rows import Row, write_rows
from tests.report.conftest import evaluation_of, rows_of, selection_of

LINEAGE, SELECTION = Path("data/lineage"), Path("data/selection")


def _write_items(folder: Path, row: Row, split: str, right: int) -> None:
    """Write what the evolve stage keeps of one evaluation."""
    document = {**Outcome("ff", evaluation_of(split, right)).to_dict(), "recipe": row.id}
    path = folder / "items" / f"{row.name}-{split}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(canonical_json(document), encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project's folder with what evolve and select write there."""
    rows = rows_of()
    rows[5:] = [replace(row, ancestors=("g00-c01",)) for row in rows[5:]]
    rows[11] = replace(rows[11], ancestors=("g01-c01", "mean"))
    for folder in (LINEAGE, SELECTION):
        write_rows(tmp_path / folder / "genomes.jsonl", rows)
    _write_items(tmp_path / LINEAGE, rows[11], "search", 9)
    _write_items(tmp_path / SELECTION, rows[11], "test", 18)
    selection_of().write(tmp_path / SELECTION / "selection.json")
    return tmp_path


def test_a_project_gives_rows_champion_and_tables(project: Path) -> None:
    """The champion is the selection's, the table is that of the report, a row is found."""
    lineage = germline.load_lineage(project)
    champion = lineage.champion

    assert champion is not None
    assert champion == lineage.row("g02-c03")
    assert champion is lineage.rows[11]
    assert lineage.row(lineage.rows[3].id[:12]) is lineage.rows[3]
    assert len(lineage) == len(list(lineage)) == len(lineage.frame()) == 13
    assert {"gene.weight.p0", "search.french.score"} <= set(lineage.frame().columns)


def test_a_repr_says_which_candidate_is_the_champion(project: Path) -> None:
    """A name alone, such as mean, would not; and that there is none yet."""
    assert repr(germline.load_lineage(project)).endswith("; champion g02-c03)")
    assert repr(germline.load_lineage(project / LINEAGE)).endswith("; no champion yet)")


def test_ancestors_are_each_named_once_and_warm_starts_left_out(project: Path) -> None:
    """All candidates that one descends from, the nearest first."""
    lineage = germline.load_lineage(project)

    assert [row.name for row in lineage.ancestors("g02-c03")] == ["g01-c01", "mean", "g00-c01"]
    assert lineage.ancestors("g00-c01") == ()


def test_scores_of_items_are_those_of_all_splits(project: Path) -> None:
    """Each answer is there once, of candidates and of what else met the test split."""
    scores = germline.load_lineage(project).item_scores()
    sums = scores.groupby(["name", "split"]).score.sum().to_dict()

    assert list(scores.columns) == ["name", "kind", "split", "task", "item", "score"]
    assert sums["g02-c03", "search"] == 2 * 9
    assert sums["g02-c03", "test"] == 2 * 18
    assert sums["p1", "test"] == 2 * 4
    assert not scores.duplicated().any()
    assert set(scores.kind) == {"candidate", "parent", "base", "baseline"}


def test_a_folder_of_results_gives_what_it_holds(project: Path) -> None:
    """data/lineage has no champion, data/selection has one; the file itself is taken too."""
    searched = germline.load_lineage(project / LINEAGE)
    selection = germline.load_lineage(str(project / SELECTION / "genomes.jsonl"))

    assert searched.champion is None
    assert set(searched.item_scores().split) == {"search"}
    assert selection.champion is not None
    assert selection.stored.folder == project / SELECTION


def test_a_selection_of_an_earlier_search_is_left_alone(project: Path) -> None:
    """While a new search is not selected from, the lineage is that of the search."""
    write_rows(project / LINEAGE / "genomes.jsonl", rows_of()[:4])
    lineage = germline.load_lineage(project)

    assert len(lineage) == 4
    assert lineage.champion is None


def test_a_word_that_means_no_candidate_is_answered_with_the_nearest(project: Path) -> None:
    """A slip is told with what is nearest to it."""
    with pytest.raises(germline.LineageError, match=r"candidate G2_c3: .*Did you mean 'g02-c03'"):
        germline.load_lineage(project).ancestors("G2_c3")


def test_what_is_not_a_lineage_is_refused(project: Path, tmp_path: Path) -> None:
    """A folder without one, damaged scores, and files of two runs are each told apart."""
    with pytest.raises(germline.LineageError, match="nowhere: no such folder"):
        germline.load_lineage(tmp_path / "nowhere")
    damaged = project / LINEAGE / "items" / "damaged.json"
    damaged.write_text(json.dumps({"recipe": "00"}), encoding="utf-8")
    with pytest.raises(germline.LineageError, match=r"damaged\.json: not scores of items"):
        germline.load_lineage(project).item_scores()
    write_rows(project / SELECTION / "genomes.jsonl", rows_of()[:3])
    with pytest.raises(germline.LineageError, match="are of two runs"):
        germline.load_lineage(project / SELECTION)


def test_a_notebook_shows_the_fittest_and_escapes_names(project: Path) -> None:
    """The table has ten rows at most, and an error with HTML in it is text."""
    lineage = germline.load_lineage(project)
    shown = lineage._repr_html_() + lineage.row("g01-c02")._repr_html_()

    assert "champion g02-c03; the 10 fittest" in shown
    assert "&lt;script&gt;" in shown
    assert "<script>" not in shown
    assert "13 candidates" in repr(lineage)


def test_reading_a_lineage_leaves_the_environment_alone(project: Path) -> None:
    """It loads neither torch nor Prefect, and sets no environment variable."""
    code = (
        "import os, sys; before = dict(os.environ); import germline; "
        f"lineage = germline.load_lineage({str(project)!r}); lineage.frame(); "
        "assert before == dict(os.environ); assert not {'torch', 'prefect'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
