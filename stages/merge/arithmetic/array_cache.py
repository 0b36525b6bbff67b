"""What every candidate of a search needs again, kept where there is room for it.

The sorted magnitudes of a task vector and the words of a random stream depend on neither weights
nor densities. Whether they are kept changes how long a merge takes, and no bit of it.
"""

import threading
from collections.abc import Callable, Hashable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Word = TypeVar("Word", np.float32, np.uint8)


class Memo:
    """Keeps arrays by key until they fill ``limit_bytes``; what comes later is not kept."""

    def __init__(self, limit_bytes: int) -> None:
        self._room = limit_bytes
        self._lock = threading.Lock()
        self._kept: dict[Hashable, NDArray[np.float32] | NDArray[np.uint8]] = {}

    def has_room(self, key: Hashable, num_bytes: int) -> bool:
        """Return whether the array of ``key`` is kept, or would be."""
        return key in self._kept or num_bytes <= self._room

    def get(self, key: Hashable, compute: Callable[[], NDArray[Word]]) -> NDArray[Word]:
        """Return the array of ``key``, computed now unless it is kept; never write to it."""
        found = self._kept.get(key)
        if found is None:
            found = compute()
            with self._lock:
                if found.nbytes <= self._room and key not in self._kept:
                    self._room -= found.nbytes
                    self._kept[key] = found
        return found  # type: ignore[return-value]  # a key always stands for one dtype
