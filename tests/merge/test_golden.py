"""Numbers worked by hand for every method."""

import math
from typing import Any

import torch

from stages.merge.methods import METHODS
from tests.merge.strategies import merged

BASE = torch.tensor([1.0, 1.0, 1.0, 1.0])
FIRST = torch.tensor([2.0, 0.0, 1.5, 1.0])  # task vector 1, -1, 0.5, 0
SECOND = torch.tensor([3.0, 4.0, 0.0, 1.25])  # task vector 2, 3, -1, 0.25
# Of the Philox words of the key of [0, "a", "x"], those below 2^31, by NumPy alone.
DARE_MASK = [2, 0, 0, 2, 0, 2, 2, 2, 0, 0, 0, 0]


def _child(name: str, **values: Any) -> list[float]:
    """Return what a method makes of the two parents above."""
    base = BASE if METHODS[name].spec.needs_base else None
    return list(merged(name, base, [FIRST, SECOND], **values).tolist())


def test_linear_is_the_weighted_mean() -> None:
    """(1 x first + 3 x second) / 4, and the plain sum where it is not normalised."""
    assert [2.75, 3.0, 0.375, 1.1875] == _child("linear", weight=(1.0, 3.0))
    assert [11.0, 12.0, 1.5, 4.75] == _child("linear", weight=(1.0, 3.0), normalize=0.0)


def test_task_arithmetic_adds_weighted_task_vectors() -> None:
    """Base + 0.5 x first task vector + 1 x second."""
    assert [3.5, 3.5, 0.25, 1.25] == _child("task_arithmetic", weight=(0.5, 1.0))
    doubled = _child("task_arithmetic", weight=(0.5, 1.0), scale=2.0)
    assert [6.0, 6.0, -0.5, 1.5] == doubled


def test_task_arithmetic_normalizes_unless_the_weights_cancel() -> None:
    """Weights 1 and 1 halve the sum; weights 1 and -1, which sum to 0, are used as they are."""
    assert [2.5, 2.0, 0.75, 1.125] == _child("task_arithmetic", weight=1.0, normalize=1.0)
    cancelled = _child("task_arithmetic", weight=(1.0, -1.0), normalize=1.0)
    assert [0.0, -3.0, 2.5, 0.75] == cancelled


def test_ties_averages_who_agrees() -> None:
    """Signs elected are +, +, -, +: entry 0 is a mean of two, the others of one."""
    assert [2.5, 4.0, 0.0, 1.25] == _child("ties", weight=1.0)
    assert [4.0, 4.0, 0.0, 1.25] == _child("ties", weight=1.0, normalize=0.0)


def test_ties_keeps_the_largest() -> None:
    """Density 0.5 keeps 1 and -1 of the first, 2 and 3 of the second; -1 is outvoted."""
    assert [2.5, 4.0, 1.0, 1.0] == _child("ties", weight=1.0, density=0.5)


def test_ties_breaks_an_equal_magnitude_by_the_lowest_index() -> None:
    """Of 1, -1 and 1 a density that keeps two keeps the first two."""
    base, parent = torch.zeros(3), torch.tensor([1.0, -1.0, 1.0])
    child = merged("ties", base, [parent], weight=1.0, density=0.67)
    assert [1.0, -1.0, 0.0] == child.tolist()


def test_ties_keeps_at_least_one_entry() -> None:
    """A density that would keep no entry of a short tensor keeps its largest one."""
    child = merged(
        "ties", torch.zeros(3), [torch.tensor([1.0, -3.0, 2.0])], weight=1.0, density=0.1
    )
    assert [0.0, -3.0, 0.0] == child.tolist()


def test_ties_elects_plus_where_votes_cancel() -> None:
    """Task vectors 1 and -1 sum to 0, so the positive one enters the child."""
    child = merged("ties", torch.zeros(1), [torch.tensor([-1.0]), torch.tensor([1.0])], weight=1.0)
    assert [1.0] == child.tolist()


def test_dare_linear_rescales_what_it_keeps() -> None:
    """At density 0.5 each entry of a task vector of ones is 0 or 2, as its random word says."""
    parent = torch.ones(12)
    child = merged("dare_linear", torch.zeros(12), [parent], weight=1.0, density=0.5, keys=["a"])
    assert DARE_MASK == [int(value) for value in child.tolist()]


def test_dare_ties_elects_among_what_is_kept() -> None:
    """Where the mask keeps the second parent's -1 it meets the first's 0, and wins."""
    zeros, parent = torch.zeros(12), -torch.ones(12)
    child = merged("dare_ties", zeros, [zeros, parent], weight=1.0, density=0.5, keys=["b", "a"])
    assert DARE_MASK == [-int(value) for value in child.tolist()]


def test_slerp_keeps_to_the_arc() -> None:
    """Half-way between perpendicular unit vectors lies the unit vector at 45 degrees."""
    x, y = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    root = math.sqrt(0.5)
    assert torch.allclose(torch.tensor([root, root]), merged("slerp", None, [x, y], t=0.5))
    third = merged("slerp", None, [x, 2 * y], t=1 / 3)
    assert torch.allclose(torch.tensor([math.cos(math.pi / 6), 1.0]), third)


def test_slerp_takes_a_straight_line_where_there_is_no_arc() -> None:
    """Parallel, opposite and zero vectors are interpolated linearly."""
    x = torch.tensor([1.0, 2.0])
    assert [1.5, 3.0] == merged("slerp", None, [x, 2 * x], t=0.5).tolist()
    assert [0.5, 1.0] == merged("slerp", None, [x, -x], t=0.25).tolist()
    assert [0.75, 1.5] == merged("slerp", None, [x, 0 * x], t=0.25).tolist()


def test_passthrough_copies() -> None:
    """Source 1 is the second parent."""
    assert SECOND.tolist() == _child("passthrough", source=1.0)
