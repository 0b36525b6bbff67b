"""Arcee Fusion: the second parent where it differs by an outlier's importance, else the first.

The method is MergeKit's. An entry's importance is its distance times the divergence of its rows,
each row's entries taken as logits of a distribution; outliers are found by Tukey's fence (Tukey
1977, Exploratory Data Analysis, ISBN 0-201-07616-0), with the median instead of a quartile.
"""

import math

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from stages.merge.arithmetic.magnitude_bands import density_of
from stages.merge.arithmetic.method import BLOCK, Kernel, Method, Settings, Sources
from stages.merge.arithmetic.reference_steps import as_rows
from stages.merge.arithmetic.thresholds import Magnitudes, cuts_of
from stages.recipe.method_spec import MethodSpec

FENCE = 1.5  # interquartile ranges between the median and the least importance of an outlier

SPEC = MethodSpec(
    name="arcee_fusion",
    parameters=(),
    needs_base=False,
    min_parents=2,
    max_parents=2,
    source="MergeKit's method of that name",
    summary="The first parent, with the second's entries where they differ most.",
)


def prepare(sources: Sources, _settings: Settings) -> Kernel:
    """Return the kernel of the second parent where the importance reaches the fence."""
    length = sources.row_length
    divergences = torch.from_numpy(_divergences(sources, length).astype(np.float32))

    def importance(start: int, stop: int) -> Tensor:
        first, second = (sources.parent(i, start, stop) for i in (0, 1))
        rows = torch.from_numpy(np.arange(start, stop) // length)
        return (second - first).abs_() * divergences[rows]

    def sample(parts: int, span: int) -> NDArray[np.float32]:
        first, second = (sources.parent_sample(i, parts, span) for i in (0, 1))
        starts = np.arange(parts)[:, None] * (sources.size // parts)
        rows = torch.from_numpy((starts + np.arange(span)) // length)
        importances: NDArray[np.float32] = ((second - first).abs_() * divergences[rows]).numpy()
        return importances.reshape(-1)

    magnitudes = Magnitudes(sources.size, lambda i, j: importance(i, j).numpy(), sample)
    fence = fence_of(magnitudes)

    def kernel(start: int, stop: int) -> Tensor:
        first, second = (sources.parent(i, start, stop) for i in (0, 1))
        importances = importance(start, stop)
        child = torch.where(importances < fence, first, second)
        # An infinity or NaN of a parent shows in the child.
        return torch.where(importances.isfinite(), child, importances)

    return kernel


def fence_of(values: Magnitudes) -> float:
    """Return the median + 1.5 x the interquartile range; no value is below 0.

    A quantile between two entries is the lower of them.
    """
    size = values.size
    if size == 0:
        return 0.0
    ranks = [math.floor(share * (size - 1)) for share in (0.25, 0.5, 0.75)]
    cuts = cuts_of(values, [density_of(size - rank, size) for rank in ranks])
    low, median, high = (float(cut.threshold) for cut in cuts)
    return float(np.float32(median + FENCE * (high - low)))


def _divergences(sources: Sources, length: int) -> NDArray[np.float64]:
    """Return the Kullback-Leibler divergence of each row of the second parent from the first's."""
    num_rows = sources.size // length if length else 0
    divergences = np.empty(num_rows)
    step = max(1, BLOCK // length) if length else 1
    for start in range(0, num_rows, step):
        stop = min(start + step, num_rows)
        first, second = (
            sources.parent(i, start * length, stop * length).numpy().reshape(-1, length)
            for i in (0, 1)
        )
        with np.errstate(invalid="ignore"):
            log_second, log_first = _log_shares(second), _log_shares(first)
            divergences[start:stop] = np.sum(np.exp(log_second) * (log_second - log_first), axis=1)
    return np.maximum(divergences, 0.0)  # rounding may give slightly less than 0


def _log_shares(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the logarithms of the rows' softmax."""
    shifted = rows.astype(np.float64) - rows.max(axis=1, keepdims=True)
    log_shares: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return log_shares


METHOD = Method(SPEC, prepare)


def reference(parents: Float[Tensor, " 2 *shape"]) -> Float[Tensor, "*shape"]:
    """Return the second parent where its importance is an outlier, else the first."""
    first, second = as_rows(parents).unbind()
    # The divergence of the second parent's softmax from the first's, row by row.
    log_second, log_first = second.double().log_softmax(-1), first.double().log_softmax(-1)
    divergence = (log_second.exp() * (log_second - log_first)).sum(-1, keepdim=True).clamp(min=0)
    # An entry's importance; in float32, so that equal ones stay equal.
    importance = (second - first).abs().float() * divergence.float()
    # Tukey's fence, around the median.
    ascending = importance.flatten().sort().values
    low, median, high = (ascending[int(q * (len(ascending) - 1))] for q in (0.25, 0.5, 0.75))
    is_outlier = importance >= median + FENCE * (high - low)
    return torch.where(is_outlier, second, first).reshape(parents.shape[1:])
