"""The scheduled deployment against a real server: registered, triggered and run."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import psutil
import pytest

from tests.flows.conftest import Project, environment, wait_until

pytestmark = pytest.mark.slow

TRIGGER = """
import sys
import flows
from prefect.deployments import run_deployment

run = run_deployment("germline/scheduled", timeout=float(sys.argv[1]), poll_interval=0.5)
print(run.state.name, run.state.message or "")
"""


def trigger(project: Project, url: str, timeout_s: float) -> str:
    """Start a run of the deployment; return its state after at most ``timeout_s``."""
    child = subprocess.run(
        [sys.executable, "-c", TRIGGER, str(timeout_s)],
        cwd=project.folder,
        env={**environment(), "PREFECT_API_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == child.returncode, child.stderr
    return child.stdout


def test_scheduled_deployment_runs_dvc_repro(make_project: Callable[[str], Project]) -> None:
    """A triggered run completes with the results of `dvc repro`; Ctrl-C ends server and all."""
    project = make_project("scheduled")
    served = project.start(
        "germline", "serve", "--port", "4321", "--cron", "0 3 * * *", own_server=True
    )
    note = project.folder / ".prefect/server.url"
    wait_until(note.exists)
    url = note.read_text(encoding="utf-8")
    wait_until(lambda: "scheduled" in deployments(url))

    state = trigger(project, url, 400)
    again = project.run("dvc", "repro", own_server=True)
    os.killpg(served.pid, signal.SIGINT)
    printed = served.communicate(timeout=60)[0]

    assert "Completed" in state, printed
    assert "Data and pipelines are up to date." in again
    metrics = json.loads((project.folder / "reports/metrics.json").read_text(encoding="utf-8"))
    assert {"test_fitness", "lead", "items", "seed"} <= set(metrics)
    assert not note.exists()


def test_schedule_ticks_through_a_killed_server(make_project: Callable[[str], Project]) -> None:
    """Cron starts runs, the one after kill -9 of the server too; SIGTERM ends all."""
    project = make_project("ticking")
    stage = "stages: {tick: {cmd: 'true', always_changed: true}}\n"
    (project.folder / "dvc.yaml").write_text(stage, encoding="utf-8")
    served = project.start(
        "germline", "serve", "--port", "4322", "--cron", "* * * * *", own_server=True
    )
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(served.stdout or ()), daemon=True)
    reader.start()

    def completed() -> int:
        return sum(": completed after" in line for line in lines)

    wait_until(lambda: completed() >= 1)
    servers(served.pid)[0].kill()
    wait_until(lambda: completed() >= 2)
    os.killpg(served.pid, signal.SIGTERM)
    served.wait(timeout=60)

    assert any(line.startswith("next run ") for line in lines)
    assert not servers(served.pid)


def servers(pid: int) -> list[psutil.Process]:
    """Return the servers that a process has started."""
    if not psutil.pid_exists(pid):
        return []
    children = psutil.Process(pid).children()
    return [
        child for child in children if "flows.prefect_runtime.server_process" in child.cmdline()
    ]


def deployments(url: str) -> str:
    """Return the names of the server's deployments, as JSON."""
    from urllib.request import Request, urlopen

    request = Request(  # noqa: S310  (this test's own server)
        f"{url}/deployments/filter", data=b"{}", headers={"Content-Type": "application/json"}
    )
    with urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.dumps([d["name"] for d in json.load(answer)])
