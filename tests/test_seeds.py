"""Keyed randomness."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stages.seeds import key, random_state, random_words


@given(start=st.integers(0, 300), count=st.integers(1, 200), cut=st.integers(0, 200))
def test_words_do_not_depend_on_how_the_range_is_divided(start: int, count: int, cut: int) -> None:
    """Word i is a function of the key and i alone."""
    stream = key(1, "parent", "tensor")
    cut = min(cut, count)

    whole = random_words(stream, start, count)
    parts = [random_words(stream, start, cut), random_words(stream, start + cut, count - cut)]

    assert np.array_equal(whole, np.concatenate(parts))


GOLDEN = [3356587341, 1195468285, 1257369814, 2908907011]


def test_words_are_golden() -> None:
    """The stream is fixed: a change of it would change every mask ever drawn."""
    words = random_words(key(0, "a"), 0, 4)

    assert np.uint32 == words.dtype
    assert GOLDEN == words.tolist()


def test_keys_of_different_parts_differ() -> None:
    """No two lists of parts share a key, also where their text runs together."""
    assert 4 == len({key("ab", "c"), key("a", "bc"), key("abc"), key(1, "abc")})


def test_random_state_repeats() -> None:
    """Equal parts give equal draws."""
    assert random_state(3, "x").random_sample() == random_state(3, "x").random_sample()
