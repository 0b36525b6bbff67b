"""Kills of a run, of its server and of its workers, at times drawn by a seed: the same bytes.

``make kills NUM=100`` sends that many signals. What is left of each run is continued
until it ends. One start in four is an interpreter with a Prefect server and imports of its own;
the others are forked with their imports done and share the tests' server.
"""

import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import psutil
import pytest

from tests.flows.conftest import Maker, Project, wait_until
from tests.flows.test_pipeline import processes_in

NUM_KILLS = int(os.environ.get("GERMLINE_KILLS", "100"))
SEED = int(os.environ.get("GERMLINE_KILLS_SEED", "0"))
MOST_A_STAGE = 10
WHOLE_STARTS = 0.25  # of all
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSTOP)
OUTPUTS = {
    "evolve": ("data/lineage", "data/kept"),
    "select": ("data/selection", "data/champion"),
}
# A worker that died is the candidate's failure where all tries end so (docs/guide.md).
PATIENT = {"evaluate": {"workers": 2, "retries": 50}}


@dataclass(frozen=True, slots=True)
class StartedStage:
    """A stage at work: its process, whether that has ended, and how."""

    pid: int
    has_ended: Callable[[], bool]
    end: Callable[[], tuple[int | None, str]]  # once it has: the exit code, what was printed


def _start(project: Project, stage: str, *, is_whole: bool) -> StartedStage:
    if is_whole:
        child = project.start("germline", stage, own_server=True)
        return StartedStage(
            child.pid,
            lambda: child.poll() is not None,
            lambda: (child.returncode, child.communicate()[0]),
        )
    process, log = project.fork(stage)
    assert process.pid is not None
    return StartedStage(
        process.pid,
        lambda: not process.is_alive(),
        lambda: (process.exitcode, log.read_text(encoding="utf-8")),
    )


def _outputs(project: Project, stage: str) -> dict[str, dict[str, bytes]]:
    return {folder: project.files(folder) for folder in OUTPUTS[stage]}


def _processes(project: Project, run: int) -> dict[str, list[psutil.Process]]:
    """Return the processes of a run by what they do; helpers of multiprocessing are none.

    Among the workers is the process that they are forked from, where the run has one of its own.
    """
    kinds: dict[str, list[psutil.Process]] = {"run": [], "server": [], "worker": []}
    for pid in processes_in(project.folder):
        process = psutil.Process(pid)
        command = " ".join(process.cmdline())
        if pid == run:
            kinds["run"].append(process)
        elif "server_process" in command:
            kinds["server"].append(process)
        elif "multiprocessing" in command and "resource_tracker" not in command:
            kinds["worker"].append(process)
    return {kind: processes for kind, processes in kinds.items() if processes}


def _send(project: Project, run: int, random: Random) -> str:
    """Send a signal to one process of a run; one that is stopped goes on after a while."""
    processes = _processes(project, run)
    kind = random.choice(sorted(processes))
    victim, sent = random.choice(processes[kind]), random.choice(SIGNALS)
    wait_s = random.uniform(0.1, 5)
    victim.send_signal(sent)
    if sent == signal.SIGSTOP:
        time.sleep(wait_s)
        victim.send_signal(signal.SIGCONT)
    return f"{sent.name} to {kind}"


def _disturbed(
    project: Project,
    stage: str,
    random: Random,
    usual_s: dict[bool, float],
    limit: int,
    sent: Counter[str],
) -> None:
    """Run a stage until it ends well, with at most ``limit`` signals on the way."""
    num_left = limit
    while True:
        is_whole = random.random() < WHOLE_STARTS
        started = _start(project, stage, is_whole=is_whole)
        begun = time.monotonic()
        next_s = random.uniform(0, usual_s[is_whole])
        while not started.has_ended():
            if num_left and time.monotonic() - begun > next_s:
                try:
                    sent[_send(project, started.pid, random)] += 1
                    num_left -= 1
                except (psutil.Error, IndexError):
                    pass  # it has just ended by itself
                next_s += random.uniform(0, usual_s[is_whole] / 3)
            time.sleep(0.02)
        exit_code, output = started.end()
        assert "Traceback" not in output, output
        wait_until(lambda: not processes_in(project.folder), limit_s=120)
        if exit_code == 0:
            return


def _usual_s(project: Project, *, is_whole: bool) -> float:
    """Return the seconds that both stages take when nothing disturbs them, on average."""
    begun = time.monotonic()
    for stage in OUTPUTS:
        started = _start(project, stage, is_whole=is_whole)
        wait_until(started.has_ended, limit_s=1200)
        exit_code, output = started.end()
        assert exit_code == 0, output
    return (time.monotonic() - begun) / len(OUTPUTS)


@pytest.mark.kills
def test_no_kill_changes_a_byte(make_project: Maker) -> None:
    """Lineage, kept weights, selection and champion are those of a run that nothing disturbed."""
    random, sent, usual_s = Random(SEED), Counter[str](), dict[bool, float]()
    for is_whole in (True, False):
        undisturbed = make_project(f"undisturbed-{is_whole}")
        undisturbed.set(PATIENT)
        usual_s[is_whole] = _usual_s(undisturbed, is_whole=is_whole)
    print("seconds of an undisturbed stage, started whole or not:", usual_s, flush=True)  # noqa: T201
    while sum(sent.values()) < NUM_KILLS:
        project = make_project(f"after-{sum(sent.values())}")
        project.set(PATIENT)
        for stage in OUTPUTS:
            limit = min(MOST_A_STAGE, NUM_KILLS - sum(sent.values()))
            _disturbed(project, stage, random, usual_s, limit, sent)
            assert _outputs(undisturbed, stage) == _outputs(project, stage), sent
        print(f"{sum(sent.values())} signals, no byte differs", flush=True)  # noqa: T201  it takes long
        shutil.rmtree(project.folder)
    assert NUM_KILLS == sum(sent.values())
    for what, count in sorted(sent.items()):
        print(f"{count:4d} {what}")  # noqa: T201
