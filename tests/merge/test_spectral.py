"""Iso-C: one singular value for all directions, the same bits on any number of threads."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from stages.merge.spectral import isotropic
from tests.merge.strategies import merged, vectors


def _random(*shape: int, seed: int = 0) -> Tensor:
    """Return a matrix of independent normal entries."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@given(num_rows=st.integers(1, 9), num_columns=st.integers(1, 9), seed=st.integers(0, 99))
def test_isotropic_keeps_directions_and_the_sum(
    num_rows: int, num_columns: int, seed: int
) -> None:
    """Singular values become equal, with the sum they had; a second time changes nothing."""
    matrix = _random(num_rows, num_columns, seed=seed)
    flat = isotropic(matrix)
    before, after = torch.linalg.svdvals(matrix), torch.linalg.svdvals(flat)
    assert torch.allclose(before.mean().expand_as(after), after, rtol=1e-4)
    assert torch.allclose(flat, isotropic(flat), rtol=1e-3, atol=1e-4)


def test_iso_c_flattens_the_sum() -> None:
    """Diagonal sums 3 and -1 become 2 and -2; a vector of the same numbers is added as it is."""
    base = torch.ones(2, 2)
    parents = [
        base + torch.diag(torch.tensor([2.0, -1.0])),
        base + torch.diag(torch.tensor([1.0, 0])),
    ]
    child = merged("iso_c", base, parents, weight=1.0)
    assert torch.allclose(torch.tensor([[3.0, 1.0], [1.0, -1.0]]), child)
    halved = merged("iso_c", base, parents, weight=1.0, normalize=1.0, scale=3.0)
    assert torch.allclose(torch.tensor([[4.0, 1.0], [1.0, -2.0]]), halved)
    flat = merged("iso_c", base.flatten(), [p.flatten() for p in parents], weight=1.0)
    assert [4.0, 1.0, 1.0, 0.0] == flat.tolist()


def test_iso_c_leaves_directions_without_change_alone() -> None:
    """A sum of rank one has one direction: its singular value is halved, no noise is added."""
    change = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
    child = merged("iso_c", torch.zeros(2, 2), [change], weight=1.0)
    assert torch.allclose(change / 2, child, atol=1e-7)


@given(tensors=vectors(1))
def test_zero_task_matrices_give_the_base(tensors: list[Tensor]) -> None:
    """Matrices that no parent changed, or whose changes cancel, are the base's."""
    base = torch.stack([tensors[0], -tensors[0]])
    assert torch.equal(base, merged("iso_c", base, [base, base], weight=1.0))
    away = [base + 1, base - 1]
    assert torch.equal(base, merged("iso_c", base, away, weight=1.0))


def test_threads_change_no_bit_of_a_decomposition() -> None:
    """A decomposition that LAPACK would divide among threads is the same with one and with two."""
    base, parent = torch.zeros(400, 300), _random(400, 300)
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(merged("iso_c", base, [parent.clone()], weight=1.0, chunk=threads * 997))
            assert threads == torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*found)
    assert math.isfinite(float(found[0].sum()))
