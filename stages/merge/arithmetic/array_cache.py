"""A cache, limited in bytes, of arrays that every candidate of a search needs again.

The sorted magnitudes of a task vector and the words of a random stream depend on neither weights
nor densities. The cache changes how long a merge takes, but none of its bits.
"""

import threading
from collections.abc import Callable, Hashable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Array = TypeVar("Array", NDArray[np.float32], NDArray[np.uint8])


class Memo:
    """Keeps arrays by key until they fill ``limit_bytes``; later ones are not kept."""

    def __init__(self, limit_bytes: int) -> None:
        self._room = limit_bytes
        self._lock = threading.Lock()
        self._kept: dict[Hashable, NDArray[np.float32] | NDArray[np.uint8]] = {}

    def has_room(self, key: Hashable, num_bytes: int) -> bool:
        """Return whether the array of ``key`` is kept, or would be."""
        return key in self._kept or num_bytes <= self._room

    def get(self, key: Hashable, compute: Callable[[], Array]) -> Array:
        """Return the array of ``key``, computed if it is not kept; never write to it."""
        array = self._kept.get(key)
        if array is None:
            array = compute()
            with self._lock:
                if array.nbytes <= self._room and key not in self._kept:
                    self._room -= array.nbytes
                    self._kept[key] = array
        return array  # type: ignore[return-value]  # a key always stands for one dtype
