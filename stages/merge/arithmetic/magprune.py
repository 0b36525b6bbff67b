"""MAGPRUNE: drop entries at random, small ones more often (Deep et al. 2024, arXiv:2406.11617)."""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.merge.arithmetic.method import Settings, Sources
from stages.merge.arithmetic.rescale import INVERSE_DENSITY, restored
from stages.merge.arithmetic.sparsify import chance
from stages.merge.arithmetic.task_vector_sums import Sparse

_SHORTEST = 128  # elements: below it 32-bit keys sort no faster than 64-bit keys
_FEW = 200  # if more than one element in 200 needs its lowest bits, too many rows sort twice


def chances(num_ranks: int, density: float, epsilon: float) -> NDArray[np.float64]:
    """Return the probability with which each rank is kept, from the smallest magnitude's up.

    They rise evenly from density - epsilon to density + epsilon, so their mean is ``density``.
    Epsilon is reduced where that would leave [0, 1]; a single rank has ``density``.
    """
    spread = min(epsilon, density, 1.0 - density)
    if num_ranks < 2:
        return np.full(num_ranks, density)
    rising = density - spread + 2.0 * spread * np.arange(num_ranks) / (num_ranks - 1)
    return np.clip(rising, 0.0, 1.0)


def row_order(magnitudes: NDArray[np.float32]) -> Tensor:
    """Return the indices that sort each row by magnitude, the smallest first, as int64.

    Of equal magnitudes the one of lowest index counts as the larger.
    """
    bits = np.ascontiguousarray(magnitudes).view(np.uint32)  # sort as their floats do
    spare = np.uint32((1 << max((bits.shape[1] - 1).bit_length() - 1, 0)) - 1)
    has_spare = (bits & spare) != 0
    is_short = _SHORTEST <= bits.shape[1] <= 1 << 16
    if not is_short or np.count_nonzero(has_spare) > bits.size / _FEW:
        return _order(bits)
    keys, position_bits = _short_keys(bits, spare), 2 * spare + 1
    ordered = np.sort(keys, axis=1)
    order = torch.from_numpy((~ordered & position_bits).view(np.int32)).to(torch.int64)
    wrong = _disordered(bits, keys, ordered, order.numpy(), np.flatnonzero(has_spare))
    order[torch.from_numpy(wrong)] = _order(bits[wrong])
    return order


def _disordered(
    bits: NDArray[np.uint32],
    keys: NDArray[np.uint32],
    ordered: NDArray[np.uint32],
    order: NDArray[np.int64],
    doubtful: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the rows in which an entry comes before a smaller one.

    That entry is at one of the flat indices ``doubtful``: of two keys that differ only in their
    positions, the entry whose lowest bits are missing from its key is the larger.
    """
    last = bits.shape[1] - 1
    row, entry = np.divmod(doubtful, bits.shape[1])
    after = np.minimum(_found(ordered, row, keys[row, entry]) + 1, last)  # the last is its own
    return np.unique(row[bits[row, order[row, after]] < bits[row, entry]])


def _found(
    ordered: NDArray[np.uint32], row: NDArray[np.int64], wanted: NDArray[np.uint32]
) -> NDArray[np.int64]:
    """Return the index of each wanted number in its ascending row, by bisection of all at once."""
    low, high = np.zeros_like(row), np.full_like(row, ordered.shape[1] - 1)
    for _ in range(ordered.shape[1].bit_length()):
        middle = (low + high) // 2
        is_later = ordered[row, middle] < wanted
        low, high = np.where(is_later, middle + 1, low), np.where(is_later, high, middle)
    return low


def _order(bits: NDArray[np.uint32]) -> Tensor:
    """Return the indices that sort each row, of equal numbers the last first."""
    last = bits.shape[1] - 1
    keys = bits.astype(np.uint64) << np.uint64(32)
    keys |= np.arange(last, -1, -1, dtype=np.uint64)
    keys.sort(axis=1)
    keys &= np.uint64(0xFFFFFFFF)
    return torch.from_numpy(last - keys.view(np.int64))


def _short_keys(bits: NDArray[np.uint32], spare: np.uint32) -> NDArray[np.uint32]:
    """Return 32-bit sort keys: complements of the positions take the ``spare`` lowest bits.

    Differences of bfloat16 numbers have few digits, so their lowest bits are nearly always 0. A
    row whose order depends on these bits comes out wrong, and is sorted again by its caller.
    """
    keys = bits & ~spare
    keys <<= np.uint32(1)  # the sign bit is always 0, too
    keys |= ~np.arange(bits.shape[1], dtype=np.uint32) & (2 * spare + 1)
    return keys


def pruned(sources: Sources, settings: Settings) -> Sparse:
    """Return the reader of the task vectors after MAGPRUNE: entries dropped, the rest rescaled.

    Which entries are dropped depends on the recipe's seed, the parent's hash, the tensor's name,
    and each entry's index and rank in its row.
    """
    length = sources.row_length
    over_chance = settings.choice["rescale"] == INVERSE_DENSITY
    latest: dict[int, tuple[int, int, Tensor]] = {}

    @cache
    def tables(density: float, epsilon: float) -> tuple[NDArray[np.uint32], Tensor]:
        """Return, for each rank, the largest random word that keeps an entry, and its factor.

        The factor is 0 if no word keeps the entry.
        """
        probabilities = chances(length, density, epsilon)
        highest, is_any = chance(probabilities)
        factors = np.zeros(length)
        np.divide(1.0, probabilities if over_chance else 1.0, where=is_any, out=factors)
        return highest, torch.from_numpy(factors.astype(np.float32))

    def factors(index: int, start: int, stop: int) -> Tensor:
        """Return the factor of each entry of whole rows; the latest range is kept."""
        if index not in latest or latest[index][:2] != (start, stop):
            rows = sources.task_vector(index, start, stop).abs_().numpy().reshape(-1, length)
            order = row_order(rows)
            highest, factor = tables(*(settings.parent[p][index] for p in ("density", "epsilon")))
            is_kept = sources.drawn(index, start, stop, highest, order)
            by_rank = torch.from_numpy(is_kept.astype(np.float32)).mul_(factor)
            by_entry = torch.empty_like(by_rank).scatter_(1, order, by_rank)
            latest[index] = start, stop, by_entry.view(-1)
        return latest[index][2]

    def read(index: int, start: int, stop: int) -> Tensor:
        vector = sources.task_vector(index, start, stop)
        if settings.parent["density"][index] == 1.0:
            return vector
        first, last = start // length * length, -(-stop // length) * length
        return vector.mul_(factors(index, first, last)[start - first : stop - first])

    return restored(sources, settings, read)
