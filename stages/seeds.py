"""The only source of randomness: keyed, counter-based, independent of order, threads and shards.

The generator is Philox 4x64-10 (Salmon et al. 2011, "Parallel random numbers: as easy
as 1, 2, 3"). Where a mask needs more than one byte for an entry, SplitMix64 gives the rest.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.hashing import canonical_json

Places = Callable[[NDArray[np.int64]], NDArray[np.int64]]

_BLOCK_BYTES = 32  # one Philox block is four 64-bit words
_REST = np.uint32(0xFFFFFF)  # all of a word but its first byte


def key(*parts: str | int) -> int:
    """Return the 128-bit key of ``parts``: equal parts and only they have equal keys."""
    digest = hashlib.sha256(canonical_json(list(parts)).encode()).digest()
    return int.from_bytes(digest[:16], "little")


def random_words(stream: int, start: int, count: int) -> NDArray[np.uint32]:
    """Return words ``start`` to ``start + count`` of a key's stream of uniform 32-bit words.

    Any division of the range gives the same words: word i depends on the key and i alone.
    """
    words: NDArray[np.uint32] = _stream(stream, start, count, np.dtype("<u4"))
    return words


def random_bytes(stream: int, start: int, count: int) -> NDArray[np.uint8]:
    """Return the first bytes of the words that ``at_most`` compares, as 8-bit words."""
    words: NDArray[np.uint8] = _stream(stream, start, count, np.dtype("u1"))
    return words


def at_most(
    stream: int, first: NDArray[np.uint8], highest: NDArray[np.uint32], places: Places
) -> NDArray[np.bool_]:
    """Return which 32-bit words are at most ``highest``, which broadcasts to them.

    ``first`` holds the words' first bytes, by ``random_bytes``. They decide 255 words of 256;
    only for the others are more bytes generated. These follow from the key and from the
    indices in the stream that ``places`` gives for flat indices in ``first``.
    """
    upper = np.right_shift(highest, 24).astype(np.uint8)
    rest = np.bitwise_and(highest, _REST)
    if rest.ndim == 0 and rest == _REST:  # no word has a larger rest
        return np.asarray(first <= upper)
    is_at_most = np.asarray(first < upper)
    doubtful = np.flatnonzero(first == upper)
    limits = np.broadcast_to(rest, first.shape)[np.unravel_index(doubtful, first.shape)]
    is_at_most.reshape(-1)[doubtful] = _rests(stream, places(doubtful)) <= limits
    return is_at_most


def _stream(stream: int, start: int, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    per_block = _BLOCK_BYTES // dtype.itemsize
    skipped, offset = divmod(start, per_block)
    bits = np.random.Philox(key=stream)
    bits.advance(skipped)
    num_blocks = -(-(offset + count) // per_block)
    words = bits.random_raw(num_blocks * 4).astype("<u8", copy=False).view(dtype)
    return words[offset : offset + count].astype(dtype.newbyteorder("="), copy=False)


def _rests(stream: int, places: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return 24 random bits for each index: SplitMix64's, which are cheap to generate one by one.

    Source: Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195.
    """
    bits = (places.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    bits += np.uint64(stream >> 64)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (bits ^ (bits >> np.uint64(31))) >> np.uint64(40)


def random_state(*parts: str | int) -> np.random.RandomState:
    """Return the legacy NumPy generator of ``parts``, which nevergrad needs."""
    return np.random.RandomState(key(*parts) % 2**32)


def generator(*parts: str | int) -> np.random.Generator:
    """Return the NumPy generator of ``parts``, for statistics over a stream of its own."""
    return np.random.Generator(np.random.Philox(key=key(*parts)))
