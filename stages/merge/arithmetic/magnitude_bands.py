"""Bands of magnitude: the entries that rank after some of the largest and before the rest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from stages.merge.arithmetic.method import Sources
from stages.merge.arithmetic.sparsify import drop_largest, keep_largest
from stages.merge.arithmetic.thresholds import Cut, cut_of_sorted, cuts_of

Finder = Callable[[Sequence[float]], list[Cut]]  # densities to the cuts of one vector


@dataclass(frozen=True, slots=True)
class Band:
    """Keeps what ``lower`` keeps and ``upper`` does not; None keeps all, or nothing."""

    lower: Cut | None
    upper: Cut | None


def band_of(find: Finder, size: int, *, skipped: int, kept: int) -> Band:
    """Return the band of ``kept`` of ``size`` magnitudes, the largest after ``skipped`` larger.

    ``find`` gives the cuts of densities. Of equal magnitudes that of lowest index counts as the
    larger.

    Raises:
        ValueError: there are not so many entries, or none is kept.
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
