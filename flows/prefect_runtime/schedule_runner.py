"""The process that starts the scheduled runs, and how it ends in every state it may be in.

Prefect's runner works in a thread of its own: the main thread only waits, so a signal always finds
it, also while the server is away.
"""

import asyncio
import contextvars
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
from prefect import Flow
from prefect.runner import Runner

_STOP_LIMIT_S = 5.0
_EXIT_LIMIT_S = 9.0


class ScheduleRunner:
    """Registers a flow as a deployment and starts its runs, one at a time, by a timetable."""

    def __init__(
        self, flow: Flow[..., Any], name: str, cron: str, parameters: dict[str, Any]
    ) -> None:
        self.reason = ""
        self._runner = Runner(name=name, limit=1)
        self._runner.add_flow(flow, name=name, cron=cron, parameters=parameters)
        context = contextvars.copy_context()  # Prefect's settings, with the server's address
        self._thread = threading.Thread(
            target=context.run, args=(self._run,), name="schedule runner", daemon=True
        )
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether it still starts runs."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Pause the deployment and end its runs: with a request, then by force."""
        own = _runs()
        with suppress(RuntimeError):  # it has not started or has ended
            self._runner.execute_in_background(self._runner.astop)
        self._thread.join(_STOP_LIMIT_S)
        for process in [*own, *_runs()]:
            with suppress(psutil.Error):
                process.kill()

    def _run(self) -> None:
        try:
            asyncio.run(self._runner.start())
        except Exception as error:  # noqa: BLE001  (whatever it is, serve says it)
            self.reason = f"{type(error).__name__}: {error}."


def _runs() -> list[psutil.Process]:
    """Return the processes of the runs; the server, in a session of its own, is not one."""
    own = psutil.Process()
    return [
        process
        for child in own.children()
        if not any("flows.prefect_runtime.server_process" in word for word in _words(child))
        for process in [child, *_below(child)]
    ]


def _words(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return list(process.cmdline())
    return []


def _below(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return list(process.children(recursive=True))
    return []


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """Set the event at SIGTERM or Ctrl-C; even if a thread hangs, this process ends soon after."""
    stopped = threading.Event()

    def stop(*_: object) -> None:
        if not stopped.is_set():
            stopped.set()
            end = threading.Timer(_EXIT_LIMIT_S, _end_by_force)
            end.daemon = True
            end.start()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopped
    finally:
        if not stopped.is_set():
            for number, handler in before.items():
                signal.signal(number, handler)


def _end_by_force() -> None:
    for process in _below(psutil.Process()):  # the server, too: a stopped one would live on
        with suppress(psutil.Error):
            process.kill()
    os._exit(1)
