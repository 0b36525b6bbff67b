"""Which process runs germline, or the project, in a checkout: one that lives."""

import json
import os
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import psutil

from flows.inspection.runs.run_holder import (
    HOLDER,
    RunHolder,
    check_nobody_runs,
    holder_of,
    holding,
    runner_of,
)
from tests.flows.conftest import wait_until

HOLDS = (
    "import os, sys\n"
    "from flows.inspection.runs.run_holder import holding\n"
    "with holding('evolve'):\n    os._exit(0)\n"
)


def test_a_process_that_ended_unwaited_holds_nothing(tmp_path: Path) -> None:
    """In a container whose first process waits for nobody, a killed run stays as a zombie."""
    with chdir(tmp_path):
        child = os.posix_spawn(
            sys.executable,
            [sys.executable, "-c", HOLDS],
            {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])},
        )
        wait_until(lambda: psutil.Process(child).status() == psutil.STATUS_ZOMBIE)
        assert HOLDER.exists()
        assert holder_of(tmp_path) is None
        check_nobody_runs(tmp_path)
        os.waitpid(child, 0)
        with holding("evolve"):
            holder = holder_of(tmp_path)
            assert holder is not None
            assert os.getpid() == holder.process
        assert holder_of(tmp_path) is None


def test_dvc_between_two_stages_is_what_runs(tmp_path: Path) -> None:
    """It has locked the outputs of the last stage; one that is gone, or another word, is none."""
    (tmp_path / "dvc.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(600)\n")
    program = str(tmp_path / "dvc.py")
    locks = tmp_path / ".dvc/tmp/rwlock"
    locks.parent.mkdir(parents=True)
    with subprocess.Popen(
        [sys.executable, program, "repro"], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()

        def seen(word: str, kind: str) -> RunHolder | None:
            entry = {"pid": child.pid, "cmd": f"{program} {word}"}
            entries: object = {"data/kept": [entry] if kind == "read" else entry}
            locks.write_text(json.dumps({kind: entries}))
            return runner_of(tmp_path)

        try:
            for kind in ("read", "write"):
                runner = seen("repro", kind)
                assert runner is not None
                assert ("dvc repro", child.pid) == (runner.command, runner.process)
                assert runner.is_alive
            assert seen("status", "read") is None
            locks.write_text("{")
            assert runner_of(tmp_path) is None
        finally:
            child.kill()
    assert seen("repro", "write") is None
