"""Sparse task vectors: exactly the entries that the density says."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from stages.merge.arithmetic.sparsify import chance, drop_largest, keep_drawn, keep_largest
from stages.merge.arithmetic.thresholds import Cut, cut_of_sorted, cuts_of, in_memory, num_kept
from tests.merge.strategies import densities, vectors


def _cut(magnitudes: NDArray[np.float32], density: float) -> Cut:
    """Return the cut of magnitudes in memory."""
    return cuts_of(in_memory(magnitudes), [density])[0]


@given(tensors=vectors(1), density=densities, start=st.integers(0, 3))
def test_keeping_and_dropping_the_largest_share_the_vector(
    tensors: list[Tensor], density: float, start: int
) -> None:
    """What one cut keeps and what it drops add up to the vector, wherever it is taken up."""
    vector = tensors[0]
    cut = _cut(vector.abs().numpy(), density)
    rest = vector[start:]
    assert torch.equal(rest, keep_largest(rest, cut, start) + drop_largest(rest, cut, start))


@given(tensors=vectors(1), density=densities)
def test_keep_largest_keeps_as_many_as_the_density_says(
    tensors: list[Tensor], density: float
) -> None:
    """Of entries other than 0 exactly num_kept stay, unchanged, and none dropped is larger."""
    vector = torch.where(tensors[0] == 0, 0.5, tensors[0])
    kept = keep_largest(vector, _cut(vector.abs().numpy(), density))
    stays = kept != 0
    assert num_kept(vector.numel(), density) == int(stays.sum())
    assert torch.equal(vector[stays], kept[stays])
    if not stays.all():
        assert vector[~stays].abs().max() <= vector[stays].abs().min()


@given(tensors=vectors(1), density=densities)
def test_sorted_magnitudes_give_the_same_cut(tensors: list[Tensor], density: float) -> None:
    """A cut found by selection and one found in the sorted magnitudes keep the same entries."""
    magnitudes = tensors[0].abs().numpy()
    kept = keep_largest(tensors[0], _cut(magnitudes, density))
    cut = cut_of_sorted(np.sort(magnitudes), lambda: magnitudes, density)
    assert torch.equal(kept, keep_largest(tensors[0], cut))


@pytest.mark.parametrize(
    ("density", "highest", "is_any"),
    [(0.25, 2**30 - 1, True), (1.0, 2**32 - 1, True), (1e-12, 0, False), (2**-32, 0, True)],
)
def test_a_chance_is_the_share_of_words(density: float, highest: int, is_any: bool) -> None:
    """Words below density x 2^32 keep their entries; a density nearer to 0 than 2^-32 has none."""
    word, does_any = chance(density)
    assert (highest, is_any) == (int(word), bool(does_any))


def test_keep_drawn_multiplies_what_is_kept() -> None:
    """Kept entries are times the factor, the others zero."""
    vector = torch.tensor([1.0, -2.0, 3.0, 4.0])
    kept = keep_drawn(vector, np.array([True, True, False, False]), 4.0)
    assert [4.0, -8.0, 0.0, 0.0] == kept.tolist()
