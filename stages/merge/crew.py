"""Threads over the tensors of a child: the same results with any number of them."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

import numpy as np
import torch

from stages.merge.plan import TensorPlan

_SMALL = 1 << 20  # entries: a model of fewer is done by one thread, for more would be no faster
_LARGE_BYTES = 24 << 20  # below 32 MiB, the most that glibc takes note of

Result = TypeVar("Result")


def of_each(
    tensors: Sequence[TensorPlan], work: Callable[[TensorPlan], Result], *, threads: int
) -> dict[str, Result]:
    """Return what ``work`` gives for each tensor, by its name; ``threads`` changes no result.

    Where ``work`` fails, its error is the one of the first tensor, by name, that it fails on.
    """
    entries = [math.prod(tensor.info.shape) for tensor in tensors]
    threads = max(1, min(threads, sum(entries) // _SMALL, len(tensors)))
    places = sorted(range(len(tensors)), key=lambda i: -entries[i])  # no thread ends on a big one
    crew = _Crew([tensors[i] for i in places], work)
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
    return {tensor.name: crew.results[tensor.name] for tensor in tensors}


def _keep_freed_memory() -> None:
    """Let the C library keep what one range's arrays took for those of the next.

    glibc gives large blocks back to the system at once, and what is fetched anew costs a page
    fault for every 4 KiB, unless it has seen a larger block freed. Elsewhere this does nothing.
    """
    np.empty(_LARGE_BYTES, dtype=np.uint8)


class _Crew(Generic[Result]):
    """Workers that take the next tensor from one list until it is empty."""

    def __init__(
        self, tensors: Sequence[TensorPlan], work: Callable[[TensorPlan], Result]
    ) -> None:
        self._next = iter(tensors)
        self._work = work
        self.results: dict[str, Result] = {}
        self.errors: dict[str, Exception] = {}
        self.is_stopped = False

    def run(self) -> None:
        """Do tensors until none is left; after an error only those whose names come before it."""
        for tensor in self._next:
            if self.is_stopped:
                return
            if self.errors and tensor.name > min(self.errors):
                continue
            try:
                self.results[tensor.name] = self._work(tensor)
            except Exception as error:  # noqa: BLE001  # raised again, once the first is known
                self.errors[tensor.name] = error
