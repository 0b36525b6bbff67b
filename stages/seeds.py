"""The only source of randomness: keyed, counter-based, independent of order, threads and shards.

The generator is Philox 4x64-10 (Salmon et al. 2011, "Parallel random numbers: as easy
as 1, 2, 3").
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from stages.hashing import canonical_json

_WORDS_PER_BLOCK = 8  # one Philox block is four 64-bit words, read here as eight 32-bit words


def key(*parts: str | int) -> int:
    """Return the 128-bit key of ``parts``: equal parts and only they have equal keys."""
    digest = hashlib.sha256(canonical_json(list(parts)).encode()).digest()
    return int.from_bytes(digest[:16], "little")


def random_words(stream: int, start: int, count: int) -> NDArray[np.uint32]:
    """Return words ``start`` to ``start + count`` of a key's stream of uniform 32-bit words.

    Any division of the range gives the same words: word i depends on the key and i alone.
    """
    skipped, offset = divmod(start, _WORDS_PER_BLOCK)
    bits = np.random.Philox(key=stream)
    bits.advance(skipped)
    num_blocks = -(-(offset + count) // _WORDS_PER_BLOCK)
    words = bits.random_raw(num_blocks * 4).astype("<u8", copy=False).view("<u4")
    return words[offset : offset + count].astype(np.uint32, copy=False)


def random_state(*parts: str | int) -> np.random.RandomState:
    """Return the legacy NumPy generator of ``parts``, which nevergrad needs."""
    return np.random.RandomState(key(*parts) % 2**32)


def generator(*parts: str | int) -> np.random.Generator:
    """Return the NumPy generator of ``parts``, for statistics over a stream of its own."""
    return np.random.Generator(np.random.Philox(key=key(*parts)))
