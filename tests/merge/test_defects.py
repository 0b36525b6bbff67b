"""Settings that other engines let pass, or fail on late: refused by name before a tensor is read.

Defects of arithmetic have their tests beside the method's numbers, in test_golden.py,
test_magprune.py, test_sphere.py and test_spectral.py.
"""

from typing import Any

import pytest
import torch

from stages.errors import RecipeError
from stages.merge.methods import METHODS
from tests.merge.recipes import VALUES
from tests.merge.strategies import merged

PARENTS = [torch.ones(2, 3), torch.zeros(2, 3)]
TAKE_DENSITY = [n for n, m in METHODS.items() if "density" in {p.name for p in m.spec.parameters}]


def _values(name: str, **other: float) -> dict[str, Any]:
    """Return legal values for a method, and then others."""
    return {**VALUES[name], **other}


@pytest.mark.parametrize("name", TAKE_DENSITY)
@pytest.mark.parametrize("density", [0.0, 1.01, -0.1])
def test_density_outside_its_range_is_refused(name: str, density: float) -> None:
    """A density keeps something, and no more than all: (0, 1] is legal."""
    values = _values(name, density=density)
    with pytest.raises(RecipeError, match=r"density is .* Legal is a number in \(0, 1\]"):
        merged(name, torch.zeros(2, 3), PARENTS, **values)


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [
        ("sce", "select_topk", 0.0),
        ("sce", "select_topk", 1.5),
        ("breadcrumbs", "gamma", -0.1),
        ("breadcrumbs_ties", "gamma", 1.1),
        ("della", "epsilon", 0.6),
        ("della_linear", "epsilon", -0.1),
        ("ram", "epsilon", -1.0),
        ("nearswap", "t", -0.1),
        ("karcher", "weight", -1.0),
        ("karcher", "max_iter", 0.5),
        ("nuslerp", "nuslerp_row_wise", 0.5),
        ("model_stock", "filter_wise", 2.0),
        ("iso_c", "normalize", 0.5),
    ],
)
def test_values_outside_their_range_are_refused(name: str, parameter: str, value: float) -> None:
    """The error names the parameter, what it got and what is legal."""
    with pytest.raises(RecipeError, match=rf"{parameter} is {value:g}.*Legal is"):
        merged(name, torch.zeros(2, 3), PARENTS, **_values(name, **{parameter: value}))


@pytest.mark.parametrize("name", METHODS)
def test_unknown_parameters_are_refused(name: str) -> None:
    """A parameter that a method does not take is an error, not a silence."""
    with pytest.raises(RecipeError, match="unknown parameter 'lamda'"):
        merged(name, torch.zeros(2, 3), PARENTS, **_values(name, lamda=1.0))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("shape", [(1,), (5, 1), (1, 5), (2, 3, 1, 1)])
def test_methods_take_tensors_of_any_shape(name: str, shape: tuple[int, ...]) -> None:
    """Single entries, single columns, rows and convolutions come out whole and finite."""
    generator = torch.Generator().manual_seed(0)
    base, *parents = (torch.randn(shape, generator=generator) for _ in range(3))
    child = merged(name, base, parents, **_values(name))
    assert shape == tuple(child.shape)
    assert torch.isfinite(child).all()


@pytest.mark.parametrize("name", METHODS)
def test_methods_take_zero_tensors(name: str) -> None:
    """Where the base and the parents are zero, so is the child: nothing is divided by a norm."""
    zero = torch.zeros(3, 4)
    assert torch.equal(zero, merged(name, zero, [zero, zero], **_values(name)))
