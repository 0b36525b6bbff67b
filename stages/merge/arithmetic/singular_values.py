"""Decompositions of whole task matrices: singular values, directions, least interference.

LAPACK does them on one thread: with more, the division of work would show in the last bits.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor

from stages.merge.arithmetic.method import BLOCK, Kernel, Sources


def is_linear_map(sources: Sources) -> bool:
    """Return whether a tensor is the matrix of a linear map within the layers.

    Outside them a matrix is an embedding or a head, whose rows are looked up or scored by token.
    """
    return sources.is_in_layer and len(sources.shape) == 2 and sources.size > 0


def task_matrix(sources: Sources, index: int) -> Tensor:
    """Return the whole of a parent's task vector, in the tensor's shape."""
    flat = torch.empty(sources.size, dtype=torch.float32)
    for start in range(0, sources.size, BLOCK):
        stop = min(start + BLOCK, sources.size)
        flat[start:stop] = sources.task_vector(index, start, stop)
    return flat.view(sources.shape)


def on_base(sources: Sources, matrix: Tensor, scale: float) -> Kernel:
    """Return the kernel of base + scale x matrix."""
    flat = matrix.reshape(-1)

    def kernel(start: int, stop: int) -> Tensor:
        return (flat[start:stop] * scale).add_(sources.base(start, stop))

    return kernel


def isotropic(matrix: Float[Tensor, "m n"]) -> Float[Tensor, "m n"]:
    """Return the matrix with each singular value replaced by their mean.

    Singular values that float32 cannot tell from 0 have arbitrary directions: they count in the
    mean and stay 0. A zero matrix stays as it is, and so does one with an infinity or NaN.
    """
    if not bool(matrix.any()) or not bool(torch.isfinite(matrix).all()):
        return matrix
    with one_thread():
        u, values, v = torch.linalg.svd(matrix, full_matrices=False)
        rank, mean = _rank(matrix, values), float(values.double().mean())
        equalized: Tensor = (u[:, :rank] @ v[:rank]).mul_(mean)
    return equalized


def decorrelated(
    matrices: Sequence[Float[Tensor, "m n"]], weights: Sequence[float]
) -> Float[Tensor, "m n"]:
    """Return the weighted sum of matrices whose singular vectors are made orthogonal first.

    Each of the k matrices keeps the largest 1 / k of its singular values, at least one. All left
    vectors together are replaced by the nearest orthonormal ones, and so are the right ones.
    Directions that float32 cannot tell from 0, or from a sum of others, are left out. A matrix
    with an infinity or NaN makes all of the sum NaN.
    Source: Gargiulo et al. 2025, arXiv:2412.00081, Algorithm 1.
    """
    shape = matrices[0].shape
    if not all(bool(torch.isfinite(matrix).all()) for matrix in matrices):
        return torch.full(shape, torch.nan)
    kept = max(1, min(shape) // len(matrices))
    with one_thread():
        parts = [_directions(matrix, kept) for matrix in matrices]
        values = torch.cat([s * w for (_, s, _), w in zip(parts, weights, strict=True)])
        if values.numel() == 0:
            return torch.zeros(shape)
        left = _orthonormal(torch.cat([u for u, _, _ in parts], dim=1))
        right = _orthonormal(torch.cat([v for _, _, v in parts]).T)
        total: Tensor = (left * values) @ right.T
    return total


def least_interference(
    matrices: Sequence[Float[Tensor, "m n"]], weights: Sequence[float], *, num_steps: int
) -> Float[Tensor, "m n"]:
    """Return M after gradient descent on sum of w_i |(M - T_i) T_i'|^2 / |T_i|^2.

    It starts at the sum of w_i T_i. The steps of plain descent, each of one over the greatest
    curvature, have a closed form in the eigenvectors of the curvature: after n of them a direction
    with x times the greatest curvature has gone 1 - (1 - x)^n of its way. So any number of steps
    costs one decomposition in float64. A matrix with an infinity or NaN makes all of it NaN.
    """
    tasks = [matrix.double() for matrix in matrices]
    total = torch.zeros_like(tasks[0])
    for task, weight in zip(tasks, weights, strict=True):
        total += task * weight
    if not bool(torch.isfinite(total).all()):
        return torch.full_like(matrices[0], torch.nan)
    with one_thread():
        curvature = torch.zeros(total.shape[1], total.shape[1], dtype=torch.float64)
        slope = torch.zeros_like(total)
        for task, weight in zip(tasks, weights, strict=True):
            energy = float((task * task).sum())
            if energy > 0.0:
                inner = (task.T @ task).mul_(weight / energy)
                curvature += inner
                slope += (task - total) @ inner
        values, vectors = torch.linalg.eigh(curvature)
        ways = _ways(values, num_steps)
        total += ((slope @ vectors) * ways) @ vectors.T
    return total.float()


def _ways(values: Float[Tensor, " n"], num_steps: int) -> Float[Tensor, " n"]:
    """Return, for each curvature, the factor of its part of the first slope after all steps.

    It is (1 - (1 - x)^n) / curvature with x = curvature / the greatest, and n / the greatest at 0.
    """
    most = float(values[-1])
    if num_steps == 0 or most <= 0.0:
        return torch.zeros_like(values)
    shares = (values / most).clamp(0.0, 1.0)
    moved = -torch.expm1(num_steps * torch.log1p(-shares))
    least = 1e-12  # below it the quotient is its limit, to float64
    ratio = torch.where(shares > least, moved / shares.clamp(min=least), float(num_steps))
    return ratio / most


def _directions(
    matrix: Float[Tensor, "m n"], most: int | None = None
) -> tuple[Float[Tensor, "m r"], Float[Tensor, " r"], Float[Tensor, "r n"]]:
    """Return the singular vectors and values that float32 can tell from 0, ``most`` at most."""
    u, values, v = torch.linalg.svd(matrix, full_matrices=False)
    rank = _rank(matrix, values)
    rank = rank if most is None else min(rank, most)
    return u[:, :rank], values[:rank], v[:rank]


def _rank(matrix: Float[Tensor, "m n"], values: Float[Tensor, " r"]) -> int:
    """Return how many of a matrix's singular values its dtype can tell from 0."""
    least = float(values[0]) * max(matrix.shape) * torch.finfo(matrix.dtype).eps
    return int((values > least).sum())


def _orthonormal(columns: Float[Tensor, "m n"]) -> Float[Tensor, "m n"]:
    """Return the matrix of orthonormal columns that is nearest to ``columns``."""
    u, _, v = _directions(columns)
    return u @ v


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread, and restore the number of threads afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
