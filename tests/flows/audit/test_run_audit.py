"""The audit of a whole run: equal where nothing was done to it, and what only evaluating finds."""

import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from flows.audit.audit_scope import AuditScope, recipes_in
from flows.audit.recorded_run import RecordedRun
from flows.audit.run_audit import Audit, audit_run
from flows.cli.main import main
from flows.pipeline.evolve import select
from flows.pipeline.final.final_choice import choose
from flows.pipeline.search.search_steps import generations, score_centre
from flows.pipeline.search_state import Evolution
from flows.prefect_runtime.console import SearchProgress
from stages.errors import LineageError
from stages.lineage.rows import write_rows
from stages.report.stage import LINEAGE, REPORTS, SELECTION, run
from tests.flows.audit.conftest import NoSteps, edit_document

EXPENSIVE = ("weights", "items")


def audit(*arguments: str, code: int) -> Result:
    """Return what ``germline audit`` says; it must end with ``code``."""
    result = CliRunner().invoke(main, ["audit", *arguments])
    assert code == result.exit_code, result.output
    return result


def test_untouched_run_is_equal_also_elsewhere(
    at_repeated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything is computed again, from any folder, without a cache or a log as after a clone."""
    for name in (".dvc/cache", "reports/runs", ".scratch"):
        shutil.rmtree(at_repeated / name)
    before = {p: p.stat().st_mtime_ns for p in sorted(at_repeated.glob("data/*/*"))}
    monkeypatch.chdir(at_repeated / "data")
    result = json.loads(audit("--all", "--json", code=0).stdout)
    assert result["agrees"]
    verdicts = {verdict["check"]: verdict for verdict in result["verdicts"]}
    assert {*verdicts} > {*EXPENSIVE}
    assert not any("not merged" in text for text in verdicts["items"]["unchecked"])
    assert "DVC's cache" in str(verdicts["files"]["unchecked"])
    assert result["then"] == {"libraries": result["now"]["libraries"], "machines": []}
    assert before == {p: p.stat().st_mtime_ns for p in sorted(at_repeated.glob("data/*/*"))}


def test_only_evaluating_again_finds_a_forger_who_adds_up(at_repeated: Path) -> None:
    """Scores, rows, selection and report all agree with one forged item; its answer does not."""
    (at_repeated / "dvc.lock").unlink()
    name, item = forge()
    result = audit_run(AuditScope((name,)), NoSteps())
    differing = [verdict for verdict in result.verdicts if not verdict.agrees]
    assert [verdict.check for verdict in differing if verdict.check != "files"] == ["items"]
    assert item in str(differing[-1].differences[0])
    assert f"{name} on search" in str(differing[-1].differences[0])


def forge() -> tuple[str, str]:
    """Forge the score of one item and all that follows from it; return candidate and item.

    The strategy must go on to ask for candidates that were evaluated, so that nobody wonders.
    """
    for path, number in _items():
        before = path.read_text(encoding="utf-8")
        edit_document(path, partial(_raise, number=number))
        recorded = RecordedRun()
        evolution = Evolution(recorded.session)
        try:
            with SearchProgress(0, "", is_quiet=True) as progress:
                list(generations(evolution, select.fn, progress))
                score_centre(evolution, progress)
            choice = choose(recorded.session, evolution.rows, lambda: ())
        except LineageError:
            path.unlink()
            path.write_text(before, encoding="utf-8")
            continue
        document = json.loads(path.read_text(encoding="utf-8"))
        write_rows(Path("data/lineage/genomes.jsonl"), evolution.rows)
        write_rows(LINEAGE, choice.rows)
        choice.selection.write(SELECTION)
        run(LINEAGE, SELECTION, recorded.params.report, REPORTS, select=recorded.params.select)
        return recorded.names(document["recipe"]), document["evaluation"]["items"][number][1]
    raise AssertionError("no item can be forged")


def _items() -> Iterator[tuple[Path, int]]:
    """Yield each item of the search's evaluations that was answered wrongly."""
    for path in sorted(Path("data/lineage/items").glob("*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        for number, (_, _, score) in enumerate(data["evaluation"]["items"]):
            if score == 0.0:
                yield path, number


def _raise(data: Any, number: int) -> None:
    evaluation = data["evaluation"]
    evaluation["items"][number][2] = 1.0
    for task in evaluation["tasks"]:
        values = [score for name, _, score in evaluation["items"] if name == task["task"]]
        mean = sum(values) / len(values)
        spread = sum((value - mean) ** 2 for value in values) / max(len(values) - 1, 1)
        task |= {"score": mean, "stderr": (spread / len(values)) ** 0.5}


def test_sample_is_seeded_and_says_which(at_repeated: Path) -> None:
    """Equal seeds draw the same candidates; a damaged parent spares the expensive checks."""
    del at_repeated
    recorded = RecordedRun()
    one, same, other = (
        recipes_in(recorded, AuditScope(sample=3, seed=seed)) for seed in (1, 1, 2)
    )
    assert one == same
    assert one.ids != other.ids
    assert recorded.selection.chosen.id in one.ids
    assert all(recorded.names(recipe_id) in one.text for recipe_id in one.ids)


def test_missing_files_are_differences_and_said_once(at_repeated: Path) -> None:
    """What needs a file that is gone was not checked; exit 1; a slip of an ID is an error."""
    (at_repeated / "data/selection/selection.json").unlink()
    result: Audit = audit_run(AuditScope(sample=0), NoSteps())
    differing = [v.check for v in result.verdicts if not v.agrees]
    assert "selection.json: no such file" in str(result.verdicts)
    assert {"files", "recipes"} <= set(differing)
    assert "choice" not in differing  # it is the same reason
    assert "first repair" in str(result.verdicts[-1].unchecked)
    said = audit("--sample", "0", code=1)
    assert "DIFFERS: " in said.output
    usage = CliRunner().invoke(main, ["audit", "--all", "--sample", "2"])
    assert "only one of them" in usage.output
    assert 2 == usage.exit_code


def test_slip_of_a_name_is_told(at_repeated: Path) -> None:
    """An ID that names no model of the run is an error with the nearest."""
    del at_repeated
    assert "Did you mean 'g00-c01'" in audit("g0-c1", code=1).output
