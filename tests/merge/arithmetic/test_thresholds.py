"""Cuts: those of a stable sort of all, whatever the values and however they are read."""

import numpy as np
import pytest
from numpy.typing import NDArray

from stages.merge.arithmetic.thresholds import Cut, Magnitudes, cuts_of, in_memory, num_kept

SIZE = 400_000  # large enough to be sampled
DENSITIES = (0.001, 0.3, 0.5, 0.999)
KINDS = ("smooth", "stepped", "constant", "sorted", "half zero", "two steps", "rare")


def _values(kind: str) -> NDArray[np.float32]:
    """Return magnitudes of a kind: those that sampling is made for, and those that mislead it."""
    values = np.abs(np.random.Generator(np.random.Philox(7)).standard_normal(SIZE))
    if kind == "stepped":
        values = np.round(values * 8)
    elif kind == "constant":
        values[:] = 1.0
    elif kind == "sorted":
        values.sort()
    elif kind == "half zero":
        values[::2] = 0.0
    elif kind == "two steps":
        values = np.where(values > 0.6, 3.0, 0.25)
    elif kind == "rare":  # nothing that the sample sees tells of the rest
        step = SIZE // (SIZE // 32 // 64)
        values = np.where(np.arange(SIZE) % step < 64, 5.0, values)
    return values.astype(np.float32)


def _kept(values: NDArray[np.float32], cut: Cut) -> NDArray[np.bool_]:
    """Return which entries a cut keeps."""
    is_before = np.arange(values.size) < cut.stop
    kept: NDArray[np.bool_] = (values > cut.threshold) | ((values == cut.threshold) & is_before)
    return kept


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_keeps_the_first_of_the_largest(kind: str) -> None:
    """Several cuts found at once are those of a stable sort of all."""
    values = _values(kind)
    order = np.argsort(-values, kind="stable")
    for density, cut in zip(DENSITIES, cuts_of(in_memory(values), DENSITIES), strict=True):
        expected = np.zeros(SIZE, dtype=bool)
        expected[order[: num_kept(SIZE, density)]] = True
        is_something = values > 0  # zeros are all the same to it
        assert np.array_equal(expected & is_something, _kept(values, cut) & is_something)


def test_a_cut_reads_a_smooth_vector_once() -> None:
    """Where the sample does not mislead, each entry is read once, for any number of cuts."""
    values, read = _values("smooth"), []

    def counted(start: int, stop: int) -> NDArray[np.float32]:
        read.append(stop - start)
        return values[start:stop]

    magnitudes = in_memory(values)
    cuts_of(Magnitudes(SIZE, counted, magnitudes.sample), DENSITIES)
    assert SIZE == sum(read)


def test_what_is_not_a_number_ends_no_search() -> None:
    """Where NaN and infinities fill most of a vector a cut is given all the same."""
    values = _values("smooth")
    values[1::3], values[2::3] = np.nan, np.inf
    assert len(DENSITIES) == len(cuts_of(in_memory(values), DENSITIES))
