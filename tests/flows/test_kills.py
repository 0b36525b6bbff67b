"""Kills of a run, of its server and of its workers, at times drawn by a seed: the same bytes.

``make kills NUM=100`` sends that many signals. What is left of each run is continued
until it ends.
"""

import os
import shutil
import signal
import time
from collections import Counter
from random import Random

import psutil
import pytest

from tests.flows.conftest import Maker, Project, wait_until
from tests.flows.test_pipeline import processes_in

NUM_KILLS = int(os.environ.get("GERMLINE_KILLS", "100"))
SEED = int(os.environ.get("GERMLINE_KILLS_SEED", "0"))
MOST_A_RUN = 6
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSTOP)
OUTPUTS = {
    "evolve": ("data/lineage", "data/kept"),
    "select": ("data/selection", "data/champion"),
}
# A worker that died is the candidate's failure where all tries end so (docs/guide.md).
PATIENT = {"evaluate": {"workers": 2, "retries": 50}}


def _outputs(project: Project, stage: str) -> dict[str, dict[str, bytes]]:
    return {folder: project.files(folder) for folder in OUTPUTS[stage]}


def _processes(run: psutil.Process) -> dict[str, list[psutil.Process]]:
    """Return the processes of a run by what they do; helpers of multiprocessing are none."""
    kinds: dict[str, list[psutil.Process]] = {"run": [run], "server": [], "worker": []}
    for process in run.children(recursive=True):
        command = " ".join(process.cmdline())
        if "server_process" in command:
            kinds["server"].append(process)
        elif "multiprocessing" in command and "resource_tracker" not in command:
            kinds["worker"].append(process)
    return {kind: processes for kind, processes in kinds.items() if processes}


def _send(run: psutil.Process, random: Random) -> str:
    """Send a signal to one process of a run; one that is stopped goes on after a while."""
    processes = _processes(run)
    kind = random.choice(sorted(processes))
    victim, sent = random.choice(processes[kind]), random.choice(SIGNALS)
    wait_s = random.uniform(0.1, 5)
    victim.send_signal(sent)
    if sent == signal.SIGSTOP:
        time.sleep(wait_s)
        victim.send_signal(signal.SIGCONT)
    return f"{sent.name} to {kind}"


def _disturbed(
    project: Project, stage: str, random: Random, usual_s: float, limit: int, sent: Counter[str]
) -> None:
    """Run a stage until it ends well, with at most ``limit`` signals on the way."""
    num_left = limit
    while True:
        child = project.start("germline", stage, own_server=True)
        begun = time.monotonic()
        next_s = random.uniform(0, usual_s)
        while child.poll() is None:
            if num_left and time.monotonic() - begun > next_s:
                try:
                    sent[_send(psutil.Process(child.pid), random)] += 1
                    num_left -= 1
                except (psutil.NoSuchProcess, psutil.ZombieProcess):
                    pass  # it has just ended by itself
                next_s += random.uniform(0, usual_s / 2)
            time.sleep(0.05)
        child.communicate()  # a worker that is interrupted in its imports prints where it was
        if child.returncode == 0:
            return
        wait_until(lambda: not processes_in(project.folder), limit_s=120)


@pytest.mark.kills
def test_no_kill_changes_a_byte(make_project: Maker) -> None:
    """Lineage, kept weights, selection and champion are those of a run that nothing disturbed."""
    random, sent = Random(SEED), Counter[str]()
    whole = make_project("whole")
    whole.set(PATIENT)
    begun = time.monotonic()
    whole.run("germline", "evolve", own_server=True)
    usual_s = time.monotonic() - begun
    whole.run("germline", "select", own_server=True)
    while sum(sent.values()) < NUM_KILLS:
        project = make_project(f"after-{sum(sent.values())}")
        project.set(PATIENT)
        for stage in OUTPUTS:
            limit = min(MOST_A_RUN, NUM_KILLS - sum(sent.values()))
            _disturbed(project, stage, random, usual_s, limit, sent)
            assert _outputs(whole, stage) == _outputs(project, stage), sent
        print(f"{sum(sent.values())} signals, no byte differs", flush=True)  # noqa: T201  it takes an hour
        shutil.rmtree(project.folder)
    assert NUM_KILLS == sum(sent.values())
    for what, count in sorted(sent.items()):
        print(f"{count:4d} {what}")  # noqa: T201
