"""`germline run`: `dvc repro` with words, a summary and exit codes."""

import json
import os
import signal
import subprocess
import sys
from contextlib import chdir, suppress
from pathlib import Path

import psutil
import pytest
import yaml

from flows.inspection.runs.run_holder import holding
from flows.notebook.search_run import search
from flows.workspace.repository import start_repository
from flows.workspace.workspace_files import pipeline_text
from stages.errors import GermlineError
from tests.flows.conftest import environment, wait_until
from tests.flows.workspace.conftest import Typed

ROOT = Path(__file__).parents[3]
METRICS = '{"test_fitness": 0.5, "test_error": 0.01}'


def group_of(pid: int) -> int | None:
    """Return the group of a process that lives; None of one that has ended meanwhile."""
    with suppress(ProcessLookupError):
        return os.getpgid(pid)
    return None


@pytest.fixture
def small_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose first stage is a new project's own, and whose second writes metrics."""
    stages = yaml.safe_load(pipeline_text(zoo=False))["stages"]
    report = {
        "cmd": f"mkdir -p reports && echo '{METRICS}' > reports/metrics.json && cat versions.json",
        "deps": ["versions.json"],
        "metrics": [{"reports/metrics.json": {"cache": False}}],
    }
    broken = {"cmd": "echo broken && exit 3", "deps": ["reports/metrics.json"]}
    # What is installed, in a file that DVC does not watch, as it watches no library.
    (tmp_path / "installed.json").write_text('{"germline": "1"}')
    versions = {**stages["versions"], "cmd": "cp installed.json versions.json"}
    pipeline = {"versions": versions, "report": report, "last": broken}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": pipeline}))
    (tmp_path / "params.yaml").write_text("{}\n")
    start_repository(tmp_path)
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    return tmp_path


def test_a_run_ends_with_a_summary_or_a_reason(small_pipeline: Path, typed: Typed) -> None:
    """It works inside the project, runs again where a version changed, and fails with 1."""
    summary = json.loads(typed("run", "--stage", "report", "--json").stdout)
    assert 0.5 == summary["metrics"]["test_fitness"]
    assert summary["champion"] is None
    lock = small_pipeline / "dvc.lock"
    first = lock.read_text()
    again = typed("run", "--stage", "report", "--json")
    assert "running report of" in again.stderr
    assert first == lock.read_text()
    (small_pipeline / "installed.json").write_text('{"germline": "2"}')
    typed("run", "--stage", "report")
    assert first != lock.read_text()
    failed = typed("run", code=1)
    assert "exit code" in failed.stderr
    mistyped = typed("run", "--stage", "reprot", code=1).stderr
    assert "has no stage 'reprot'. Stages: last, report, versions. Did you mean" in mistyped
    assert "running all stages of" in failed.stdout


def test_a_run_waits_for_no_other(small_pipeline: Path, typed: Typed) -> None:
    """It says so before DVC removes what the other works with."""
    (small_pipeline / "outputs").mkdir()
    pipeline = {"stages": {"report": {"cmd": "mkdir outputs", "outs": ["outputs"]}}}
    (small_pipeline / "dvc.yaml").write_text(yaml.safe_dump(pipeline))
    me = os.getpid()
    with chdir(small_pipeline), holding("evolve"):
        said = typed("run", code=1).stderr
        with pytest.raises(GermlineError, match="another run of germline is at work"):
            search(ROOT / "params.yaml", folder=small_pipeline, overwrite=True)
    assert f"another run of germline is at work here (evolve, process {me}). Wait" in said
    assert (small_pipeline / "outputs").exists()


@pytest.mark.parametrize(
    ("is_ctrl_c", "code"), [(True, 130), (False, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_stop_in_a_stage_is_told_once(
    small_pipeline: Path, *, is_ctrl_c: bool, code: int
) -> None:
    """The stage says what is kept, `germline run` adds nothing, and no stage is left at work.

    Ctrl-C comes to all processes of the group, SIGTERM to `germline run` alone.
    """
    stage = (
        "import pathlib, time\n"
        "from flows.prefect_runtime.console import telling\n"
        "def job():\n    pathlib.Path('begun').touch()\n    time.sleep(600)\n"
        "telling(job)\n"
    )
    (small_pipeline / "stage.py").write_text(stage)
    pipeline = {"stages": {"evolve": {"cmd": "python stage.py", "always_changed": True}}}
    (small_pipeline / "dvc.yaml").write_text(yaml.safe_dump(pipeline))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    child = subprocess.Popen(
        [sys.executable, "-m", "germline", "run"],
        cwd=small_pipeline,
        env={**environment(), "PATH": path, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    wait_until((small_pipeline / "begun").exists)
    if is_ctrl_c:
        os.killpg(child.pid, signal.SIGINT)
    else:
        child.terminate()
    said = child.communicate()[0]
    assert code == child.returncode, said
    assert [] == [one.pid for one in psutil.process_iter() if child.pid == group_of(one.pid)]
    assert 1 == said.count("stopped: what was evaluated is kept"), said


def test_own_folders_of_germlines_names_come_last(tmp_path: Path) -> None:
    """With -m, and in the processes that are started from there."""
    for name in ("flows", "stages"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong one')\n")
    job = (
        "import multiprocessing, pathlib, runpy, sys\n"
        "sys.argv = ['germline', '--version']\n"
        "try:\n    runpy.run_module('germline', run_name='__main__')\n"
        "except SystemExit:\n    pass\n"
        "from flows.workspace.versions_file import write_versions\n"
        "process = multiprocessing.get_context('spawn').Process(\n"
        "    target=write_versions, args=(pathlib.Path('written.json'),))\n"
        "process.start(); process.join(); sys.exit(process.exitcode)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", job], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stderr
    assert {"germline", "torch"} <= json.loads((tmp_path / "written.json").read_text()).keys()
