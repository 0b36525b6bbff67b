"""Which process runs germline in a checkout: one that lives."""

import os
import sys
from contextlib import chdir
from pathlib import Path

import psutil

from flows.inspection.runs.run_holder import HOLDER, check_nobody_runs, holder_of, holding
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
