"""TSV-Merge: leading singular vectors, made orthogonal to those of the other parents."""

import math

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from stages.merge.arithmetic.singular_values import decorrelated
from tests.merge.strategies import merged


def _random(*shape: int, seed: int) -> Tensor:
    """Return a matrix of independent normal entries."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_orthogonal_tasks_keep_their_leading_values() -> None:
    """Of diag(3, 1) and diag(1, 2) each keeps one value: 3 and 2, in their own places."""
    parents = [torch.diag(torch.tensor(d)) for d in ([3.0, 1.0], [1.0, 2.0])]
    child = merged("tsv_merge", torch.zeros(2, 2), parents)
    assert torch.allclose(torch.diag(torch.tensor([3.0, 2.0])), child, atol=1e-6)
    halved = merged("tsv_merge", torch.zeros(2, 2), parents, weight=(1.0, -2.0), scale=0.5)
    assert torch.allclose(torch.diag(torch.tensor([1.5, -2.0])), halved, atol=1e-6)


def test_vectors_at_60_degrees_are_moved_apart_by_15_each() -> None:
    """Rank-one tasks 2 and 4 along 0 and 60 degrees come to lie along -15 and 75 degrees."""
    u, v = (torch.tensor([math.cos(a), math.sin(a)]) for a in (0.0, math.pi / 3))
    parents = [2 * torch.outer(u, u), 4 * torch.outer(v, v)]
    child = merged("tsv_merge", torch.zeros(2, 2), parents)
    q, r = (torch.tensor([math.cos(a), math.sin(a)]) for a in (-math.pi / 12, math.pi * 5 / 12))
    assert torch.allclose(2 * torch.outer(q, q) + 4 * torch.outer(r, r), child, atol=1e-6)


def test_one_parent_is_itself() -> None:
    """A single parent keeps all its singular values, and its vectors are orthogonal already."""
    base, parent = _random(5, 7, seed=0), _random(5, 7, seed=1)
    assert torch.allclose(parent, merged("tsv_merge", base, [parent]), atol=1e-5)


def test_equal_tasks_share_one_direction() -> None:
    """Two equal rank-one tasks of value 3 are one direction, of which each has half."""
    task = torch.zeros(4, 4)
    task[1, 2] = 3.0
    child = merged("tsv_merge", torch.zeros(4, 4), [task, task])
    assert torch.allclose(task, child, atol=1e-6)


def test_more_parents_than_rows_keep_one_value_each() -> None:
    """Three parents of one row each keep their only value; the row has one left direction."""
    parents = [_random(1, 5, seed=seed) for seed in range(3)]
    child = merged("tsv_merge", torch.zeros(1, 5), parents)
    assert (1, 5) == tuple(child.shape)
    assert torch.isfinite(child).all()


@given(
    num_rows=st.integers(4, 9),
    num_columns=st.integers(4, 9),
    seed=st.integers(0, 99),
    count=st.integers(1, 3),
)
def test_decorrelated_agrees_with_its_plain_twin(
    num_rows: int, num_columns: int, seed: int, count: int
) -> None:
    """The sum equals a twin that whitens the vectors by the inverse root of their Gram matrix."""
    matrices = [_random(num_rows, num_columns, seed=100 * seed + i) for i in range(count)]
    weights = [1.0, 0.5, -0.25][:count]
    expected = _plain([matrix.double().numpy() for matrix in matrices], weights)
    fast = decorrelated(matrices, weights).double().numpy()
    assert np.allclose(expected, fast, rtol=1e-2, atol=1e-2)


def _plain(matrices: list[NDArray[np.float64]], weights: list[float]) -> NDArray[np.float64]:
    """Return the paper's sum by whitening: X (X'X)^(-1/2) is orthonormal, in double precision."""
    kept = min(matrices[0].shape) // len(matrices)
    left, values, right = [], [], []
    for matrix, weight in zip(matrices, weights, strict=True):
        u, s, v = np.linalg.svd(matrix)
        left.append(u[:, :kept])
        values.append(weight * s[:kept])
        right.append(v[:kept].T)
    left_vectors, right_vectors = _whitened(np.hstack(left)), _whitened(np.hstack(right))
    return np.asarray(left_vectors @ np.diag(np.concatenate(values)) @ right_vectors.T)


def _whitened(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the columns times the inverse root of their Gram matrix."""
    squares, vectors = np.linalg.eigh(columns.T @ columns)
    return np.asarray(columns @ vectors @ np.diag(squares**-0.5) @ vectors.T)
