"""MAGPRUNE: drop at random, small entries sooner (Deep et al. 2024, arXiv:2406.11617)."""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.merge.method import Settings, Sources
from stages.merge.rescale import INVERSE_DENSITY, restored
from stages.merge.task_sum import Sparse


def chances(num_ranks: int, density: float, epsilon: float) -> NDArray[np.float64]:
    """Return the probability that each rank is kept, the smallest magnitude's first.

    They rise evenly from density - epsilon to density + epsilon, so their mean is ``density``.
    Where that would leave [0, 1], epsilon is as large as fits; one rank has ``density``.
    """
    spread = min(epsilon, density, 1.0 - density)
    if num_ranks < 2:
        return np.full(num_ranks, density)
    found = density - spread + 2.0 * spread * np.arange(num_ranks) / (num_ranks - 1)
    return np.clip(found, 0.0, 1.0)


def row_ranks(magnitudes: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return each entry's rank in its row, 0 for the smallest.

    Of equal magnitudes the one of lowest index counts as the larger.
    """
    num_rows, num_columns = magnitudes.shape
    places = np.arange(num_columns, dtype=np.uint64)
    keys = np.ascontiguousarray(magnitudes).view(np.uint32).astype(np.uint64)
    keys <<= np.uint64(32)  # a magnitude's bits order as it does, and its place those of equals
    keys |= places[::-1]
    keys.sort(axis=1)
    keys &= np.uint64(0xFFFFFFFF)
    lasts = np.arange(1, num_rows + 1, dtype=np.int64) * num_columns - 1
    entries = lasts[:, None] - keys.view(np.int64)
    ranks = np.empty(magnitudes.shape, dtype=np.int32)
    ranks.reshape(-1)[entries.reshape(-1)] = np.tile(places.astype(np.int32), num_rows)
    return ranks


def pruned(sources: Sources, settings: Settings) -> Sparse:
    """Return the reader of the task vectors after MAGPRUNE: dropped, and rescaled.

    Which entries go depends on the recipe's seed, the parent's hash, the tensor's name and the
    entry's index and rank in its row; ranks of whole rows are found once for each range.
    """
    length = sources.row_length
    over_chance = settings.choice["rescale"] == INVERSE_DENSITY
    held: dict[int, tuple[int, int, NDArray[np.int32]]] = {}

    def ranks(index: int, start: int, stop: int) -> NDArray[np.int32]:
        first, last = start // length * length, -(-stop // length) * length
        if index not in held or held[index][:2] != (first, last):
            rows = sources.task_vector(index, first, last).abs().numpy().reshape(-1, length)
            held[index] = (first, last, row_ranks(rows).reshape(-1))
        return held[index][2][start - first : stop - first]

    @cache
    def tables(density: float, epsilon: float) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
        """Return, by rank, the words below which an entry is kept, and what it is times then."""
        found = chances(length, density, epsilon)
        limits = np.rint(found * 2**32).astype(np.uint64)
        factors = np.divide(1.0, found if over_chance else 1.0, where=limits > 0, out=found)
        return limits, factors.astype(np.float32)

    def read(index: int, start: int, stop: int) -> Tensor:
        vector = sources.task_vector(index, start, stop)
        density = settings.parent["density"][index]
        if density == 1.0:
            return vector
        limits, factors = tables(density, settings.parent["epsilon"][index])
        places = ranks(index, start, stop)
        is_kept = sources.words(index, start, stop) < limits[places]
        return vector * torch.from_numpy(is_kept * factors[places])

    return restored(sources, settings, read)
