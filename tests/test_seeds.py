"""Keyed randomness."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stages.seeds import at_most, key, random_bytes, random_state, random_words


@given(
    start=st.integers(0, 300),
    count=st.integers(1, 200),
    cut=st.integers(0, 200),
    words=st.sampled_from([random_words, random_bytes]),
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


def _at_most(stream: int, start: int, first: NDArray[np.uint8], bound: Any) -> NDArray[np.bool_]:
    highest = np.asarray(bound, dtype=np.uint32)
    return at_most(stream, first, highest, lambda places: places + start)


def _words(stream: int, start: int, first: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return the 32-bit words that ``at_most`` compares, found by halving what they can be."""
    low = np.zeros(first.size, dtype=np.uint64)
    high = np.full(first.size, 2**32 - 1, dtype=np.uint64)
    while (low < high).any():
        middle = (low + high) // 2
        is_below = _at_most(stream, start, first, middle)
        low, high = np.where(is_below, low, middle + 1), np.where(is_below, middle, high)
    return low.astype(np.uint32)


def test_first_bytes_are_completed_by_the_rest() -> None:
    """Words have their bytes, a rest of their own, and one bound for all does the same."""
    stream, start = key(2, "x"), 5
    first = random_bytes(stream, start, 64)
    words = _words(stream, start, first)
    assert np.array_equal(first, words >> 24)
    assert 64 == len(set((words & 0xFFFFFF).tolist()))
    assert np.array_equal(words[10:], _words(stream, start + 10, first[10:]))
    for bound in (0, 1, int(words[3]), int(words[3]) - 1, 2**31 - 1, 2**32 - 1):
        assert np.array_equal(words <= bound, _at_most(stream, start, first, bound))


def test_bounds_are_one_for_each_column() -> None:
    """Rows of words in any order meet their column's bound, and the rest of their own place."""
    stream, length = key(2, "x"), 7
    first = random_bytes(stream, 0, 21)
    words = _words(stream, 0, first)
    order = np.array([20 - i for i in range(21)])
    bounds = words[order][7:14]  # of the second row every rest decides
    is_at_most = at_most(stream, first[order].reshape(3, length), bounds, lambda at: order[at])
    assert np.array_equal(words[order].reshape(3, length) <= bounds, is_at_most)
    assert is_at_most[1].all()


def test_words_are_uniform() -> None:
    """Of many words the share that is at most a bound is the bound's, and so is it of rests."""
    stream, count = key(3, "x"), 2**16
    first = random_bytes(stream, 0, count)
    for share in (0.1, 0.5, 1 / 3):
        is_at_most = _at_most(stream, 0, first, int(share * 2**32))
        assert abs(is_at_most.mean() - share) < 0.01
        same = np.full(count, 7, dtype=np.uint8)
        is_at_most = _at_most(stream, 0, same, (7 << 24) + int(share * 2**24))
        assert abs(is_at_most.mean() - share) < 0.01


GOLDEN = [3356587341, 1195468285, 1257369814, 2908907011]
PUBLISHED = [6457827717110365317, 3203168211198807973]  # SplitMix64 from 1234567


def test_words_are_golden() -> None:
    """The stream is fixed: a change of it would change every mask ever drawn."""
    words = random_words(key(0, "a"), 0, 4)
    first = random_bytes(key(0, "a"), 0, 16)

    assert np.uint32 == words.dtype
    assert np.uint8 == first.dtype
    assert GOLDEN == words.tolist()
    assert words.astype("<u4").tobytes() == first.tobytes()


def test_rests_are_those_published() -> None:
    """A word's last 24 bits are the first ones of SplitMix64's, whose state is half the key."""
    words = _words(1234567 << 64, 0, np.zeros(2, dtype=np.uint8))
    assert [number >> 40 for number in PUBLISHED] == (words & 0xFFFFFF).tolist()


def test_keys_of_different_parts_differ() -> None:
    """No two lists of parts share a key, also where their text runs together."""
    assert 4 == len({key("ab", "c"), key("a", "bc"), key("abc"), key(1, "abc")})


def test_random_state_repeats() -> None:
    """Equal parts give equal draws."""
    assert random_state(3, "x").random_sample() == random_state(3, "x").random_sample()
