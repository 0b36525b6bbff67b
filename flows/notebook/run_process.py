"""Run `dvc repro` in a project until it ends, or until standard input does.

Run as ``python -m flows.notebook.run_process FOLDER``. Whoever holds the other end of standard
input stops the run by closing it, and by ending: then the run gets Ctrl-C, as at a terminal, and
what was evaluated is kept. The process has a session of its own, so that the interrupt of a
notebook reaches the run once.
"""

import os
import signal
import subprocess
import sys
import threading


def run(folder: str) -> int:
    """Return the exit code of `dvc repro` in ``folder``."""
    signal.signal(signal.SIGINT, lambda *_: None)  # of the session: it is for the run
    # Not a pipe of ours: workers may outlive DVC for a moment and would hold it open.
    child = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro"], cwd=folder, stdin=subprocess.DEVNULL
    )
    threading.Thread(target=_stop_with_input, daemon=True).start()
    return child.wait()


def _stop_with_input() -> None:
    while os.read(0, 1):  # sys.stdin would be locked when the interpreter ends
        pass
    os.killpg(0, signal.SIGINT)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1]))
