"""Sparse task vectors: keep the largest entries (TIES), or random ones (DARE)."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.merge.arithmetic.thresholds import Cut

Compare = Callable[[Tensor, float], Tensor]  # in place, to 1 and 0


def keep_largest(vector: Tensor, cut: Cut, start: int = 0) -> Tensor:
    """Return ``vector``, which starts at index ``start``, with zeros where the cut drops."""
    return _masked(vector, cut, start, Tensor.ge_, Tensor.gt_)


def drop_largest(vector: Tensor, cut: Cut, start: int = 0) -> Tensor:
    """Return ``vector``, which starts at index ``start``, with zeros where the cut keeps."""
    return _masked(vector, cut, start, Tensor.lt_, Tensor.le_)


def _masked(vector: Tensor, cut: Cut, start: int, before: Compare, after: Compare) -> Tensor:
    """Return ``vector`` where a comparison of its magnitudes with the threshold holds, else 0.

    ``before`` is the comparison for indices below ``cut.stop``, ``after`` for the others.
    """
    factor = vector.abs()
    boundary = min(max(cut.stop - start, 0), factor.numel())
    for part, compare in ((factor[:boundary], before), (factor[boundary:], after)):
        if part.numel():
            compare(part, float(cut.threshold))
    return factor.mul_(vector)


def chance(density: float | NDArray[np.float64]) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """Return, for each density, the largest random word that keeps an entry, and whether any can.

    Words are uniform 32-bit numbers, so the probability is ``density`` to the nearest 2^-32.
    """
    limits = np.asarray(np.rint(np.multiply(density, 2.0**32)), dtype=np.int64)
    return np.asarray(np.clip(limits, 1, 2**32) - 1, dtype=np.uint32), np.asarray(limits > 0)


def keep_drawn(vector: Tensor, is_kept: NDArray[np.bool_], factor: float) -> Tensor:
    """Return ``vector`` x ``factor`` where it is kept, else zero."""
    kept = torch.from_numpy(is_kept.astype(np.float32))
    return kept.mul_(float(np.float32(factor))).mul_(vector)
