"""Directions: NuSLERP, MultiSLERP and the Karcher mean, against numbers and formulas."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from stages.errors import RecipeError
from tests.merge.strategies import merged, positive_weights, vectors

X, Y = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
ROOT = math.sqrt(0.5)


def test_nuslerp_divides_the_arc_by_the_weights() -> None:
    """Weights 1 and 1 give the middle, 2 and 1 a third; opposite weights give the middle too."""
    assert torch.allclose(torch.tensor([ROOT, ROOT]), merged("nuslerp", None, [X, Y], weight=1.0))
    third = merged("nuslerp", None, [X, 2 * Y], weight=(2.0, 1.0))
    assert torch.allclose(torch.tensor([math.cos(math.pi / 6), 1.0]), third)
    cancelled = merged("nuslerp", None, [X, Y], weight=(1.0, -1.0))
    assert torch.allclose(torch.tensor([ROOT, ROOT]), cancelled)


def test_nuslerp_starts_from_the_base() -> None:
    """With a base the arc is between the task vectors, and ends at the parents bit for bit."""
    base = torch.tensor([5.0, 5.0])
    child = merged("nuslerp", base, [base + X, base + Y], weight=1.0)
    assert torch.allclose(base + ROOT, child)
    assert torch.equal(base + Y, merged("nuslerp", base, [base + X, base + Y], weight=(0.0, 2.0)))


def test_nuslerp_takes_rows_by_themselves() -> None:
    """Not flattened, each row has an arc of its own: one at 90 degrees, one straight."""
    first, second = torch.tensor([[1.0, 0.0], [2.0, 2.0]]), torch.tensor([[0.0, 1.0], [4.0, 4.0]])
    child = merged("nuslerp", None, [first, second], weight=1.0, nuslerp_flatten=0.0)
    expected = torch.tensor([[ROOT, ROOT], [3.0, 3.0]])
    assert torch.allclose(expected, child)
    values: dict[str, Any] = {"nuslerp_flatten": 0.0, "nuslerp_row_wise": 1.0, "weight": 1.0}
    columns = merged("nuslerp", None, [first.T.clone(), second.T.clone()], chunk=3, **values)
    assert torch.allclose(expected.T, columns)
    assert [3.0, 3.0] == merged("nuslerp", None, [first[1], second[1]], **values).tolist()


def test_nuslerp_takes_the_line_where_there_is_no_arc() -> None:
    """Parallel, opposite and zero vectors are interpolated linearly."""
    x = torch.tensor([1.0, 2.0])
    assert [1.5, 3.0] == merged("nuslerp", None, [x, 2 * x], weight=1.0).tolist()
    assert [0.5, 1.0] == merged("nuslerp", None, [x, -x], weight=(3.0, 1.0)).tolist()
    assert [0.75, 1.5] == merged("nuslerp", None, [x, 0 * x], weight=(3.0, 1.0)).tolist()


def test_multislerp_has_the_mean_direction_and_length() -> None:
    """Along 45 degrees with length 2, half of 1 + 3; unnormalised, the whole of it."""
    child = merged("multislerp", None, [X, 3 * Y], weight=1.0)
    assert torch.allclose(torch.tensor([2 * ROOT, 2 * ROOT]), child)
    whole = merged("multislerp", None, [X, 3 * Y], weight=1.0, normalize=0.0)
    assert torch.allclose(torch.tensor([4 * ROOT, 4 * ROOT]), whole)
    base = torch.tensor([5.0, 5.0])
    based = merged("multislerp", base, [base + X, base + 3 * Y], weight=1.0)
    assert torch.allclose(base + 2 * ROOT, based)


@given(
    tensors=vectors(3),
    weights=st.lists(positive_weights, min_size=3, max_size=3),
)
def test_multislerp_is_mergekits_formula(tensors: list[Tensor], weights: list[float]) -> None:
    """The tangent step that is left out changes nothing: a twin that takes it agrees."""
    wide = [t.double() + 8.5 for t in tensors]  # all entries above 0: no directions cancel
    share = torch.tensor(weights).double() / sum(weights)
    norms = torch.stack([v.norm() for v in wide])
    units = torch.stack([v / n for v, n in zip(wide, norms, strict=True)])
    mean = (share[:, None] * units).sum(0)
    mean = mean / mean.norm()
    tangents = units - (units @ mean)[:, None] * mean
    step = (share[:, None] * tangents).sum(0)
    length = step.norm().clamp(min=1e-30)
    point = length.cos() * mean + length.sin() / length * step
    child = merged("multislerp", None, [v.float() for v in wide], weight=tuple(weights))
    assert torch.allclose((point * (share * norms).sum()).float(), child, rtol=1e-4)


def test_directions_that_cancel_give_the_plain_mean() -> None:
    """Opposite vectors have no mean direction: two or three of them are averaged as they are."""
    third = 2 * math.pi / 3
    star = [torch.tensor([math.cos(k * third), math.sin(k * third)]) for k in range(3)]
    for name in ("multislerp", "karcher"):
        assert [-1.0, 0.0] == merged(name, None, [X, -3 * X], weight=1.0).tolist()
        assert torch.allclose(torch.zeros(2), merged(name, None, star, weight=1.0), atol=1e-6)


def test_karcher_is_the_middle_of_the_arc() -> None:
    """Of two directions it halves the angle, or divides it by the weights as SLERP does."""
    child = merged("karcher", None, [X, 3 * Y])
    assert torch.allclose(torch.tensor([2 * ROOT, 2 * ROOT]), child)
    quarter = merged("karcher", None, [X, Y], weight=(3.0, 1.0), max_iter=200.0, tol=1e-9)
    eighth = math.pi / 8
    assert torch.allclose(torch.tensor([math.cos(eighth), math.sin(eighth)]), quarter)


def test_karcher_of_an_octant_is_its_centre() -> None:
    """Three perpendicular unit vectors have the centre of their octant as mean."""
    child = merged("karcher", None, list(torch.eye(3)))
    assert torch.allclose(torch.full((3,), math.sqrt(1 / 3)), child)


def test_karcher_takes_zero_tensors() -> None:
    """All zero gives zero; one zero parent halves the length and turns nothing."""
    zero = torch.zeros(2)
    assert [0.0, 0.0] == merged("karcher", None, [zero, zero]).tolist()
    assert [1.5, 0.0] == merged("karcher", None, [3 * X, zero]).tolist()


def test_karcher_reads_the_last_of_many_steps() -> None:
    """With no step it is the mean direction; with steps it gets nearer to the least of squares."""
    z = torch.tensor([0.6, 0.0, 0.8])
    parents = [torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0]), z]

    def spread(child: Tensor) -> float:
        unit = child / child.norm()
        return sum(math.acos(min(float(unit @ p), 1.0)) ** 2 for p in parents)

    start = spread(merged("karcher", None, parents, max_iter=0.0))
    end = spread(merged("karcher", None, parents, max_iter=50.0, tol=1e-10))
    assert end < start
    mean = merged("multislerp", None, parents, weight=1.0)
    assert torch.allclose(mean, merged("karcher", None, parents, max_iter=0.0))


def test_weights_without_a_mean_are_refused() -> None:
    """Weights that cancel or are 0, half a step, half a switch: the error says what is legal."""
    for name, values, message in (
        ("multislerp", {"weight": (1.0, -1.0)}, "sum to 0, so they have no mean"),
        ("karcher", {"weight": 0.0}, "every weight is 0"),
        ("karcher", {"max_iter": 2.5}, "max_iter is 2.5. Legal is a whole number"),
        ("nuslerp", {"weight": 1.0, "nuslerp_flatten": 0.5}, "nuslerp_flatten is 0.5. Legal is 0"),
        ("model_stock", {"filter_wise": 0.5}, "filter_wise is 0.5. Legal is 0 or 1"),
    ):
        with pytest.raises(RecipeError, match=message):
            merged(name, X, [X, Y], **values)
