"""The scheduled deployment: `dvc repro` on a timetable, its output in the run's log.

It is the command a person types, so both share the cache, the lock file and every result.
``germline serve`` serves it; prefect.yaml deploys the same flow to a work pool.
"""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from prefect import flow, get_run_logger
from prefect.runtime import flow_run

from flows.prefect_runtime.console import say
from flows.prefect_runtime.schedule_runner import ScheduleRunner, stop_signals
from flows.prefect_runtime.server import Server
from flows.prefect_runtime.timetable import Timetable
from stages.errors import GermlineError

NAME = "scheduled"
PORT = 4200
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_FAULT = "error: "  # before each fault that a stage prints
_END_LIMIT_S = 3.0
_REPORT_S = 2.0


def _run_name() -> str:
    """Return a run's name: its time in the timetable."""
    due = flow_run.scheduled_start_time
    return f"dvc repro, {due:%Y-%m-%d %H:%M} UTC" if due else "dvc repro"


@flow(name="germline", flow_run_name=_run_name, log_prints=False)
def repro(targets: tuple[str, ...] = (), *, push: bool = False) -> None:
    """Run `dvc repro` on ``targets`` (all stages if empty), then `dvc push` if asked to.

    Raises:
        GermlineError: DVC failed; its output is in the log of the run.
    """
    dvc("repro", *targets)
    if push:
        dvc("push")


def dvc(*arguments: str) -> None:
    """Run DVC in the project and log what it prints; when this run is cancelled, end it too.

    Raises:
        GermlineError: DVC exits with a code other than 0.
    """
    log = get_run_logger()
    command = [sys.executable, "-m", "dvc", *arguments]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    child = subprocess.Popen(
        command,
        env={**os.environ, "PATH": path},  # the stages of dvc.yaml say python: this one
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # a group of its own: the stages that DVC starts end with it
    )
    last, faults = "", []
    try:
        for line in child.stdout or ():
            if text := _ESCAPES.sub("", line).strip():
                log.info("%s", text)
                last = text
                if text.startswith(_FAULT):
                    faults.append(text.removeprefix(_FAULT))
        code = child.wait()
    finally:
        if child.poll() is None:
            _end_group(child)
    if code:
        raise GermlineError(f"dvc {' '.join(arguments)}: {reason(code, faults, last)}")


def reason(code: int, faults: list[str], last: str) -> str:
    """Return why DVC failed: what a stage named as its fault, else the last that DVC printed."""
    cause = " ".join(faults) or f"exit code {code}. Its last line: {last.rstrip('.')}."
    return f"{cause} Once that is fixed the next run goes on from what is done."


def _end_group(child: "subprocess.Popen[str]") -> None:
    """End a process and all that it started: with a request, then by force."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            child.wait(_END_LIMIT_S)
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def check_cron(cron: str) -> None:
    """Refuse what is not a timetable.

    Raises:
        GermlineError: it is not.
    """
    from prefect.client.schemas.schedules import CronSchedule

    try:
        CronSchedule(cron=cron, timezone="UTC")
    except ValueError as error:
        raise GermlineError(
            f"--cron {cron!r}: not a timetable. It has five fields: minute, hour, day, month and "
            "day of the week, such as '0 3 * * *'."
        ) from error


def serve(cron: str, *, port: int, push: bool) -> None:
    """Register the deployment, run it by ``cron``, and stay until Ctrl-C or SIGTERM.

    Raises:
        GermlineError: the server cannot be used.
    """
    with stop_signals() as stopped, Server(port, page=True) as server, server.ready() as url:
        say(f"deployment germline/{NAME}, cron {cron!r}, page {url.removesuffix('/api')}")
        say(f"run it now: prefect deployment run germline/{NAME}   stop: Ctrl-C")
        runner = ScheduleRunner(repro, NAME, cron, {"push": push})
        try:
            timetable = Timetable(f"germline/{NAME}", server.log)
            while not stopped.wait(_REPORT_S) and runner.is_alive:
                timetable.report()
        finally:
            runner.stop()
        if not stopped.is_set():
            raise GermlineError(f"Prefect's runner ended: {runner.reason} Start it again.")
