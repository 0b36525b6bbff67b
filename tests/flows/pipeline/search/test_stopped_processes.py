"""A process of the run that somebody stopped is named while the run waits for it."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from flows.pipeline.search import outcome_stream
from flows.pipeline.search.outcome_stream import ComputedOutcomes
from flows.pipeline.search.stopped_processes import StoppedProcesses
from stages.lineage.outcome import Outcome
from tests.flows.conftest import wait_until


@pytest.fixture
def child() -> Iterator[psutil.Process]:
    """A child of this process, which sleeps."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield psutil.Process(process.pid)
    process.kill()
    process.wait()


def stop(process: psutil.Process) -> None:
    """Stop ``process``, and wait until it is."""
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: process.status() == psutil.STATUS_STOPPED)


def go_on(process: psutil.Process) -> None:
    """Let ``process`` go on, and wait until it does."""
    process.send_signal(signal.SIGCONT)
    wait_until(lambda: process.status() != psutil.STATUS_STOPPED)


def named(stopped: StoppedProcesses, process: psutil.Process) -> bool:
    """Return whether the child is among what is named now; other tests have children, too."""
    return any(f"`kill -CONT {process.pid}`" in sentence for sentence in list(stopped.new()))


def test_a_stopped_process_is_named_once_each_time(child: psutil.Process) -> None:
    """Neither one that works, nor again while it stays stopped, but when it is stopped again."""
    stopped = StoppedProcesses()
    assert not named(stopped, child)
    stop(child)
    assert named(stopped, child)
    assert not named(stopped, child)
    go_on(child)
    assert not named(stopped, child)
    stop(child)
    assert named(stopped, child)


def test_a_run_that_waits_says_for_what(
    child: psutil.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line comes while nothing is done; the outcome is then returned as ever."""
    callbacks: list[Any] = []
    outcome = Outcome(None, None, "no score")
    future = SimpleNamespace(add_done_callback=callbacks.append, result=lambda **_: outcome)
    task = SimpleNamespace(submit=lambda _: future)
    evaluate: Any = SimpleNamespace(with_options=lambda **_: task)
    said: list[str] = []

    def say(sentence: str) -> None:
        said.append(sentence)
        if str(child.pid) in sentence:
            threading.Thread(target=callbacks[0], args=[future]).start()

    monkeypatch.setattr(outcome_stream, "_LOOK_S", 0.01)
    monkeypatch.setattr(outcome_stream, "say", say)
    cache: Any = None
    job: Any = None
    stream = ComputedOutcomes(cache, evaluate)
    stream.submit("g00-c00 search", job)
    stop(child)
    assert ("g00-c00 search", outcome) == stream.next()
    assert any(f"process {child.pid} of this run is stopped" in one for one in said)
