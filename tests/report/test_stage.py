"""The report stage, from lineage and selection on disk to bytes on disk."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
import pytest

from stages.errors import LineageError
from stages.lineage.rows import Row, write_rows
from stages.lineage.selection import Selection
from stages.params.load import ReportParams
from stages.report import stage
from stages.report.history import fitness_svg, history_frame
from stages.report.summary import metrics
from tests.report.conftest import rows_of, selection_of

Finished = Callable[[], tuple[Path, Path]]
TITLE = "<script>alert('title')</script> & co"


@pytest.fixture
def reports(finished: Finished, tmp_path: Path) -> Path:
    """Run the stage once and return its folder."""
    out = tmp_path / "reports"
    stage.run(*finished(), ReportParams(title=TITLE), out, is_raced=False)
    return out


def test_stage_writes_its_outputs_and_nothing_else(reports: Path) -> None:
    """The folder holds the files that dvc.yaml declares."""
    assert sorted(stage.OUTPUTS) == sorted(path.name for path in reports.iterdir())


def test_two_runs_give_equal_bytes(reports: Path, finished: Finished, tmp_path: Path) -> None:
    """Another process, with other hash seeds, writes the same bytes."""
    code = (
        "import sys; from pathlib import Path; from stages.params.load import ReportParams; "
        "from stages.report import stage; "
        "stage.run(*map(Path, sys.argv[1:3]), ReportParams(title=sys.argv[4]), Path(sys.argv[3]), "
        "is_raced=False)"
    )
    paths = [str(path) for path in (*finished(), tmp_path / "again")]
    done = subprocess.run(
        [sys.executable, "-c", code, *paths, TITLE],
        env={**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("", "") == (done.stdout, done.stderr)
    for name in stage.OUTPUTS:
        assert (reports / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_outputs_name_no_place_and_no_tool(reports: Path, tmp_path: Path) -> None:
    """No output holds a path of this machine."""
    for name in stage.OUTPUTS:
        assert str(tmp_path).encode() not in (reports / name).read_bytes()


def test_page_escapes_what_comes_from_outside(reports: Path) -> None:
    """A script in a title, a model's name or an error is text on the page."""
    page = (reports / "index.html").read_text()
    assert "<script" not in page
    for text in ("title", "name", "error"):
        assert f"&lt;script&gt;alert(&#39;{text}&#39;)" in page
    assert not any(mark in page for mark in ("<link", "<a ", "<img", "src=", "url(http"))


def test_page_holds_what_a_reader_needs(reports: Path) -> None:
    """Headline, models, figure, genes, failures and the hashes to rebuild from."""
    page = (reports / "index.html").read_text()
    assert "g02-c03 scores 0.900" in page
    assert 1 == page.count("<svg")
    assert "weight.p0" in page
    assert "g01-c02" in page
    assert rows_of()[11].id in page
    assert "13 candidates, 4 distinct recipes, 1 failed." in page


def test_page_shows_what_a_reader_of_the_scores_must_know(tmp_path: Path) -> None:
    """Cautions of the selection stand on the page, escaped, and nothing where there are none."""
    lineage, selection = tmp_path / "genomes.jsonl", tmp_path / "selection.json"
    write_rows(lineage, rows_of())
    for cautions, expected in (((), 0), (("Don't <search> on tests.",), 1)):
        replace(selection_of(), cautions=cautions).write(selection)
        assert cautions == Selection.read(selection).cautions
        stage.run(lineage, selection, ReportParams(), tmp_path / "out", is_raced=False)
        page = (tmp_path / "out/index.html").read_text()
        assert expected == page.count("Caution: Don&#39;t &lt;search&gt; on tests.")


def test_tables_agree(reports: Path) -> None:
    """CSV and Parquet hold the same lineage, one row for each candidate."""
    from_csv = pd.read_csv(reports / "lineage.csv")
    from_parquet = pd.read_parquet(reports / "lineage.parquet")
    assert 13 == len(from_csv)
    assert list(from_csv.columns) == list(from_parquet.columns)
    assert from_csv["fitness"].equals(from_parquet["fitness"])
    assert from_csv["name"].tolist() == from_parquet["name"].tolist()


def test_history_counts_failures_and_leaves_out_the_mean(reports: Path) -> None:
    """Three generations: best, mean and median of what was scored; the best so far never falls."""
    history = pd.read_csv(reports / "history.csv")
    assert [0, 1, 2] == history["generation"].tolist()
    assert [4, 3, 4] == history["num_ok"].tolist()
    assert [0, 1, 0] == history["num_failed"].tolist()
    assert [0.15, 0.3, 0.45] == history["best"].tolist()
    assert (3 + 4 + 6) / 60 == pytest.approx(history["mean"][1])
    assert [0.15, 0.3, 0.45] == history["best_so_far"].tolist()
    stderr = {row.name: row.fitness_stderr for row in rows_of()}
    assert [stderr[f"g0{i}-c03"] for i in range(3)] == pytest.approx(history["best_stderr"])


