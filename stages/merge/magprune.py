"""MAGPRUNE: drop at random, small entries sooner (Deep et al. 2024, arXiv:2406.11617)."""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.merge.method import Settings, Sources
from stages.merge.rescale import INVERSE_DENSITY, restored
from stages.merge.task_sum import Sparse

_SHORTEST = 128  # a row of fewer entries is sorted as fast by longer words
_FEW = 200  # where one entry in so many needs its lowest bits, too many rows are sorted twice


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
    bits = np.ascontiguousarray(magnitudes).view(np.uint32)  # they order as the magnitudes do
    spare = np.uint32((1 << max((bits.shape[1] - 1).bit_length() - 1, 0)) - 1)
    has_spare = (bits & spare) != 0
    is_short = _SHORTEST <= bits.shape[1] <= 1 << 16
    if not is_short or np.count_nonzero(has_spare) > bits.size / _FEW:
        return _ranks_in(_order(bits))
    order = _short_order(bits, spare)
    ranks = _ranks_in(order)
    wrong = _disordered(bits, order, ranks, np.flatnonzero(has_spare))
    ranks[wrong] = _ranks_in(_order(bits[wrong]))
    return ranks


def _disordered(
    bits: NDArray[np.uint32],
    order: NDArray[np.int64],
    ranks: NDArray[np.int32],
    doubtful: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the rows in which an entry comes before a smaller one.

    It is one of the flat places ``doubtful``: of two words alike but for their lowest bits, the
    larger has some.
    """
    row, entry = np.divmod(doubtful, bits.shape[1])
    after = np.minimum(ranks[row, entry] + 1, bits.shape[1] - 1)  # the last is its own
    return np.unique(row[bits[row, order[row, after]] < bits[row, entry]])


def _order(bits: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return the places of each row's entries in ascending order, of equals the last first."""
    last = bits.shape[1] - 1
    keys = bits.astype(np.uint64) << np.uint64(32)
    keys |= np.arange(last, -1, -1, dtype=np.uint64)
    keys.sort(axis=1)
    keys &= np.uint64(0xFFFFFFFF)
    order: NDArray[np.int64] = last - keys.view(np.int64)
    return order


def _short_order(bits: NDArray[np.uint32], spare: np.uint32) -> NDArray[np.int64]:
    """Return the same by sorting words half as long, in which places take the ``spare`` bits.

    Differences of bfloat16 numbers have few digits, so the lowest bits are nearly always 0. A row
    in which they decide comes out of order.
    """
    last = bits.shape[1] - 1
    keys = (bits & ~spare) << np.uint32(1)  # the sign, too, is always 0
    keys |= np.arange(last, -1, -1, dtype=np.uint32)
    keys.sort(axis=1)
    keys &= np.uint32(2 * spare + 1)
    order: NDArray[np.int64] = last - keys.astype(np.int64)
    return order


def _ranks_in(order: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return each entry's place in the order of its row."""
    ranks = torch.empty(order.shape, dtype=torch.int32)
    places = torch.arange(order.shape[1], dtype=torch.int32).expand(order.shape)
    found: NDArray[np.int32] = ranks.scatter_(1, torch.from_numpy(order), places).numpy()
    return found


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
    def tables(density: float, epsilon: float) -> tuple[Tensor, Tensor]:
        """Return, by rank, the highest word that keeps an entry, and what it is times then.

        That is nothing where no word does; words are held as the int32 of equal bits.
        """
        found = chances(length, density, epsilon)
        limits = np.rint(found * 2**32).astype(np.int64)
        factors = np.zeros(length)
        np.divide(1.0, found if over_chance else 1.0, where=limits > 0, out=factors)
        highest = (np.maximum(limits, 1) - 1).astype(np.uint32).view(np.int32)
        return torch.from_numpy(highest), torch.from_numpy(factors.astype(np.float32))

    def read(index: int, start: int, stop: int) -> Tensor:
        vector = sources.task_vector(index, start, stop)
        density = settings.parent["density"][index]
        if density == 1.0:
            return vector
        highest, factors = tables(density, settings.parent["epsilon"][index])
        places = torch.from_numpy(ranks(index, start, stop))
        bound = highest.index_select(0, places).numpy().view(np.uint32)
        is_kept = sources.drawn(index, start, stop, bound)
        factor = factors.index_select(0, places)
        factor *= torch.from_numpy(is_kept.astype(np.float32))
        return factor.mul_(vector)

    return restored(sources, settings, read)
