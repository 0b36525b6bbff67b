"""Sparse task vectors: keep the largest entries (TIES), or random ones (DARE)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


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
    size = magnitudes.size
    kept = num_kept(size, density)
    threshold: np.float32 = np.partition(magnitudes, size - kept)[size - kept]
    num_above = int(np.count_nonzero(magnitudes > threshold))
    return _cut(magnitudes, threshold, kept - num_above)


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


def keep_random(vector: Tensor, words: NDArray[np.uint32], density: float) -> Tensor:
    """Return ``vector`` / density where word < density x 2^32, else zero.

    Density 1 changes no bit. The words are uniform, so each entry is kept with probability
    ``density`` and the expectation is the vector itself.
    """
    limit = round(density * 2**32)
    if limit >= 2**32:
        return vector
    factor = (words < np.uint32(limit)).astype(np.float32) * np.float32(1.0 / density)
    return vector * torch.from_numpy(factor)


def _cut(magnitudes: NDArray[np.float32], threshold: np.float32, num_ties_kept: int) -> Cut:
    equal = np.flatnonzero(magnitudes == threshold) if threshold else np.empty(0, dtype=np.int64)
    return Cut(threshold, equal[num_ties_kept:])
