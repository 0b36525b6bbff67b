"""The process that runs Prefect's server: what its parent is told by its end."""

import subprocess
import sys

from tests.flows.conftest import ROOT

GIVES_UP = """
import threading, time
from flows.prefect_runtime import server_process
threading.Thread(target=server_process._end_with_input, daemon=True).start()
time.sleep(0.2)
raise SystemExit(3)
"""


def test_server_that_gives_up_says_so_by_its_exit_status() -> None:
    """Its thread that waits for the parent does not make an abort of it, which is tried again."""
    child = subprocess.Popen(
        [sys.executable, "-c", GIVES_UP], stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    code = child.wait(60)  # with its input open, as the parent has it
    assert (3, b"") == (code, child.communicate()[1])
