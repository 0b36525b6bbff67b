"""The threshold of a density: the k-th largest magnitude, in one pass and without a full sort.

A sample gives two magnitudes between which the threshold nearly always lies; a pass over the
vector counts the magnitudes above them and collects those between. If the sample misleads, or too
many lie between, histograms of the bits find the threshold in two more passes. Memory holds one
range of the vector and at most a quarter of it in float32.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_RANGE = 1 << 18  # elements per read: 1 MiB, which fits the L2 cache
_SAMPLE = 1 << 16  # elements of the sample at most; of a smaller vector one in 32
_RUN = 1 << 6  # neighbouring elements per run of the sample
_LEAST = np.nextafter(np.float32(0), np.float32(1))  # zeros are counted but not collected
_MOST = np.float32(np.inf)


@dataclass(frozen=True, slots=True)
class Cut:
    """Keeps magnitudes above ``threshold``, and before the index ``stop`` those equal to it."""

    threshold: np.float32
    stop: int


@dataclass(frozen=True, slots=True)
class Magnitudes:
    """A vector's magnitudes: ``read`` gives a range, ``sample`` the starts of equal parts.

    ``sample(parts, length)`` takes the first ``length`` entries of each of ``parts`` parts.
    """

    size: int
    read: Callable[[int, int], Floats]
    sample: Callable[[int, int], Floats]


def in_memory(values: Floats) -> Magnitudes:
    """Return the magnitudes of an array in memory."""

    def sample(parts: int, length: int) -> Floats:
        step = values.size // parts
        return values[: parts * step].reshape(parts, step)[:, :length].reshape(-1)

    return Magnitudes(values.size, lambda start, stop: values[start:stop], sample)


def num_kept(size: int, density: float) -> int:
    """Return how many of ``size`` entries a density keeps: int(density x size), at least one."""
    return max(1, int(density * size))


def cuts_of(magnitudes: Magnitudes, densities: Sequence[float]) -> list[Cut]:
    """Return, for each density, the cut that keeps exactly ``num_kept`` of the largest magnitudes.

    Of equal magnitudes it keeps those of lowest index.

    Entries of 0 may be kept or dropped: they add nothing.
    """
    counts = [num_kept(magnitudes.size, density) for density in densities]
    brackets = _brackets(magnitudes, counts)
    _fill(magnitudes, brackets)
    return [
        _cut(magnitudes, bracket, kept) for bracket, kept in zip(brackets, counts, strict=True)
    ]


def cut_of_sorted(ordered: Floats, values: Callable[[], Floats], density: float) -> Cut:
    """Return the same cut from the magnitudes in ascending order.

    ``values`` gives them unsorted; it is called only if some that equal the threshold are dropped.
    """
    size = ordered.size
    kept = num_kept(size, density)
    threshold: np.float32 = ordered[size - kept]
    first = int(np.searchsorted(ordered, threshold))
    stop = int(np.searchsorted(ordered, threshold, side="right"))
    num_ties_kept = kept - (size - stop)
    if num_ties_kept == stop - first or threshold == 0:
        return Cut(threshold, size)
    return Cut(threshold, int(np.flatnonzero(values() == threshold)[num_ties_kept]))


@dataclass(slots=True)
class _Bracket:
    """The magnitudes from ``low`` to ``high``, range by range, and how many are ``above``.

    If ``low`` equals ``high`` they are only counted: the arrays take no memory.
    """

    low: np.float32
    high: np.float32
    room: float
    above: int = 0
    size: int = 0
    values: list[Floats] = field(default_factory=list)

    def add(self, block: Floats) -> None:
        """Collect from a range, unless too many are collected already."""
        if self.size > self.room:
            return
        is_above = block > self.high
        self.above += int(np.count_nonzero(is_above))
        if self.low == self.high:
            inside = np.broadcast_to(self.low, int(np.count_nonzero(block == self.low)))
        else:
            inside = block[np.flatnonzero((block >= self.low) != is_above)]
        self.values.append(inside)
        self.size += inside.size


def _fill(magnitudes: Magnitudes, brackets: Sequence[_Bracket]) -> None:
    for start in range(0, magnitudes.size, _RANGE):
        block = magnitudes.read(start, min(start + _RANGE, magnitudes.size))
        for bracket in brackets:
            bracket.add(block)


def _brackets(magnitudes: Magnitudes, counts: Sequence[int]) -> list[_Bracket]:
    """Return a bracket for each number of kept entries, from a sample that is always the same."""
    size = magnitudes.size
    parts = min(size >> 5, _SAMPLE) // _RUN
    if parts < 16:  # a small vector is its own sample
        return [_Bracket(_LEAST, _MOST, math.inf) for _ in counts]
    sample = np.sort(magnitudes.sample(parts, _RUN))
    margin = 3 * math.isqrt(sample.size)  # six standard deviations or more
    brackets = []
    for kept in counts:
        middle = (size - kept) * sample.size // size
        low, high = middle - margin, middle + margin
        brackets.append(
            _Bracket(
                max(sample[low], _LEAST) if low >= 0 else _LEAST,
                max(sample[high], _LEAST) if high < sample.size else _MOST,
                size / 4,
            )
        )
    return brackets


def _cut(magnitudes: Magnitudes, bracket: _Bracket, kept: int) -> Cut:
    """Return the cut from a filled bracket, or from histograms if the bracket misses it."""
    size = magnitudes.size
    is_whole = bracket.size <= bracket.room
    if is_whole and bracket.low == _LEAST and kept > bracket.above + bracket.size:
        return Cut(np.float32(0), size)
    if not is_whole or not bracket.above < kept <= bracket.above + bracket.size:
        value = _kth_largest(magnitudes, kept)
        if value == 0:
            return Cut(value, size)
        bracket = _Bracket(value, value, math.inf)
        _fill(magnitudes, [bracket])
    num_ties = kept - bracket.above
    if bracket.low == bracket.high:
        threshold, num_equal = bracket.low, bracket.size
    else:
        values = np.sort(np.concatenate(bracket.values))  # a partition is slow on equal values
        threshold = values[values.size - num_ties]
        stop = int(np.searchsorted(values, threshold, side="right"))
        num_equal = stop - int(np.searchsorted(values, threshold))
        num_ties -= values.size - stop
    if num_ties >= num_equal:
        return Cut(threshold, size)
    return Cut(threshold, _place_of_equal(magnitudes, bracket, threshold, num_ties))


def _place_of_equal(
    magnitudes: Magnitudes, bracket: _Bracket, threshold: np.float32, number: int
) -> int:
    """Return the index of the entry that equals the threshold after ``number`` others do."""
    for i, values in enumerate(bracket.values):
        count = int(np.count_nonzero(values == threshold))
        if number < count:
            start = i * _RANGE
            block = magnitudes.read(start, min(start + _RANGE, magnitudes.size))
            return start + int(np.flatnonzero(block == threshold)[number])
        number -= count
    return magnitudes.size


def _kth_largest(magnitudes: Magnitudes, kept: int) -> np.float32:
    """Return the ``kept``-th largest magnitude; NaN counts as infinity.

    Bits sort as their magnitudes do: a histogram gives the upper 16, another the lower 16.
    """
    upper, kept = _bin_of(_histogram(magnitudes, None), kept)
    lower, _ = _bin_of(_histogram(magnitudes, upper), kept)
    value: np.float32 = np.uint32((upper << 16) + lower).view(np.float32)
    return value


def _histogram(magnitudes: Magnitudes, upper: int | None) -> NDArray[np.int64]:
    """Return how often each value of the upper 16 bits occurs; given ``upper``, of the lower."""
    counts = np.zeros(1 << 16, dtype=np.int64)
    for start in range(0, magnitudes.size, _RANGE):
        block = magnitudes.read(start, min(start + _RANGE, magnitudes.size))
        bits = np.minimum(block.view(np.uint32), _MOST.view(np.uint32))
        half = bits >> np.uint32(16)
        if upper is not None:
            half = bits[half == upper] & np.uint32(0xFFFF)
        counts += np.bincount(half, minlength=1 << 16)
    return counts


def _bin_of(counts: NDArray[np.int64], kept: int) -> tuple[int, int]:
    """Return the bin of the ``kept``-th largest, and which of the bin's largest it is."""
    above = np.cumsum(counts[::-1])[::-1]  # how many are in a bin or in one above it
    index = int(np.flatnonzero(above >= kept)[-1])
    return index, kept - int(above[index] - counts[index])
