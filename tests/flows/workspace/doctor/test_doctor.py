"""`germline doctor`: each thing that a run needs, with the remedy."""

import json
from pathlib import Path

import pytest

from flows.workspace.doctor.machine_checks import disk_findings, hub_findings
from flows.workspace.doctor.project_checks import cache_findings, size_findings
from flows.workspace.doctor.version_checks import installed, python_findings, version_findings
from flows.workspace.survey.run_size import RunSize
from tests.flows.workspace.conftest import Typed

SIZE = RunSize(candidates=10, items=100, minutes=1.0, memory_gb=8.0, disk_gb=2.0)


@pytest.mark.parametrize(
    ("versions", "message"),
    [
        ({"prefect": "3.8.8", "fastapi": "0.155.0"}, "fault   prefect 3.8.8 with fastapi 0.155.0"),
        ({"prefect": "3.8.8", "sqlalchemy": "2.1.9"}, "a scheduled run never starts"),
        ({"whenever": "0.10.1"}, "schedules cannot be worked out"),
        ({"transformers": "4.50.0"}, "germline asks for"),
    ],
)
def test_versions_that_fail_are_faults(versions: dict[str, str], message: str) -> None:
    """Alone, by what germline asks for, or together, by what was tried."""
    assert [] == [f for f in version_findings(installed()) if f.level == "fault"]
    lines = [f.line() for f in version_findings({**installed(), **versions})]
    assert any(message in line for line in lines), lines


def test_a_missing_package_and_an_old_python_are_faults() -> None:
    """The remedy names the version."""
    without = {name: v for name, v in installed().items() if name != "pebble"}
    assert ["fault   pebble: not installed. pip install 'pebble>=5'"] == [
        f.line() for f in version_findings(without)
    ]
    assert ["fault", "ok"] == [f.level for v in ("3.10.2", "3.12.1") for f in python_findings(v)]


def test_a_run_that_does_not_fit_is_named() -> None:
    """Memory that is short is a warning, a disk that is too small a fault."""
    fits = size_findings(SIZE, free_memory=9e9, free_disk=3e9, on_gpu=False)
    assert ["ok"] == [finding.level for finding in fits]
    small = size_findings(SIZE, free_memory=7e9, free_disk=1e9, on_gpu=False)
    assert ["ok", "warning", "fault"] == [finding.level for finding in small]
    assert ["fault"] == [finding.level for finding in disk_findings(Path(), 10)]


def test_a_cache_that_copies_is_a_warning(tmp_path: Path) -> None:
    """A folder without DVC is a fault; linked files are well."""
    assert ["fault"] == [finding.level for finding in cache_findings(tmp_path)]
    (tmp_path / ".dvc").mkdir()
    config = tmp_path / ".dvc/config"
    config.write_text("[core]\n    analytics = false\n")
    assert ["warning"] == [finding.level for finding in cache_findings(tmp_path)]
    config.write_text('[cache]\n    type = "reflink,hardlink,copy"\n')
    assert ["ok"] == [finding.level for finding in cache_findings(tmp_path)]


def test_a_hub_that_is_away_matters_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offline by choice is well; another address is asked where HF_ENDPOINT says so."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert ["ok"] == [finding.level for finding in hub_findings(is_needed=True)]
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for is_needed, level in ((True, "fault"), (False, "warning")):
        (finding,) = hub_findings(is_needed=is_needed)
        assert level == finding.level
        assert "http://127.0.0.1:9 does not answer" in finding.text


def test_a_project_with_a_fault_ends_with_1(own_models: Path, typed: Typed) -> None:
    """Every fault of params.yaml is a finding, in JSON too."""
    (own_models / "dvc.yaml").write_text("stages: {}\n")
    (own_models / "params.yaml").write_text("download: {base: ./origin}\n")
    findings = json.loads(typed("doctor", "--json", code=1).stdout)
    faults = [f["text"] for f in findings if f["level"] == "fault"]
    assert any("download.parents: missing" in text for text in faults)
    assert any("is not a DVC project" in text for text in faults)


def test_a_fault_of_a_task_is_said_once(
    own_models: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both the check before a run and the look at its size find it."""
    typed("new", "mine", "--base", "origin", "--parent", "adder=adder", "--task", "sums.csv")
    (own_models / "mine/data/tasks/sums.csv").write_text("prompt,answer\na,\n")
    monkeypatch.chdir(own_models / "mine")
    findings = json.loads(typed("doctor", "--json", code=1).stdout)
    faults = [f["text"] for f in findings if f["level"] == "fault" and "sums.csv" in f["text"]]
    assert 1 == len(faults)
