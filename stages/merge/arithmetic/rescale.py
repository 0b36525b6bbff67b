"""Rescaling of the entries that a mask keeps, to make up for those that it drops."""

import numpy as np
from torch import Tensor

from stages.merge.arithmetic.method import BLOCK, Settings, Sources
from stages.merge.arithmetic.parameters import choice
from stages.merge.arithmetic.task_vector_sums import Sparse, used_parents

INVERSE_DENSITY, L1, NONE = "inverse_density", "l1", "none"
MIN_NORM = 1e-7  # an L1 norm below this is not divided by, and not restored

RESCALE = choice(
    "rescale",
    INVERSE_DENSITY,
    (INVERSE_DENSITY, L1, NONE),
    "Divides kept entries by their chance, restores the L1 norm, or does nothing.",
)
RESTORE = choice(
    "rescale", NONE, (NONE, L1), "l1 restores the L1 norm that the task vector had, none does not."
)


def restored(sources: Sources, settings: Settings, sparse: Sparse) -> Sparse:
    """Return the reader of the sparse task vectors with the L1 norms of the whole ones.

    Each is multiplied by sum |task vector| / sum |sparse|, unless one of these is below 1e-7.
    Where ``rescale`` is not l1, ``sparse`` itself is returned.
    """
    if settings.choice["rescale"] != L1:
        return sparse
    factors = {i: _ratio(sources, sparse, i) for i in used_parents(settings)}

    def read(index: int, start: int, stop: int) -> Tensor:
        return sparse(index, start, stop) * factors[index]

    return read


def _ratio(sources: Sources, sparse: Sparse, index: int) -> float:
    """Return the ratio of the norms, in float64 by blocks of a fixed size and order."""
    whole = kept = 0.0
    for start in range(0, sources.size, BLOCK):
        stop = min(start + BLOCK, sources.size)
        whole += _norm(sources.task_vector(index, start, stop))
        kept += _norm(sparse(index, start, stop))
    return 1.0 if min(whole, kept) < MIN_NORM else whole / kept


def _norm(vector: Tensor) -> float:
    return float(np.sum(np.abs(vector.numpy()), dtype=np.float64))
