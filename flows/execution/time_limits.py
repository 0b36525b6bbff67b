"""Limits of time by a clock that nobody sets, for tasks of a pool of processes.

pebble's own limits go by the time of day. Set forward, it ended every evaluation at work, and
where ``evaluate.retries`` is 0 each was a failed row for good; set back, it spared what hung.
"""

from concurrent.futures import Future
from threading import Lock, Thread
from time import monotonic, sleep
from typing import Any

_LOOKS = 10  # during the shortest limit, so that it is kept to a tenth; within these intervals:
_SHORTEST_S, _LONGEST_S = 0.005, 0.1


class TimeLimits:
    """Cancels a task that works longer than its limit; threads may share it.

    Waiting for a free process does not count, nor on Linux does the machine's sleep.
    """

    def __init__(self) -> None:
        self._gate = Lock()
        self._limits: dict[Future[Any], float] = {}
        self._begun: dict[Future[Any], float] = {}
        self._exceeded: set[Future[Any]] = set()
        self._is_looking = False

    def add(self, task: "Future[Any]", limit_s: float) -> None:
        """Cancel ``task`` once it has worked for ``limit_s`` seconds."""
        with self._gate:
            self._limits[task] = limit_s
            if not self._is_looking:
                self._is_looking = True
                Thread(target=self._look, name="time limits", daemon=True).start()

    def remove(self, task: "Future[Any]") -> bool:
        """Forget ``task``, which is done; return whether it was over its limit."""
        with self._gate:
            self._limits.pop(task, None)
            self._begun.pop(task, None)
            is_over = task in self._exceeded
            self._exceeded.discard(task)
            return is_over

    def _look(self) -> None:
        while True:
            with self._gate:
                if not self._limits:
                    self._is_looking = False
                    return
                over = self._over(monotonic())
                pause_s = min(self._limits.values()) / _LOOKS
                self._exceeded.update(over)
            for task in over:  # who waits for it is told in this call, and removes it
                task.cancel()
            sleep(min(max(pause_s, _SHORTEST_S), _LONGEST_S))

    def _over(self, now: float) -> list["Future[Any]"]:
        for task in self._limits:
            if task.running():
                self._begun.setdefault(task, now)
        return [
            task
            for task, begun in self._begun.items()
            if now - begun > self._limits[task] and task not in self._exceeded
        ]
