"""Sparse task vectors: keep the largest entries (TIES), or random ones (DARE)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Reader = Callable[[int, int], NDArray[np.float32]]  # of the magnitudes in a range

_RANGE = 1 << 17  # entries looked at at a time: they fit in a core's cache
_SAMPLE = 1 << 16  # at most so many entries tell about where a threshold lies: one in 32
_RUN = 1 << 8  # neighbours that the sample takes at once


@dataclass(frozen=True, slots=True)
class Cut:
    """Keeps magnitudes from ``threshold`` up, less those at the ascending indices ``dropped``."""

    threshold: np.float32
    dropped: NDArray[np.int64]


def num_kept(size: int, density: float) -> int:
    """Return how many of ``size`` entries a density keeps: int(density x size), at least one."""
    return max(1, int(density * size))


def cut_of(magnitudes: NDArray[np.float32], density: float) -> Cut:
    """Return the cut that keeps exactly ``num_kept`` entries, the first of equal ones.

    Entries of 0 are all the same to it: kept or dropped, they add nothing.
    """
    return cut_of_ranges(lambda start, stop: magnitudes[start:stop], magnitudes.size, density)


def cut_of_ranges(read: Reader, size: int, density: float) -> Cut:
    """Return the same cut from a reader of the magnitudes' ranges; memory holds a few percent.

    A sample tells two magnitudes between which the threshold nearly always lies. Those between
    them are found in one pass; where the threshold is not among them, all are looked at.
    """
    kept = num_kept(size, density)
    for low, high in (_bracket(read, size, size - kept), (np.float32(0), np.float32(np.inf))):
        num_above, places, values = _between(read, size, low, high)
        if num_above < kept <= num_above + values.size:
            break
    place = values.size - (kept - num_above)
    threshold: np.float32 = np.sort(values)[place]  # a partition takes long over equal values
    if threshold == 0:
        return Cut(threshold, np.empty(0, dtype=np.int64))
    num_above += int(np.count_nonzero(values > threshold))
    return Cut(threshold, places[values == threshold][kept - num_above :])


def cut_of_sorted(
    ordered: NDArray[np.float32], magnitudes: Callable[[], NDArray[np.float32]], density: float
) -> Cut:
    """Return the same cut from the magnitudes in ascending order.

    The magnitudes in their places are asked for only where some that equal the threshold go.
    """
    size = ordered.size
    kept = num_kept(size, density)
    threshold: np.float32 = ordered[size - kept]
    first = int(np.searchsorted(ordered, threshold))
    stop = int(np.searchsorted(ordered, threshold, side="right"))
    num_ties_kept = kept - (size - stop)
    if num_ties_kept == stop - first or threshold == 0:
        return Cut(threshold, np.empty(0, dtype=np.int64))
    return _cut(magnitudes(), threshold, num_ties_kept)


def keep_largest(vector: Tensor, cut: Cut, start: int = 0) -> Tensor:
    """Return ``vector``, which starts at index ``start``, with zeros where the cut drops."""
    factor = (vector.abs().numpy() >= cut.threshold).astype(np.float32)
    first, stop = np.searchsorted(cut.dropped, (start, start + vector.numel()))
    factor[cut.dropped[first:stop] - start] = 0.0
    return vector * torch.from_numpy(factor)


def keep_random(
    vector: Tensor, words: NDArray[np.uint32], density: float, *, factor: float | None = None
) -> Tensor:
    """Return ``vector`` x ``factor`` where word < density x 2^32, else zero.

    Density 1 changes no bit. The words are uniform, so each entry is kept with probability
    ``density``; with the default factor, 1 / density, the expectation is the vector itself.
    """
    limit = round(density * 2**32)
    if limit >= 2**32:
        return vector
    times = np.float32(1.0 / density if factor is None else factor)
    return vector * torch.from_numpy((words < np.uint32(limit)).astype(np.float32) * times)


def _bracket(read: Reader, size: int, place: int) -> tuple[np.float32, np.float32]:
    """Return two of a sample's magnitudes: the one at ``place`` of all lies likely between them.

    The sample is of short runs, evenly spread; the same each time.
    """
    num_runs = min(size >> 5, _SAMPLE) // _RUN
    if num_runs < 16:  # a small tensor is its own sample
        return np.float32(0), np.float32(np.inf)
    starts = [size * i // num_runs for i in range(num_runs)]
    sample = np.sort(np.concatenate([read(start, start + _RUN) for start in starts]))
    middle = place * sample.size // size
    margin = 3 * math.isqrt(sample.size)  # six standard deviations or more
    low, high = middle - margin, middle + margin
    return (
        sample[low] if low >= 0 else np.float32(0),
        sample[high] if high < sample.size else np.float32(np.inf),
    )


def _between(
    read: Reader, size: int, low: np.float32, high: np.float32
) -> tuple[int, NDArray[np.int64], NDArray[np.float32]]:
    """Return how many magnitudes exceed ``high``, and those from ``low`` to it, with places."""
    num_above = 0
    places, values = [], []
    for start in range(0, size, _RANGE):
        block = read(start, min(start + _RANGE, size))
        is_above = block > high
        num_above += int(np.count_nonzero(is_above))
        found = np.flatnonzero((block >= low) != is_above)
        values.append(block[found])
        places.append(found + start)
    return num_above, np.concatenate(places), np.concatenate(values)


def _cut(magnitudes: NDArray[np.float32], threshold: np.float32, num_ties_kept: int) -> Cut:
    equal = np.flatnonzero(magnitudes == threshold) if threshold else np.empty(0, dtype=np.int64)
    return Cut(threshold, equal[num_ties_kept:])
