"""Gram matrices: inner products in float64, by rows or whole, however they are read."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stages.merge.arithmetic import inner_products as module
from stages.merge.arithmetic.inner_products import column_grams, cosines, gram, vectors_of
from stages.merge.arithmetic.method import Sources
from tests.merge.strategies import vectors


@given(tensors=vectors(3))
def test_gram_holds_all_inner_products(tensors: list[Tensor]) -> None:
    """Entry (i, j) is the inner product of vectors i and j, exactly for these."""
    sources = Sources(None, tensors)
    products = gram(sources.parent, 3, size=sources.size)
    expected = [[float((a.double() * b.double()).sum()) for a in tensors] for b in tensors]
    assert [expected] == products.tolist()


def test_rows_and_blocks_are_summed_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row or column has its own matrix; they sum to the whole's, whatever the block."""
    generator = torch.Generator().manual_seed(0)
    tensors = [torch.randint(-9, 9, (6, 7), generator=generator).float() for _ in range(2)]
    sources = Sources(None, tensors)
    whole = gram(sources.parent, 2, size=42)
    rows = gram(sources.parent, 2, size=42, length=7)
    columns = column_grams(sources.parent, 2, size=42, length=7)
    assert whole.tolist() == columns.sum(axis=0, keepdims=True).tolist()
    monkeypatch.setattr(module, "BLOCK", 15)
    assert columns.tolist() == column_grams(sources.parent, 2, size=42, length=7).tolist()
    assert (6, 2, 2) == rows.shape
    assert whole.tolist() == rows.sum(axis=0, keepdims=True).tolist()
    assert whole.tolist() == gram(sources.parent, 2, size=42).tolist()
    assert rows.tolist() == gram(sources.parent, 2, size=42, length=7).tolist()


def test_cosines_of_zero_vectors_are_zero() -> None:
    """Norms 3, 0 and 2; a zero vector has cosine 0 with all, and no other is beyond 1."""
    norms, angles = cosines(np.array([[9.0, 0.0, 6.0000001], [0.0, 0.0, 0.0], [6.0, 0.0, 4.0]]))
    assert [3.0, 0.0, 2.0] == norms
    assert [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 1.0]] == angles


def test_vectors_start_from_the_base_where_there_is_one() -> None:
    """With a base the vectors are task vectors, without one the parents; both are counted."""
    base, parents = torch.ones(2), [torch.zeros(2), torch.full((2,), 3.0)]
    based, bare = Sources(base, parents), Sources(None, parents)
    assert (True, False) == (based.has_base, bare.has_base)
    assert 2 == based.num_parents == bare.num_parents
    assert [2.0, 2.0] == vectors_of(based)(1, 0, 2).tolist()
    assert [3.0, 3.0] == vectors_of(bare)(1, 0, 2).tolist()


@given(size=st.integers(1, 600_000))
@settings(max_examples=20)
def test_parts_change_no_bit_of_a_sum(size: int) -> None:
    """Inner products found part by part are those that NumPy finds of a whole block."""
    values = np.random.Generator(np.random.Philox(size)).standard_normal((2, size))
    tensors = [torch.from_numpy(row.astype(np.float32)) for row in values]
    a, b = (tensor.numpy().astype(np.float64) for tensor in tensors)
    products = gram(Sources(None, tensors).parent, 2, size=size)[0]
    assert [[np.sum(a * a), np.sum(a * b)], [np.sum(b * a), np.sum(b * b)]] == products.tolist()
