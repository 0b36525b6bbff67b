"""Steps that several references share, on whole tensors, as their papers state them.

``reference`` in each file of ``methods/`` is the paper's algorithm in plain lines; its kernel must
give the same child within rounding. Nothing here is fast, and no kernel uses it. A value per
parent has the shape ``k 1 ... 1``, so it multiplies k task vectors in one expression.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from stages.merge.arithmetic.rescale import INVERSE_DENSITY, L1, MIN_NORM
from stages.merge.arithmetic.weighted_sums import MIN_SUM


def normalized(weight: Float[Tensor, " k *ones"], normalize: float) -> Float[Tensor, " k *ones"]:
    """Return the weights; if ``normalize``, divided by their sum unless it is below 1e-8."""
    total = weight.sum(0)
    return weight / total if normalize and bool((total.abs() >= MIN_SUM).all()) else weight


def elect_and_merge(
    vectors: Float[Tensor, " k *shape"], weight: Float[Tensor, " k *#shape"], normalize: float
) -> Float[Tensor, "*shape"]:
    """Return the sum, or mean, of the weighted entries whose sign wins the election.

    Source: Yadav et al. 2023, arXiv:2306.01708, Algorithm 1, steps 2 and 3.
    """
    weighted = vectors * weight
    # Step 2: the sign with the larger total; a tie elects plus.
    sign = torch.where(weighted.sum(0) < 0, -1.0, 1.0)
    # Step 3: the mean over the parents that agree; an entry of 0 agrees with neither sign.
    agrees = weighted * sign > 0
    total = (weighted * agrees).sum(0)
    divisor = (weight * agrees).sum(0)
    return total / torch.where(divisor.abs() < MIN_SUM, 1.0, divisor) if normalize else total


def as_rows(tensors: Float[Tensor, " k *shape"], by_row: bool = True) -> Float[Tensor, " k r n"]:
    """Return each tensor as a matrix of its rows; as one row if it is a vector, or not ``by_row``.

    A row is what one index of the first dimension holds.
    """
    has_rows = by_row and tensors.dim() > 2
    return tensors.reshape(len(tensors), tensors.shape[1] if has_rows else 1, -1)


def magnitude_rank(
    tensors: Float[Tensor, " k *shape"], by_row: bool = False
) -> Int[Tensor, " k *shape"]:
    """Return each entry's rank in its tensor, or in its row: 0 has the largest magnitude.

    Of equal magnitudes the one of lowest index ranks first.
    """
    magnitudes = as_rows(tensors, by_row).abs()
    order = magnitudes.argsort(dim=-1, descending=True, stable=True)
    return order.argsort(dim=-1).reshape(tensors.shape)


def num_kept_of(
    density: Float[Tensor, " k *#shape"], tensor: Float[Tensor, "*shape"]
) -> Int[Tensor, " k *#shape"]:
    """Return how many entries of ``tensor`` each density keeps: at least one."""
    return (density * tensor.numel()).long().clamp(min=1)


def restore_l1_norm(
    sparse: Float[Tensor, " k *shape"], task_vectors: Float[Tensor, " k *shape"], rescale: str
) -> Float[Tensor, " k *shape"]:
    """Return the sparse task vectors; if ``rescale`` is l1, with the L1 norms of the whole ones.

    Where one of the two norms is below 1e-7 the sparse vector stays as it is.
    """
    if rescale != L1:
        return sparse
    before, after = (
        v.abs().reshape(len(v), -1).sum(1).view(-1, *[1] * (v.dim() - 1))
        for v in (task_vectors, sparse)
    )
    is_tiny = torch.minimum(before, after) < MIN_NORM
    return sparse * torch.where(is_tiny, 1.0, before / torch.where(is_tiny, 1.0, after))


def drop_at_random(
    task_vectors: Float[Tensor, " k *shape"],
    words: Int[Tensor, " k *shape"],
    chance: Float[Tensor, " k *#shape"],
    rescale: str,
) -> Float[Tensor, " k *shape"]:
    """Return the task vectors, each entry kept with its chance and rescaled, or 0.

    ``words`` are uniform in 0 to 2^32 - 1; an entry is kept where its word is below chance x 2^32.
    """
    kept = task_vectors * (words < chance.double() * 2**32)
    if rescale == INVERSE_DENSITY:
        kept = kept / torch.where(chance > 0, chance, 1.0)
    return restore_l1_norm(kept, task_vectors, rescale)


def magprune_chance(
    task_vectors: Float[Tensor, " k *shape"],
    density: Float[Tensor, " k *#shape"],
    epsilon: Float[Tensor, " k *#shape"],
) -> Float[Tensor, " k *shape"]:
    """Return each entry's chance to be kept: it rises with the rank of its magnitude in its row.

    From density - epsilon to density + epsilon; epsilon is reduced where this leaves [0, 1].
    Source: Deep et al. 2024, arXiv:2406.11617, MAGPRUNE.
    """
    length = as_rows(task_vectors).shape[-1]
    spread = torch.minimum(epsilon, torch.minimum(density, 1.0 - density))
    rank = length - 1 - magnitude_rank(task_vectors, by_row=True)  # 0: the smallest of its row
    position = 2.0 * rank.to(density.dtype) / (length - 1) - 1.0 if length > 1 else 0.0 * rank
    return density + spread * position


def polar_factor(matrix: Float[Tensor, "m n"]) -> Float[Tensor, "m n"]:
    """Return the nearest matrix with orthonormal columns (or rows): U V' of its SVD U S V'.

    Directions whose singular value is 0 to the dtype are left out: they are arbitrary.
    """
    u, values, v = torch.linalg.svd(matrix, full_matrices=False)
    least = values[0] * max(matrix.shape) * torch.finfo(matrix.dtype).eps
    factor: Tensor = (u * (values > least)) @ v
    return factor
