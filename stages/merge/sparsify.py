"""Sparse task vectors: keep the largest entries (TIES), or random ones (DARE)."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.merge.cuts import Cut


def keep_largest(vector: Tensor, cut: Cut, start: int = 0) -> Tensor:
    """Return ``vector``, which starts at index ``start``, with zeros where the cut drops."""
    factor = vector.abs()
    place = min(max(cut.stop - start, 0), factor.numel())
    if place:
        factor[:place].ge_(float(cut.threshold))
    if place < factor.numel():
        factor[place:].gt_(float(cut.threshold))
    return factor.mul_(vector)


def drop_largest(vector: Tensor, cut: Cut, start: int = 0) -> Tensor:
    """Return ``vector``, which starts at index ``start``, with zeros where the cut keeps."""
    factor = vector.abs()
    place = min(max(cut.stop - start, 0), factor.numel())
    if place:
        factor[:place].lt_(float(cut.threshold))
    if place < factor.numel():
        factor[place:].le_(float(cut.threshold))
    return factor.mul_(vector)


def keep_random(
    vector: Tensor, words: NDArray[np.uint32], density: float, *, factor: float | None = None
) -> Tensor:
    """Return ``vector`` x ``factor`` where word < density x 2^32, else zero.

    Density 1 changes no bit. The words are uniform, so each entry is kept with probability
    ``density``; with the default factor, 1 / density, the expectation is the vector itself.
    """
    limit = round(density * 2**32)
    if limit >= 2**32:
        return vector
    times = float(np.float32(1.0 / density if factor is None else factor))
    kept = (words < np.uint32(limit)).astype(np.float32)
    return torch.from_numpy(kept).mul_(times).mul_(vector)
