"""MAGPRUNE: chances by rank in a row, on tensors of any shape."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from stages.merge.arithmetic.magprune import chances, row_order
from stages.merge.arithmetic.method import Sources
from tests.merge.strategies import densities, merged, vectors


@given(
    num_ranks=st.integers(1, 50),
    density=densities,
    epsilon=st.floats(0, 0.5, allow_subnormal=False),
)
def test_chances_rise_and_keep_the_density(num_ranks: int, density: float, epsilon: float) -> None:
    """Chances lie in [0, 1], rise with the rank, and have the density as their mean."""
    shares = chances(num_ranks, density, epsilon)
    assert num_ranks == shares.size
    assert ((shares >= 0) & (shares <= 1)).all()
    assert (np.diff(shares) >= -1e-12).all()
    assert abs(float(shares.mean()) - density) < 1e-9


def test_chances_are_the_formulas() -> None:
    """Density 0.5 and epsilon 0.2 spread five ranks evenly from 0.3 to 0.7."""
    expected = [Fraction(n, 10) for n in (3, 4, 5, 6, 7)]
    assert np.allclose([float(f) for f in expected], chances(5, 0.5, 0.2))


def test_default_epsilon_fits_a_density_near_one() -> None:
    """Density 0.9 leaves room for an epsilon of 0.1: chances from 0.8 to 1, and no error."""
    assert np.allclose([0.8, 0.9, 1.0], chances(3, 0.9, 0.15))
    child = merged("della", torch.zeros(3, 4), [torch.ones(3, 4)], weight=1.0, density=0.9)
    assert torch.isfinite(child).all()


@given(tensors=vectors(1))
def test_order_agrees_with_its_plain_twin(tensors: list[Tensor]) -> None:
    """Entries are in the order of a sort by magnitude, the lowest index last among equals."""
    magnitudes = tensors[0].abs().numpy()
    order = sorted(range(magnitudes.size), key=lambda i: (magnitudes[i], -i))
    rows = np.stack([magnitudes, magnitudes])
    assert [order, order] == row_order(rows).tolist()


@pytest.mark.parametrize("shape", [(5, 1), (1, 5), (3, 1, 2, 2), (1,), (), (2, 0)])
@pytest.mark.parametrize("name", ["della", "della_linear"])
def test_della_takes_any_shape(name: str, shape: tuple[int, ...]) -> None:
    """Rows of one entry, of none, convolutions and scalars give finite tensors of their shape."""
    base, parent = torch.zeros(shape), torch.ones(shape)
    if base.numel() == 0:
        assert 0 == Sources(base, [parent]).row_length
        return
    child = merged(name, base, [parent], weight=1.0, density=0.5)
    assert shape == tuple(child.shape)
    assert torch.isfinite(child).all()


def test_density_is_the_fraction_kept_and_the_mean_stays() -> None:
    """Of a large matrix the share that is kept is the density; the large stay more often."""
    parent = torch.arange(1.0, 1001.0).repeat(500, 1)
    child = merged("della_linear", torch.zeros_like(parent), [parent], weight=1.0, density=0.4)
    kept = (child != 0).float()
    assert abs(float(kept.mean()) - 0.4) < 5e-3
    assert abs(float(kept[:, :100].mean()) - 0.265) < 1e-2
    assert abs(float(kept[:, 900:].mean()) - 0.535) < 1e-2
    assert abs(float(child.mean() / parent.mean()) - 1) < 1e-2


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("length", [1, 127, 128, 129, 1000, 4096])
def test_order_of_long_rows_is_that_of_a_stable_sort(dtype: torch.dtype, length: int) -> None:
    """However many digits magnitudes have, they are in order, of equals the last first."""
    generator = torch.Generator().manual_seed(length)
    base = (torch.randn(20, length, generator=generator) * 0.02).to(dtype)
    parent = (base + torch.randn(20, length, generator=generator) * 0.002).to(dtype)
    rows = (parent.float() - base.float()).abs().numpy()
    rows[3, ::2] = np.nextafter(rows[3, 0], np.float32(1))  # two values, told apart by one bit
    rows[3, 1::2] = rows[3, 0]
    flipped = np.argsort(rows[:, ::-1], axis=1, kind="stable")
    assert np.array_equal(length - 1 - flipped, row_order(rows).numpy())
