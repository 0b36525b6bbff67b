"""Arcee Fusion: the second parent where it differs by an outlier's importance, else the first.

The method is MergeKit's. An entry's importance is its distance times the divergence of its rows,
each row's entries taken as logits of a distribution; outliers are found by Tukey's fence (Tukey
1977, Exploratory Data Analysis, ISBN 0-201-07616-0), with the median in the place of a quartile.
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
from stages.recipe.recipe import MethodSpec

FENCE = 1.5  # interquartile ranges above the median from which an importance is an outlier's

SPEC = MethodSpec(
    name="arcee_fusion",
    parameters=(),
    needs_base=False,
    min_parents=2,
    max_parents=2,
    source="this file",
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
        found: NDArray[np.float32] = ((second - first).abs_() * divergences[rows]).numpy()
        return found.reshape(-1)

    found = Magnitudes(sources.size, lambda i, j: importance(i, j).numpy(), sample)
    least = fence_of(found)

    def kernel(start: int, stop: int) -> Tensor:
        first, second = (sources.parent(i, start, stop) for i in (0, 1))
        found = importance(start, stop)
        chosen = torch.where(found < least, first, second)
        return torch.where(found.isfinite(), chosen, found)  # a parent that is no number shows

    return kernel


def fence_of(values: Magnitudes) -> float:
    """Return the median + 1.5 x the interquartile range; no value is below 0.

    Between two entries a quantile is the lower of them.
    """
    size = values.size
    if size == 0:
        return 0.0
    places = [math.floor(share * (size - 1)) for share in (0.25, 0.5, 0.75)]
    cuts = cuts_of(values, [density_of(size - place, size) for place in places])
    low, median, high = (float(cut.threshold) for cut in cuts)
    return float(np.float32(median + FENCE * (high - low)))


def _divergences(sources: Sources, length: int) -> NDArray[np.float64]:
    """Return the Kullback-Leibler divergence of each row of the second parent from the first's."""
    num_rows = sources.size // length if length else 0
    found = np.empty(num_rows)
    step = max(1, BLOCK // length) if length else 1
    for start in range(0, num_rows, step):
        stop = min(start + step, num_rows)
        first, second = (
            sources.parent(i, start * length, stop * length).numpy().reshape(-1, length)
            for i in (0, 1)
        )
        with np.errstate(invalid="ignore"):
            ours, theirs = _log_shares(second), _log_shares(first)
            found[start:stop] = np.sum(np.exp(ours) * (ours - theirs), axis=1)
    return np.maximum(found, 0.0)  # rounding may leave a little less than none


def _log_shares(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the logarithms of the rows' softmax."""
    shifted = rows.astype(np.float64) - rows.max(axis=1, keepdims=True)
    found: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return found


METHOD = Method(SPEC, prepare)


def reference(parents: Float[Tensor, " 2 *shape"]) -> Float[Tensor, "*shape"]:
    """Return the second parent where its importance is an outlier, else the first."""
    first, second = as_rows(parents).unbind()
    # The divergence of the second parent's softmax from the first's, row by row.
    ours, theirs = second.double().log_softmax(-1), first.double().log_softmax(-1)
    divergence = (ours.exp() * (ours - theirs)).sum(-1, keepdim=True).clamp(min=0)
    # An entry's importance; in float32, so that equal ones stay equal.
    importance = (second - first).abs().float() * divergence.float()
    # Tukey's fence, around the median.
    ascending = importance.flatten().sort().values
    low, median, high = (ascending[int(q * (len(ascending) - 1))] for q in (0.25, 0.5, 0.75))
    is_outlier = importance >= median + FENCE * (high - low)
    return torch.where(is_outlier, second, first).reshape(parents.shape[1:])
