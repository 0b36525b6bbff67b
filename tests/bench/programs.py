"""A program that does jobs, watched from outside: how long each takes, how much memory at most."""

import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

OURS = (sys.executable, "-m", "tests.bench.germline_program")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a job took: seconds, and the most anonymous memory (mapped files do not count)."""

    seconds: float
    peak_bytes: int


class JobFailedError(RuntimeError):
    """What a program says of a job that it could not do."""


class Program:
    """A process that answers one JSON line with another; it is warm when the context starts."""

    def __init__(self, *command: str) -> None:
        self._command = command

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._answer()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.__exit__(kind, error, trace)  # closes its input, and waits

    def run(self, job: dict[str, Any]) -> Cost:
        """Do one job.

        Raises:
            JobFailedError: the program answers with an error.
        """
        done = threading.Event()
        peaks = [0]

        def watch() -> None:
            while not done.wait(0.003):
                peaks[0] = max(peaks[0], _anonymous_bytes(self._process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
            answer = self._answer()
        finally:
            done.set()
            watcher.join()
        if "error" in answer:
            raise JobFailedError(answer["error"])
        return Cost(answer["seconds"], peaks[0])

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(self._command)} ended (exit {self._process.wait()}).")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _anonymous_bytes(pid: int) -> int:
    """Return a process's resident memory that no file stands behind; 0 where Linux is not."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(s.split()[1]) * 1024 for s in lines if s.startswith("RssAnon")), 0)
