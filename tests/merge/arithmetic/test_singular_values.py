"""Methods on whole matrices: Iso-C, what is a linear map, and any number of threads."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from stages.checkpoint.reader import Checkpoint
from stages.merge.arithmetic.singular_values import isotropic
from stages.merge.engine.tensor_ranges import merge
from tests.merge.recipes import planned, recipe_of
from tests.merge.strategies import merged, vectors

BY_MATRIX = ("tsv_merge", "wudi")  # others get the mean of the task vectors


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


@pytest.mark.parametrize("name", ["iso_c", "tsv_merge", "wudi"])
def test_threads_change_no_bit_of_a_decomposition(name: str) -> None:
    """A decomposition that LAPACK would divide among threads is the same with one and with two."""
    base, parents = torch.zeros(400, 300), [_random(400, 300, seed=seed) for seed in (0, 1)]
    before = torch.get_num_threads()
    children = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            copies = [parent.clone() for parent in parents]
            children.append(merged(name, base, copies, weight=1.0, chunk=threads * 997))
            assert threads == torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*children)
    assert math.isfinite(float(children[0].sum()))


@pytest.mark.parametrize("name", BY_MATRIX)
def test_what_is_not_a_linear_map_gets_the_mean(name: str) -> None:
    """A vector, a convolution and a matrix outside the layers get the weighted mean."""
    for shape, is_in_layer in (((6,), True), ((2, 3, 1, 1), True), ((2, 3), False)):
        base, first, second = (_random(*shape, seed=seed) for seed in range(3))
        values: dict[str, Any] = {"weight": (1.0, 3.0), "scale": 2.0}
        child = merged(name, base, [first, second], is_in_layer=is_in_layer, **values)
        expected = base + 2 * (0.25 * (first - base) + 0.75 * (second - base))
        assert torch.allclose(expected, child, atol=1e-6)


@pytest.mark.parametrize("name", BY_MATRIX)
def test_embeddings_and_heads_are_outside_the_layers(name: str, opened: list[Checkpoint]) -> None:
    """In a model the embedding and the final norm get the mean, a projection does not."""
    base, *parents = opened
    recipe = recipe_of(name, base, parents[:2], {"weight": 1.0}, dtype="float32")
    child = dict(merge(planned(recipe, base, parents[:2])))
    for tensor, is_mean in (
        ("model.embed_tokens.weight", True),
        ("model.norm.weight", True),
        ("model.layers.0.input_layernorm.weight", True),
        ("model.layers.0.self_attn.q_proj.weight", False),
    ):
        mean = (parents[0].read(tensor) + parents[1].read(tensor)) / 2
        assert is_mean == torch.allclose(mean, child[tensor], atol=1e-5)


@pytest.mark.parametrize("name", BY_MATRIX)
def test_parents_that_equal_the_base_are_as_if_never_named(name: str) -> None:
    """A zero task matrix has no directions and no energy: next to another it changes rounding."""
    base, parent = _random(4, 6), _random(4, 6, seed=1)
    child = merged(name, base, [base, base], weight=1.0)
    assert torch.equal(base, child)
    if name == "wudi":
        alone = merged(name, base, [parent], weight=1.0)
        assert torch.allclose(alone, merged(name, base, [base, parent], weight=1.0), atol=1e-6)
