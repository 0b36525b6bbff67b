"""`dvc repro` of a project, with germline's words around it and a summary of what it left."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from flows.inspection.runs.run_holder import check_nobody_runs
from flows.pipeline.pipeline_file import check_stage
from stages.errors import GermlineError

METRICS = Path("reports/metrics.json")
PAGE = Path("reports/index.html")
CHAMPION = Path("data/champion")
_STOPPED_BETWEEN_STAGES = 252  # of DVC; while a stage runs, DVC leaves Ctrl-C to it
_STDERR = 2  # the descriptor: sys.stderr may be a text without one


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run left: where the results are, and the numbers of the champion."""

    seconds: float
    metrics: dict[str, Any] | None
    champion: str | None
    page: str | None

    def plain(self) -> dict[str, Any]:
        """Return the summary for programs."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return the summary for a person."""
        numbers = self.metrics or {}
        score = ""
        if "test_fitness" in numbers:
            score = f": {numbers['test_fitness']:.3f} ± {numbers.get('test_error', 0):.3f} on test"
        return [
            *([f"champion {self.champion}{score}"] if self.champion else []),
            *([f"page {self.page}"] if self.page else []),
        ]


def run_project(
    stage: str | None, say: Callable[[str], None], *, force: bool, quiet: bool
) -> RunSummary:
    """Run the stages of the project in the working directory, or one stage and what it needs.

    With ``quiet`` all that the stages print goes to the standard error.

    Raises:
        GermlineError: there is no such stage, another run is at work there, or DVC or a stage
            failed; its own words came before.
        KeyboardInterrupt: the run was stopped between its stages.
        SystemExit: it was stopped in a stage, which said what is kept, or by SIGTERM.
    """
    begin = time.monotonic()
    if stage is not None:
        check_stage(stage)
    check_nobody_runs(Path())
    say(f"running {stage or 'all stages'} of {Path.cwd()}; what did not change is skipped")
    command = [sys.executable, "-m", "dvc", "repro"]
    command += (["--force"] if force else []) + ([stage] if stage else [])
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1"}  # stages say `python`
    child = subprocess.Popen(command, env=environment, stdout=_STDERR if quiet else None)
    try:
        with _sigterm_stops(child):
            code = child.wait()
    except KeyboardInterrupt:
        if child.wait() == _STOPPED_BETWEEN_STAGES:
            raise
        raise SystemExit(130) from None
    if code == _STOPPED_BETWEEN_STAGES:
        raise KeyboardInterrupt
    if code:
        raise GermlineError(
            f"`dvc repro` ended with exit code {code}. Remove the cause that is named above and "
            "run again: what was evaluated is kept."
        )
    seconds = time.monotonic() - begin
    metrics = json.loads(METRICS.read_text(encoding="utf-8")) if METRICS.is_file() else None
    champion, page = (str(p) if p.exists() else None for p in (CHAMPION, PAGE))
    return RunSummary(round(seconds, 1), metrics, champion, page)


@contextmanager
def _sigterm_stops(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Stop the stage as Ctrl-C does where this process is asked to end, and end with 143.

    A terminal sends Ctrl-C to the whole group. SIGTERM, of a service's end or of `timeout`, comes
    to this process alone, and DVC would die of it without its stage.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = threading.Event()

    def stop(*_: object) -> None:
        asked.set()
        for process in _group_of(child.pid):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGINT)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
    if asked.is_set():
        raise SystemExit(128 + signal.SIGTERM)


def _group_of(pid: int) -> list[int]:
    """Return a process and those below it that a terminal's Ctrl-C reaches, too."""
    try:
        below = [process.pid for process in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
    group = os.getpgid(0)
    return [one for one in (pid, *below) if psutil.pid_exists(one) and os.getpgid(one) == group]
