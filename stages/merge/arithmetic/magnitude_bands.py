"""Bands of magnitude: the entries whose magnitudes rank between two numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from stages.merge.arithmetic.method import Sources
from stages.merge.arithmetic.sparsify import drop_largest, keep_largest
from stages.merge.arithmetic.thresholds import Cut, cut_of_sorted, cuts_of

Finder = Callable[[Sequence[float]], list[Cut]]  # densities to the cuts of one vector


@dataclass(frozen=True, slots=True)
class Band:
    """Keeps the entries that ``lower`` keeps and ``upper`` does not.

    A ``lower`` of None keeps all, an ``upper`` of None drops none.
    """

    lower: Cut | None
    upper: Cut | None


def band_of(find: Finder, size: int, *, skipped: int, kept: int) -> Band:
    """Return the band that skips the largest magnitudes and keeps the next ``kept``.

    There are ``size`` magnitudes, of which ``skipped`` are skipped; of equal ones the one of
    lowest index ranks first. ``find`` gives the cuts of densities.

    Raises:
        ValueError: the band keeps no entry, or reaches beyond the last.
    """
    if kept < 1 or skipped < 0 or skipped + kept > size:
        raise ValueError(f"band of {kept} after {skipped}: there are not so many entries")
    counts = {count for count in (skipped + kept, skipped) if 0 < count < size}
    cuts = dict(zip(counts, find([density_of(c, size) for c in counts]), strict=True))
    return Band(cuts.get(skipped + kept), cuts.get(skipped))


def finder(sources: Sources, index: int) -> Finder:
    """Return the function from densities to the cuts of one task vector."""
    ordered = sources.sorted_magnitudes(index)
    magnitudes = sources.magnitudes(index)
    if ordered is None:
        return lambda densities: cuts_of(magnitudes, densities)
    return lambda densities: [
        cut_of_sorted(ordered, lambda: magnitudes.read(0, magnitudes.size), density)
        for density in densities
    ]


def density_of(count: int, size: int) -> float:
    """Return a density that keeps exactly ``count`` of ``size`` entries, whatever the rounding."""
    return min((count + 0.5) / size, 1.0)


def keep_band(vector: Tensor, band: Band, start: int = 0) -> Tensor:
    """Return ``vector``, which starts at index ``start``, with zeros outside the band."""
    if band.lower is not None:
        vector = keep_largest(vector, band.lower, start)
    return vector if band.upper is None else drop_largest(vector, band.upper, start)
