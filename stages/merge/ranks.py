"""Bands of magnitude: the entries that rank after some of the largest and before the rest."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from stages.merge.method import Sources
from stages.merge.sparsify import Cut, cut_of, cut_of_sorted, keep_largest


@dataclass(frozen=True, slots=True)
class Band:
    """Keeps what ``lower`` keeps and ``upper`` does not; None keeps all, or nothing."""

    lower: Cut | None
    upper: Cut | None


def band_of(find: Callable[[float], Cut], size: int, *, skipped: int, kept: int) -> Band:
    """Return the band of ``kept`` of ``size`` magnitudes, the largest after ``skipped`` larger.

    ``find`` gives the cut of a density. Of equal magnitudes that of lowest index counts as the
    larger.

    Raises:
        ValueError: there are not so many entries, or none is kept.
    """
    if kept < 1 or skipped < 0 or skipped + kept > size:
        raise ValueError(f"band of {kept} after {skipped}: there are not so many entries")
    lower = find(density_of(skipped + kept, size)) if skipped + kept < size else None
    return Band(lower, find(density_of(skipped, size)) if skipped else None)


def cuts_of(sources: Sources, index: int) -> Callable[[float], Cut]:
    """Return the function from a density to the cut of one task vector."""
    ordered = sources.sorted_magnitudes(index)
    magnitudes = cache(lambda: sources.magnitudes(index))
    if ordered is None:
        return lambda density: cut_of(magnitudes(), density)
    return lambda density: cut_of_sorted(ordered, magnitudes, density)


def density_of(count: int, size: int) -> float:
    """Return a density that keeps exactly ``count`` of ``size`` entries, whatever the rounding."""
    return min((count + 0.5) / size, 1.0)


def keep_band(vector: Tensor, band: Band, start: int = 0) -> Tensor:
    """Return ``vector``, which starts at index ``start``, with zeros outside the band."""
    if band.lower is not None:
        vector = keep_largest(vector, band.lower, start)
    if band.upper is None:
        return vector
    factor = (~(vector.abs().numpy() >= band.upper.threshold)).astype(np.float32)
    spared = band.upper.dropped  # they equal the threshold, and are not among the largest
    first, stop = np.searchsorted(spared, (start, start + vector.numel()))
    factor[spared[first:stop] - start] = 1.0
    return vector * torch.from_numpy(factor)
