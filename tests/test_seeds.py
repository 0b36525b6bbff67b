"""Keyed randomness."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stages.seeds import at_most, key, random_halves, random_state, random_words


@given(
    start=st.integers(0, 300),
    count=st.integers(1, 200),
    cut=st.integers(0, 200),
    words=st.sampled_from([random_words, random_halves]),
)
def test_words_do_not_depend_on_how_the_range_is_divided(
    start: int, count: int, cut: int, words: Callable[[int, int, int], NDArray[Any]]
) -> None:
    """Word i is a function of the key and i alone."""
    stream = key(1, "parent", "tensor")
    cut = min(cut, count)

    whole = words(stream, start, count)
    parts = [words(stream, start, cut), words(stream, start + cut, count - cut)]

    assert np.array_equal(whole, np.concatenate(parts))


def _words(stream: int, start: int, halves: NDArray[np.uint16]) -> NDArray[np.uint32]:
    """Return the 32-bit words that ``at_most`` compares, found by halving what they can be."""
    low = np.zeros(halves.size, dtype=np.uint64)
    high = np.full(halves.size, 2**32 - 1, dtype=np.uint64)
    while (low < high).any():
        middle = (low + high) // 2
        is_below = at_most(stream, start, halves, middle.astype(np.uint32))
        low, high = np.where(is_below, low, middle + 1), np.where(is_below, middle, high)
    return low.astype(np.uint32)


def test_upper_halves_are_completed_by_lower_ones() -> None:
    """Words have their halves, lower halves of their own, and one bound for all does the same."""
    stream, start = key(2, "x"), 5
    halves = random_halves(stream, start, 64)
    words = _words(stream, start, halves)
    assert np.array_equal(halves, words >> 16)
    assert len(set((words & 0xFFFF).tolist())) > 60
    assert np.array_equal(words[10:], _words(stream, start + 10, halves[10:]))
    for bound in (0, 1, int(words[3]), int(words[3]) - 1, 2**31 - 1, 2**32 - 1):
        assert np.array_equal(words <= bound, at_most(stream, start, halves, np.uint32(bound)))


def test_words_are_uniform() -> None:
    """Of many words the share that is at most a bound is the bound's, halves or not."""
    halves = random_halves(key(3, "x"), 0, 2**16)
    for share in (0.1, 0.5, 1 / 3):
        found = at_most(key(3, "x"), 0, halves, np.uint32(share * 2**32))
        assert abs(found.mean() - share) < 0.01


GOLDEN = [3356587341, 1195468285, 1257369814, 2908907011]


def test_words_are_golden() -> None:
    """The stream is fixed: a change of it would change every mask ever drawn."""
    words = random_words(key(0, "a"), 0, 4)
    halves = random_halves(key(0, "a"), 0, 8)

    assert np.uint32 == words.dtype
    assert np.uint16 == halves.dtype
    assert GOLDEN == words.tolist()
    assert words.astype("<u4").tobytes() == halves.astype("<u2").tobytes()


def test_keys_of_different_parts_differ() -> None:
    """No two lists of parts share a key, also where their text runs together."""
    assert 4 == len({key("ab", "c"), key("a", "bc"), key("abc"), key(1, "abc")})


def test_random_state_repeats() -> None:
    """Equal parts give equal draws."""
    assert random_state(3, "x").random_sample() == random_state(3, "x").random_sample()
