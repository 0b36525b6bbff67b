"""Sparse task vectors: keep the largest entries (TIES), or random ones (DARE)."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.merge.cuts import Cut

Compare = Callable[[Tensor, float], Tensor]  # in place, to 1 and 0


def keep_largest(vector: Tensor, cut: Cut, start: int = 0) -> Tensor:
    """Return ``vector``, which starts at index ``start``, with zeros where the cut drops."""
    return _masked(vector, cut, start, Tensor.ge_, Tensor.gt_)


def drop_largest(vector: Tensor, cut: Cut, start: int = 0) -> Tensor:
    """Return ``vector``, which starts at index ``start``, with zeros where the cut keeps."""
    return _masked(vector, cut, start, Tensor.lt_, Tensor.le_)


def _masked(vector: Tensor, cut: Cut, start: int, before: Compare, after: Compare) -> Tensor:
    """Return ``vector`` where its magnitudes compare so with the threshold, else zeros.

    ``before`` compares those of indices below ``cut.stop``, ``after`` the others.
    """
    factor = vector.abs()
    place = min(max(cut.stop - start, 0), factor.numel())
    for part, compare in ((factor[:place], before), (factor[place:], after)):
        if part.numel():
            compare(part, float(cut.threshold))
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
