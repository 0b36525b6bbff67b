"""The only source of randomness: keyed, counter-based, independent of order, threads and shards.

The generator is Philox 4x64-10 (Salmon et al. 2011, "Parallel random numbers: as easy
as 1, 2, 3").
"""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.hashing import canonical_json

_BLOCK_BYTES = 32  # one Philox block is four 64-bit words


def key(*parts: str | int) -> int:
    """Return the 128-bit key of ``parts``: equal parts and only they have equal keys."""
    digest = hashlib.sha256(canonical_json(list(parts)).encode()).digest()
    return int.from_bytes(digest[:16], "little")


def random_words(stream: int, start: int, count: int) -> NDArray[np.uint32]:
    """Return words ``start`` to ``start + count`` of a key's stream of uniform 32-bit words.

    Any division of the range gives the same words: word i depends on the key and i alone.
    """
    found: NDArray[np.uint32] = _stream(stream, start, count, np.dtype("<u4"))
    return found


def random_halves(stream: int, start: int, count: int) -> NDArray[np.uint16]:
    """Return the same of 16-bit words: the upper halves of the words that ``at_most`` compares."""
    found: NDArray[np.uint16] = _stream(stream, start, count, np.dtype("<u2"))
    return found


def at_most(
    stream: int,
    start: int,
    halves: NDArray[np.uint16],
    highest: np.uint32 | NDArray[np.uint32],
) -> NDArray[np.bool_]:
    """Return which 32-bit words from ``start`` on are no more than ``highest``, one or one each.

    ``halves`` are the upper halves of the words, by ``random_halves``. They nearly always decide;
    a lower half is made only where they do not, from the same key and another counter.
    """
    upper = np.right_shift(highest, 16).astype(np.uint16)
    lower = np.bitwise_and(highest, 0xFFFF)
    if lower.ndim == 0 and lower == 0xFFFF:  # no lower half is more
        return np.asarray(halves <= upper)
    found = np.asarray(halves < upper)
    limits = np.broadcast_to(lower, halves.shape)
    for i in np.flatnonzero(halves == upper).tolist():
        found[i] = _stream(stream, start + i, 1, np.dtype("<u2"), lane=1)[0] <= limits[i]
    return found


def _stream(
    stream: int, start: int, count: int, dtype: np.dtype[Any], *, lane: int = 0
) -> NDArray[Any]:
    """Return entries of a key's stream; each ``lane`` is 2^192 blocks from the others."""
    per_block = _BLOCK_BYTES // dtype.itemsize
    skipped, offset = divmod(start, per_block)
    bits = np.random.Philox(key=stream, counter=[0, 0, 0, lane])
    bits.advance(skipped)
    num_blocks = -(-(offset + count) // per_block)
    words = bits.random_raw(num_blocks * 4).astype("<u8", copy=False).view(dtype)
    return words[offset : offset + count].astype(dtype.newbyteorder("="), copy=False)


def random_state(*parts: str | int) -> np.random.RandomState:
    """Return the legacy NumPy generator of ``parts``, which nevergrad needs."""
    return np.random.RandomState(key(*parts) % 2**32)


def generator(*parts: str | int) -> np.random.Generator:
    """Return the NumPy generator of ``parts``, for statistics over a stream of its own."""
    return np.random.Generator(np.random.Philox(key=key(*parts)))
