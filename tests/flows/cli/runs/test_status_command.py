"""``germline status`` as a person types it."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli.main import main
from flows.inspection.runs.journal import Journal
from flows.inspection.runs.run_holder import holding
from flows.inspection.runs.run_log import JOURNAL, RunLog
from tests.flows.inspection.small_run import rows_of_run, write_run


def said(*words: str, code: int = 0) -> str:
    """Return what the command prints; it must end with ``code``."""
    result = CliRunner().invoke(main, ["status", *words])
    assert code == result.exit_code, result.output
    return result.output


def test_status_says_what_happens_and_what_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing yet, a search under way, one that was killed, and a whole run; from any folder."""
    monkeypatch.chdir(tmp_path)
    assert "not in a project of germline" in said(code=1)
    for name in ("params.yaml", "dvc.yaml"):
        Path(name).touch()
    assert "no candidate was scored here yet.\nStart, or go on, with `dvc repro`." in said()
    assert json.loads(said("--json"))["progress"] is None
    with holding("evolve"):
        log = RunLog("evolve", 8)
        rows, _ = rows_of_run()
        Journal(JOURNAL).add(rows[:6])
        log._last -= 10
        log._begun -= 10
        log.candidates(6)
        text = said()
        assert f"evolve is running, process {os.getpid()}" in text
        assert "6 of 8 candidates scored, generation 1 is whole, 1 failed" in text
        assert "best so far: g01-c01, fitness 0.8333 ± " in text
        assert "g00-c02 failed: ran out of time" in text
        assert "left in this stage" in text
        data = json.loads(said("--json"))
        assert ("evolve", 6, 1) == (
            data["running"],
            data["progress"]["done"],
            data["progress"]["failed"],
        )
        assert {"name": "g01-c02", "score": 1.0} == data["progress"]["best_by_task"]["words"]
    assert "was killed; the same command goes on from there" in said()
    log.__exit__(None)
    write_run(tmp_path)
    Path("reports/index.html").touch()
    elsewhere = said(str(tmp_path / "reports"))
    monkeypatch.chdir(tmp_path / "data")
    text = said()
    assert elsewhere == text
    assert "none: no such folder. Give the folder of a project" in said("none", code=1)
    assert "nothing is running; evolve of " in text
    assert "champion g02-c01\n  search fitness 0.9167 ± 0.1572" in text
    assert f"page: {tmp_path}/reports/index.html" in text


def test_status_says_of_what_the_page_is_while_something_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the last run, of the search before, of this one so far; and asks for no second run."""
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path, is_selected=False)
    assert "no champion was chosen from it yet: `dvc repro`\n" in said()
    report, search = Path("reports/index.html"), Path("reports/runs/index.html")
    search.parent.mkdir(parents=True, exist_ok=True)
    report.touch()
    with holding("evolve"):
        assert f"page: {tmp_path / report} (of the last whole run)\n" in said()
        search.touch()
        log = RunLog("evolve", 8)
        assert f"page: {tmp_path / search} (of the search before)\n" in said()
        Journal(JOURNAL).add(rows_of_run()[0][:6])
        log.candidates(6)
        text = said()
        assert f"page: {tmp_path / search} (of the search so far)\n" in text
        assert "no champion was chosen from it yet\n" in text
    with holding("select"):
        text = said()
        assert f"page: {tmp_path / search} (of the search)\n" in text
        assert "select is running" in text
        assert "before it, evolve: " in text
    assert f"page: {tmp_path / report}\n" in said()
