"""SCE: select the entries that vary, calculate weights, erase minorities (arXiv:2408.07990)."""

import math

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from stages.merge.arithmetic.magnitude_bands import density_of
from stages.merge.arithmetic.method import BLOCK, Kernel, Method, Settings, Sources
from stages.merge.arithmetic.reference_steps import magnitude_rank
from stages.merge.arithmetic.sparsify import keep_largest
from stages.merge.arithmetic.thresholds import Cut, Magnitudes, cuts_of, in_memory
from stages.recipe.method_spec import MethodSpec, Parameter

MOST_STORED = 1 << 25  # entries: 128 MiB of variances; larger tensors compute them at each read

SPEC = MethodSpec(
    name="sce",
    parameters=(
        Parameter(
            "select_topk",
            "tensor",
            1.0,
            0.0,
            1.0,
            "Fraction of the varying entries that are selected.",
            is_open=True,
        ),
    ),
    needs_base=True,
    min_parents=2,
    max_parents=None,
    source="Wan et al. 2024, arXiv:2408.07990",
    summary="The entries that vary most between parents, weighted by energy, signs elected.",
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of base + weighted mean of the selected entries of the elected sign."""
    count = sources.num_parents
    share = settings.tensor["select_topk"]
    variances = _variances(sources, count) if share < 1.0 else None
    cut = None if variances is None else _cut(variances, share)

    def selected(start: int, stop: int) -> list[Tensor]:
        vectors = [sources.task_vector(i, start, stop) for i in range(count)]
        if cut is None or variances is None:
            return vectors
        mask = keep_largest(torch.from_numpy(variances.read(start, stop)), cut, start).sign_()
        return [vector * mask for vector in vectors]

    energies = [0.0] * count
    for start in range(0, sources.size, BLOCK):
        for i, vector in enumerate(selected(start, min(start + BLOCK, sources.size))):
            energies[i] += float(np.sum(vector.numpy().astype(np.float64) ** 2))
    total = math.fsum(energies)
    weights = [energy / total if total > 0.0 else 1.0 / count for energy in energies]

    def kernel(start: int, stop: int) -> Tensor:
        return elected_mean(selected(start, stop), weights).add_(sources.base(start, stop))

    return kernel


def elected_mean(vectors: list[Tensor], weights: list[float]) -> Tensor:
    """Return the weighted mean of those entries that have the sign of their plain sum.

    A sum of zero elects plus; zero entries take no part; where none does the mean is 0.
    """
    votes = vectors[0].clone()
    for vector in vectors[1:]:
        votes += vector
    sign = votes.sign_().add_(0.5).sign_()
    total, divisor = torch.zeros_like(sign), torch.zeros_like(sign)
    for vector, weight in zip(vectors, weights, strict=True):
        agreed = (vector * sign).clamp_(min=0)  # its magnitude, or 0 where it disagrees
        total += agreed * weight
        divisor += agreed.sign_() * weight
    return (total / torch.where(divisor > 0, divisor, 1.0)).mul_(sign)


def _variances(sources: Sources, count: int) -> Magnitudes:
    """Return each entry's variance over the task vectors; large tensors compute it when read."""

    def read(start: int, stop: int) -> NDArray[np.float32]:
        return _variance([sources.task_vector(i, start, stop) for i in range(count)])

    def sample(parts: int, length: int) -> NDArray[np.float32]:
        vectors = [sources.task_vector_sample(i, parts, length) for i in range(count)]
        return _variance(vectors).reshape(-1)

    if sources.size > MOST_STORED:
        return Magnitudes(sources.size, read, sample)
    variances = np.empty(sources.size, dtype=np.float32)
    for start in range(0, sources.size, BLOCK):
        stop = min(start + BLOCK, sources.size)
        variances[start:stop] = read(start, stop)
    return in_memory(variances)


def _variance(vectors: list[Tensor]) -> NDArray[np.float32]:
    mean = vectors[0].clone()
    for vector in vectors[1:]:
        mean += vector
    mean /= len(vectors)
    squares = torch.zeros_like(mean)
    for vector in vectors:
        gap = vector - mean
        squares += gap * gap
    variance: NDArray[np.float32] = (squares / len(vectors)).numpy()
    return variance


def _cut(variances: Magnitudes, share: float) -> Cut | None:
    """Return the cut of the largest variances; None keeps every entry, also if none varies."""
    size = variances.size
    num_varying = sum(
        int(np.count_nonzero(variances.read(start, min(start + BLOCK, size))))
        for start in range(0, size, BLOCK)
    )
    if num_varying == 0:
        return None
    return cuts_of(variances, [density_of(max(1, int(share * num_varying)), size)])[0]


METHOD = Method(SPEC, prepare)


def reference(
    base: Float[Tensor, "*shape"],
    task_vectors: Float[Tensor, " k *shape"],
    *,
    select_topk: float,
) -> Float[Tensor, "*shape"]:
    """Return the base plus the selected entries' mean by energy, without minorities."""
    # Section 3.3, select: the entries that vary most between the parents.
    variance = ((task_vectors - task_vectors.mean(0)) ** 2).mean(0)
    num_varying = int((variance > 0).sum())
    is_selected = torch.ones_like(variance)
    if select_topk < 1 and num_varying > 0:
        rank = magnitude_rank(variance[None])[0]
        is_selected = (rank < max(1, int(select_topk * num_varying))).to(variance)
    selected = task_vectors * is_selected
    # Calculate: a parent's weight is its share of the sum of squares.
    energy = (selected**2).reshape(len(selected), -1).sum(1)
    share = energy / energy.sum() if energy.sum() > 0 else torch.ones_like(energy) / len(energy)
    # Erase: the entries whose sign is in the minority; then the weighted mean of the others.
    sign = torch.where(selected.sum(0) < 0, -1.0, 1.0)
    weight = share.view(-1, *[1] * base.dim()) * (selected * sign > 0)
    return base + (weight * selected).sum(0) / torch.where(weight.sum(0) > 0, weight.sum(0), 1.0)
