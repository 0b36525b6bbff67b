"""Threads over the tensors of a child: the same results with any number of them."""

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

import numpy as np
import torch

from stages.merge.engine.small_tensor_runs import Run

_SMALL = 1 << 20  # entries: a model of fewer is done by one thread, for more would be no faster
_LARGE_BYTES = 24 << 20  # below 32 MiB, the most that glibc takes note of

Result = TypeVar("Result")


def of_each(
    runs: Sequence[Run], work: Callable[[Run], Mapping[str, Result]], *, threads: int
) -> dict[str, Result]:
    """Return what ``work`` gives for each tensor, by its name; ``threads`` changes no result.

    ``runs`` are in the order of the tensors' names. Where ``work`` fails, its error is the one of
    the first tensor, by name, that it fails on.
    """
    entries = [sum(math.prod(tensor.info.shape) for tensor in run) for run in runs]
    threads = max(1, min(threads, sum(entries) // _SMALL, len(runs)))
    places = sorted(range(len(runs)), key=lambda i: -entries[i])  # no thread ends on a big one
    crew = _Crew([runs[i] for i in places], work)
    _keep_freed_memory()
    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, "merge", torch.set_num_threads, (1,)) as pool:
            try:
                for worker in [pool.submit(crew.run) for _ in range(threads)]:
                    worker.result()
            finally:  # also where Ctrl-C ends the wait
                crew.is_stopped = True
    finally:
        torch.set_num_threads(before)
    if crew.errors:
        raise crew.errors[min(crew.errors)]
    return {tensor.name: crew.results[tensor.name] for run in runs for tensor in run}


def _keep_freed_memory() -> None:
    """Let the C library keep what one range's arrays took for those of the next.

    glibc gives large blocks back to the system at once, and what is fetched again costs a page
    fault for every 4 KiB, unless it has seen a larger block freed. Elsewhere this does nothing.
    """
    np.empty(_LARGE_BYTES, dtype=np.uint8)


class _Crew(Generic[Result]):
    """Workers that take the next run from one list until it is empty."""

    def __init__(self, runs: Sequence[Run], work: Callable[[Run], Mapping[str, Result]]) -> None:
        self._next = iter(runs)
        self._work = work
        self.results: dict[str, Result] = {}
        self.errors: dict[str, Exception] = {}
        self.is_stopped = False

    def run(self) -> None:
        """Do runs until none is left; after an error only those whose names come before it."""
        for run in self._next:
            name = run[0].name
            if self.is_stopped:
                return
            if self.errors and name > min(self.errors):
                continue
            try:
                self.results.update(self._work(run))
            except Exception as error:  # noqa: BLE001  # raised again, once the first is known
                self.errors[name] = error
