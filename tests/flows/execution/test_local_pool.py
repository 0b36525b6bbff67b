"""The local pool, with processes of its own: outcomes, time-outs, starts that fail, a stop."""

import multiprocessing
import os
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from flows.execution.candidates.candidate_scorer import CandidateScorer
from flows.execution.executor import CandidateJob, StoppedError, UnfinishedError, WorkerSettings
from flows.execution.local_pool import LocalPool, _context
from stages.errors import GermlineError
from stages.params.merge_params import MergeParams
from stages.params.model_params import ModelParams
from tests.flows.execution.conftest import a_recipe, recipe_on

# With the run's environment, which is not that of the process from which workers are forked.
DIES = "import os\nos._exit(int(os.environ['EXIT_CODE']))\n"
pytestmark = pytest.mark.usefixtures("fork_server")


def test_a_pool_scores_as_this_process_does_and_ends_what_hangs(settings: WorkerSettings) -> None:
    """A job crosses to a process and back; one over its limit is ended alone; a stop ends all."""
    pool = LocalPool(settings, 1)
    job = CandidateJob(recipe_on(settings), "search")
    try:
        outcome = pool.submit(job).result(timeout=300)
        for process in multiprocessing.active_children():  # as the kernel does, memory being short
            process.kill()
        assert CandidateScorer(settings).outcome(job) == outcome

        with pytest.raises(UnfinishedError, match=r"evaluate\.timeout_s = 1e-06"):
            # Limits are looked at a few times a second: a job may be quicker.
            [pool.submit(replace(job, limit_s=1e-6)).result(timeout=300) for _ in range(100)]
        assert outcome == pool.submit(job).result(timeout=300)

        waiting = pool.submit(job)
    finally:
        pool.stop()
    with pytest.raises(StoppedError):
        waiting.result(timeout=60)
    with pytest.raises(StoppedError):
        pool.submit(job)


def test_limits_do_not_go_by_the_time_of_day(
    settings: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that is set forward ends no job at work; one that is set back spares none."""
    pool = LocalPool(settings, 1)
    job = CandidateJob(recipe_on(settings), "search", limit_s=3600)
    first = time.time()
    try:
        for step_s in (86400, -86400):
            days = count(first, step_s)
            monkeypatch.setattr(time, "time", partial(next, days))
            outcomes = [pool.submit(job) for _ in range(30)]  # over some looks at the limits
            assert 1 == len({str(outcome.result(timeout=300)) for outcome in outcomes})
        with pytest.raises(UnfinishedError, match="ran longer"):
            [pool.submit(replace(job, limit_s=1e-6)).result(timeout=300) for _ in range(100)]
    finally:
        pool.stop()


def test_a_pool_whose_processes_die_of_starting_says_so(
    settings: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are not replaced for ever: after a few the jobs are told, and the cause is named."""
    monkeypatch.setenv("EXIT_CODE", "3")
    Path("plugin.py").write_text(DIES, encoding="utf-8")
    pool = LocalPool(replace(settings, merge=MergeParams(plugins=["plugin.py"])), 1)
    try:
        with pytest.raises(GermlineError, match="died 3 times while they loaded the model"):
            pool.submit(CandidateJob(a_recipe(), "search")).result(timeout=300)
    finally:
        pool.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all are spawned")
def test_nothing_warns_after_a_kill() -> None:
    """The pool's semaphores are removed by the process that Python has for it, in silence."""
    code = (
        "import os, signal\n"
        "from multiprocessing import get_context\n"
        "from flows.execution.local_pool import block_ctrl_c\n"
        "block_ctrl_c()\n"
        "count = get_context('forkserver').Value('q', 0)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    variables = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=False
    )
    assert (-9, "") == (ended.returncode, ended.stderr)


def test_processes_that_may_need_a_gpu_are_not_forked(settings: WorkerSettings) -> None:
    """After a library has looked for a GPU, CUDA does not bear a fork."""

    def start_method(**changes: object) -> str | None:
        changed = settings.evaluate.model_copy(update=changes)
        return _context(replace(settings, evaluate=changed)).get_start_method()

    assert start_method() == "forkserver"
    assert start_method(device="cuda") == "spawn"
    assert start_method(backend=ModelParams(model="hf")) == "spawn"
