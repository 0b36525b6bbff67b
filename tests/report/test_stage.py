"""The report stage, from lineage and selection on disk to bytes on disk."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stages.errors import LineageError
from stages.lineage.rows import write_rows
from stages.lineage.selection import Selection
from stages.params.report_params import ReportParams
from stages.params.select_params import SelectParams
from stages.report import stage
from stages.report.dvc_metrics import metrics_of
from tests.report.conftest import rows_of, selection_of, told

Finished = Callable[[], tuple[Path, Path]]
SELECT = SelectParams(seed=7)
TITLE = "<script>alert('title')</script> & co"


@pytest.fixture
def reports(finished: Finished, tmp_path: Path) -> Path:
    """Run the stage once and return its folder."""
    out = tmp_path / "reports"
    stage.run(*finished(), ReportParams(title=TITLE), out, select=SELECT)
    return out


def test_tables_of_two_runs_are_not_mixed(finished: Finished, tmp_path: Path) -> None:
    """Candidates of two runs have the same names, and other ids; nothing is written then."""
    lineage, selection = finished()
    others = [replace(row, id="ff" * 32) if row.name == "g02-c02" else row for row in rows_of()]
    out = tmp_path / "reports"
    for rows in (others, rows_of()[:4]):
        write_rows(lineage, rows)
        with pytest.raises(LineageError, match=r"shortlist|champion g02-c03 .* are of two runs"):
            stage.run(lineage, selection, ReportParams(), out, select=SELECT)
    assert not out.exists()


def test_stage_writes_its_outputs_and_nothing_else(reports: Path) -> None:
    """The folder holds the files that dvc.yaml declares, all of one story."""
    assert sorted(stage.OUTPUTS) == sorted(path.name for path in reports.iterdir())
    assert metrics_of(told()) == json.loads((reports / "metrics.json").read_text())
    assert "g02-c03 scores 0.900" in (reports / "summary.md").read_text()
    assert "g02-c03 scores 0.900" in (reports / "index.html").read_text()


def test_two_runs_give_equal_bytes(reports: Path, finished: Finished, tmp_path: Path) -> None:
    """Another process, with other hash seeds, writes the same bytes."""
    code = (
        "import sys; from pathlib import Path; from stages.params.load import ReportParams; "
        "from stages.params.select_params import SelectParams; from stages.report import stage; "
        "stage.run(*map(Path, sys.argv[1:3]), ReportParams(title=sys.argv[4]), Path(sys.argv[3]), "
        "select=SelectParams(seed=7))"
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
    for name in stage.output_files(reports):
        assert (reports / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_outputs_name_no_place_and_no_tool(reports: Path, tmp_path: Path) -> None:
    """No output holds a path of this machine."""
    for name in stage.output_files(reports):
        assert str(tmp_path).encode() not in (reports / name).read_bytes()


def test_plots_of_an_earlier_run_go(reports: Path, finished: Finished) -> None:
    """The plot of a task that the search no longer has is not drawn with the others."""
    old = reports / stage.PLOTS / "tasks/gone.csv"
    old.touch()
    stage.run(*finished(), ReportParams(title=TITLE), reports, select=SELECT)
    assert not old.exists()
    assert Path("plots/shortlist.csv") in stage.output_files(reports)


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
