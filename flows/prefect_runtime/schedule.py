"""The scheduled deployment: `dvc repro` on a timetable, its output in the run's log.

It is the command a person types, so both share the cache, the lock file and every result.
``python -m flows.prefect_runtime.schedule`` serves it; prefect.yaml deploys the same flow to a
work pool.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from prefect import flow, get_run_logger
from rich.console import Console

from flows.prefect_runtime.server import Server
from stages.errors import GermlineError

PROJECT = Path(__file__).parents[1]
NAME = "scheduled"
PORT = 4200
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@flow(name="germline", log_prints=False)
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
        GermlineError: it exits with another code than 0.
    """
    log = get_run_logger()
    command = [sys.executable, "-m", "dvc", *arguments]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    child = subprocess.Popen(
        command,
        cwd=PROJECT,
        env={**os.environ, "PATH": path},  # the stages of dvc.yaml say python: this one
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # a group of its own: the stages that DVC starts end with it
    )
    last = ""
    try:
        for line in child.stdout or ():
            if text := _ESCAPES.sub("", line).strip():
                log.warning("%s", text)  # warning: the level that environment.py lets through
                last = text
        code = child.wait()
    finally:
        if child.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGTERM)
            child.wait()
    if code:
        raise GermlineError(
            f"dvc {' '.join(arguments)}: exit code {code}. Its last line: {last} Mend the cause; "
            "the next run goes on from what is done."
        )


def serve(cron: str, *, port: int, push: bool) -> None:
    """Register the deployment, run it by ``cron``, and stay until Ctrl-C."""
    console = Console(highlight=False, soft_wrap=True)
    with Server(port, page=True) as server, server.ready() as url:
        console.print(
            f"deployment germline/{NAME}, cron {cron!r}, page {url.removesuffix('/api')}"
        )
        console.print("run it now: prefect deployment run germline/scheduled   stop: Ctrl-C")
        repro.serve(
            name=NAME, cron=cron, limit=1, parameters={"push": push}, print_starting_message=False
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cron", default="0 3 * * *", help="five fields; 03:00 each day if absent"
    )
    parser.add_argument("--port", type=int, default=PORT, help="of the server and its page")
    parser.add_argument("--push", action="store_true", help="send results to the DVC remote")
    chosen = parser.parse_args()
    serve(chosen.cron, port=chosen.port, push=chosen.push)