def raced_rows(*fitnesses: float) -> list[Row]:
    """Return generations of a winner each, with a candidate that stopped early and scored 1.0."""
    rows = rows_of()
    winners = [
        replace(rows[4 * i], name=f"g0{i}-c00", fitness=fitness, fitness_stderr=0.1 * (i + 1))
        for i, fitness in enumerate(fitnesses)
    ]
    few = {"search": {task: {**s, "num_items": 5} for task, s in rows[0].scores["search"].items()}}
    stopped = [
        replace(row, name=row.name.replace("c00", "c01"), fitness=1.0, scores=few)
        for row in winners
    ]
    return [*winners, *stopped, replace(rows[-1], fitness=0.9)]


def test_history_of_races_is_of_winners_alone() -> None:
    """A race has a winner and its error; races are on unlike items, so none is best so far."""
    history = history_frame(raced_rows(0.4, 0.6, 0.5), is_raced=True)
    assert [0.4, 0.6, 0.5] == history["best"].tolist()
    assert [0.1, 0.2, 0.3] == pytest.approx(history["best_stderr"])
    assert history["best_so_far"].isna().all()
    assert [2, 2, 2] == history["num_ok"].tolist()


def test_history_of_races_holds_a_generation_that_failed() -> None:
    """A race that nobody ended has no winner, in the table and in the picture."""
    rows = raced_rows(0.4, 0.6)
    failed = replace(rows[1], name="g01-c00", status="failed", fitness=None, fitness_stderr=None)
    rows = [rows[0], replace(failed, scores={}), rows[2], rows[4]]
    history = history_frame(rows, is_raced=True)
    assert 0.4 == history["best"][0]
    assert pd.isna(history["best"][1])
    assert "<svg" in fitness_svg(rows, history, is_raced=True)


def test_report_of_races_says_what_cannot_be_compared(tmp_path: Path) -> None:
    """Only the page of races says that items are unlike; its picture is another, and the same."""
    lineage, selection = tmp_path / "genomes.jsonl", tmp_path / "selection.json"
    write_rows(lineage, raced_rows(0.4, 0.6, 0.5))
    selection_of().write(selection)
    for name, is_raced in (("plain", False), ("raced", True), ("again", True)):
        stage.run(lineage, selection, ReportParams(), tmp_path / name, is_raced=is_raced)
    plain, raced, again = (
        [(tmp_path / name / file).read_text() for file in ("index.html", "fitness.svg")]
        for name in ("plain", "raced", "again")
    )
    assert raced == again
    assert plain[1] != raced[1]
    for said in ("a race on search items drawn anew", "items of each candidate's own"):
        assert (False, True) == (said in plain[0], said in raced[0])


def test_summary_is_paired_by_item(reports: Path) -> None:
    """The champion leads the parent by 10 of 20 items in each task, and ties the baseline."""
    summary = pd.read_csv(reports / "summary.csv").set_index("kind")
    assert ["champion", "parent", "parent", "baseline", "base"] == summary.index.tolist()
    first = summary.loc["parent"].iloc[0]
    assert 0.5 == pytest.approx(first["difference"])
    # per task the differences are ten 1 and ten 0: variance 5/19; shares 1/4 and 3/4
    stderr = (0.625 * 5 / 19 / 20) ** 0.5
    assert stderr == pytest.approx(first["difference_stderr"])
    assert 0.5 - 1.959964 * stderr == pytest.approx(first["difference_low"])
    assert (5 / 19 / 20) ** 0.5 == pytest.approx(first["maths.difference_stderr"])
    assert 0.0 == summary.loc["baseline"]["difference"]
    assert 1.0 == summary.loc["baseline"]["p_value"]
    assert pd.isna(summary.loc["champion"]["difference"])


def test_headline_says_what_can_be_told(reports: Path) -> None:
    """The champion beats the best parent and cannot be told from the tied baseline."""
    text = (reports / "summary.md").read_text()
    assert "it beats the best parent" in text
    assert "and cannot be told from the best baseline, uniform (+0.000" in text
    assert "| g02-c03 | champion | 0.900 ± " in text


def test_metrics_are_numbers() -> None:
    """``dvc metrics`` reads the champion's fitness and its gain over the best rivals."""
    found = metrics(selection_of())
    assert 0.9 == found["champion"]["test_fitness"]
    assert 0.5 == pytest.approx(found["best_parent"]["gain"])
    assert all(isinstance(v, float) for section in found.values() for v in section.values())


def test_figure_is_svg_without_a_date(reports: Path) -> None:
    """The picture parses as SVG and carries no date and no version."""
    text = (reports / "fitness.svg").read_text()
    assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314  our own output
    assert "<dc:date>" not in text
    assert "Matplotlib" not in text


def test_selection_survives_a_round_trip(tmp_path: Path) -> None:
    """What is read is what was written; a missing or damaged file says what to do."""
    path = tmp_path / "selection.json"
    with pytest.raises(LineageError, match="dvc repro select"):
        Selection.read(path)
    selection_of().write(path)
    assert selection_of() == Selection.read(path)
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "champion": "g09-c09"}))
    with pytest.raises(LineageError, match="champion is 'g09-c09'"):
        Selection.read(path)
