"""Where a density cuts: the k-th largest magnitude, found in one pass and without sorting all.

A sample tells two magnitudes between which the threshold nearly always lies; a pass over the
vector counts what is above them and takes what is between. Where the sample misleads, or too many
lie between, histograms of the bits find the threshold in two passes more. Memory holds a range of
the vector and, of the rest, at most a quarter in float32.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_RANGE = 1 << 18  # entries looked at at a time: they fit in the processor's cache
_SAMPLE = 1 << 16  # at most so many entries tell about where a threshold lies: one in 32
_RUN = 1 << 6  # neighbours that the sample takes at once
_LEAST = np.nextafter(np.float32(0), np.float32(1))  # zeros are counted, and never collected
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
    """Return the magnitudes that an array holds."""

    def sample(parts: int, length: int) -> Floats:
        step = values.size // parts
        return values[: parts * step].reshape(parts, step)[:, :length].reshape(-1)

    return Magnitudes(values.size, lambda start, stop: values[start:stop], sample)


def num_kept(size: int, density: float) -> int:
    """Return how many of ``size`` entries a density keeps: int(density x size), at least one."""
    return max(1, int(density * size))


def cuts_of(magnitudes: Magnitudes, densities: Sequence[float]) -> list[Cut]:
    """Return, for each density, the cut that keeps exactly ``num_kept``, the first of equal ones.

    Entries of 0 are all the same to it: kept or dropped, they add nothing.
    """
    counts = [num_kept(magnitudes.size, density) for density in densities]
    brackets = _brackets(magnitudes, counts)
    _fill(magnitudes, brackets)
    return [
        _cut(magnitudes, bracket, kept) for bracket, kept in zip(brackets, counts, strict=True)
    ]


def cut_of_sorted(ordered: Floats, values: Callable[[], Floats], density: float) -> Cut:
    """Return the same cut from the magnitudes in ascending order.

    The magnitudes in their places are asked for only where some that equal the threshold go.
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

    Those of one value are only counted: their arrays take no memory.
    """

    low: np.float32
    high: np.float32
    room: float
    above: int = 0
    size: int = 0
    values: list[Floats] = field(default_factory=list)

    def add(self, block: Floats) -> None:
        """Take in a range, unless there were too many before."""
        if self.size > self.room:
            return
        is_above = block > self.high
        self.above += int(np.count_nonzero(is_above))
        if self.low == self.high:
            found = np.broadcast_to(self.low, int(np.count_nonzero(block == self.low)))
        else:
            found = block[np.flatnonzero((block >= self.low) != is_above)]
        self.values.append(found)
        self.size += found.size


def _fill(magnitudes: Magnitudes, brackets: Sequence[_Bracket]) -> None:
    for start in range(0, magnitudes.size, _RANGE):
        block = magnitudes.read(start, min(start + _RANGE, magnitudes.size))
        for bracket in brackets:
            bracket.add(block)


def _brackets(magnitudes: Magnitudes, counts: Sequence[int]) -> list[_Bracket]:
    """Return a bracket for each number of kept entries, from a sample; the same each time."""
    size = magnitudes.size
    parts = min(size >> 5, _SAMPLE) // _RUN
    if parts < 16:  # a small vector is its own sample
        return [_Bracket(_LEAST, _MOST, math.inf) for _ in counts]
    sample = np.sort(magnitudes.sample(parts, _RUN))
    margin = 3 * math.isqrt(sample.size)  # six standard deviations or more
    found = []
    for kept in counts:
        middle = (size - kept) * sample.size // size
        low, high = middle - margin, middle + margin
        found.append(
            _Bracket(
                max(sample[low], _LEAST) if low >= 0 else _LEAST,
                max(sample[high], _LEAST) if high < sample.size else _MOST,
                size / 4,
            )
        )
    return found


def _cut(magnitudes: Magnitudes, bracket: _Bracket, kept: int) -> Cut:
    """Return the cut, from a bracket that is filled, or from another where it does not do."""
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
        values = np.sort(np.concatenate(bracket.values))  # a partition takes long over equals
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
    """Return the index of the entry before which ``number`` others equal the threshold."""
    for i, values in enumerate(bracket.values):
        count = int(np.count_nonzero(values == threshold))
        if number < count:
            start = i * _RANGE
            block = magnitudes.read(start, min(start + _RANGE, magnitudes.size))
            return start + int(np.flatnonzero(block == threshold)[number])
        number -= count
    return magnitudes.size


def _kth_largest(magnitudes: Magnitudes, kept: int) -> np.float32:
    """Return the ``kept``-th largest magnitude; what is no number counts as infinity.

    Bits of magnitudes order as they do: the upper 16 are found first, then the lower 16.
    """
    upper, kept = _bin_of(_histogram(magnitudes, None), kept)
    lower, _ = _bin_of(_histogram(magnitudes, upper), kept)
    value: np.float32 = np.uint32((upper << 16) + lower).view(np.float32)
    return value


def _histogram(magnitudes: Magnitudes, upper: int | None) -> NDArray[np.int64]:
    """Return how often the upper 16 bits take each value; or the lower, where ``upper`` is met."""
    counts = np.zeros(1 << 16, dtype=np.int64)
    for start in range(0, magnitudes.size, _RANGE):
        block = magnitudes.read(start, min(start + _RANGE, magnitudes.size))
        bits = np.minimum(block.view(np.uint32), _MOST.view(np.uint32))
        chosen = bits >> np.uint32(16)
        if upper is not None:
            chosen = bits[chosen == upper] & np.uint32(0xFFFF)
        counts += np.bincount(chosen, minlength=1 << 16)
    return counts


def _bin_of(counts: NDArray[np.int64], kept: int) -> tuple[int, int]:
    """Return the bin of the ``kept``-th largest, and which of the bin's largest it is."""
    above = np.cumsum(counts[::-1])[::-1]  # how many are in a bin or in one above it
    place = int(np.flatnonzero(above >= kept)[-1])
    return place, kept - int(above[place] - counts[place])
