"""Laws of single methods, and of some together; those of every method: test_every_method.py."""

from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from stages.merge.methods import METHODS
from tests.merge.strategies import (
    TASK_METHODS,
    densities,
    merged,
    positive_weights,
    vectors,
    weights,
)

WEIGHING = ("linear", "multislerp", "karcher", "iso_c", *TASK_METHODS)
task_methods = st.sampled_from(TASK_METHODS)


def _values(name: str, count: int, weight: float = 0.5, density: float = 0.5) -> dict[str, Any]:
    """Return legal values for any method."""
    taken = {p.name for p in METHODS[name].spec.parameters}
    values: dict[str, Any] = {
        "weight": (weight,) * count,
        "density": density,
        "t": 0.25,
        "select_topk": 0.5,
    }
    return {k: v for k, v in values.items() if k in taken}


def _close(expected: Tensor, actual: Tensor) -> bool:
    """Return whether two tensors agree within float32 rounding of values of this size."""
    return torch.allclose(expected, actual, rtol=1e-5, atol=1e-5)


@given(tensors=vectors(3), name=task_methods)
def test_weight_zero_everywhere_is_the_base(tensors: list[Tensor], name: str) -> None:
    """A task-vector method with weights of 0 gives the base bit for bit."""
    base, *parents = tensors
    child = merged(name, base, parents, **_values(name, 2, 0.0))
    assert base.numpy().tobytes() == child.numpy().tobytes()


@given(
    tensors=vectors(4),
    name=st.sampled_from(WEIGHING),
    order=st.permutations(range(3)),
    drawn=st.lists(positive_weights, min_size=3, max_size=3),
)
def test_order_of_parents_changes_rounding_only(
    tensors: list[Tensor], name: str, order: list[int], drawn: list[float]
) -> None:
    """Parents in another order, each with its weight, give the child within rounding.

    The tensors' sums are exact in float32; with others a vote near zero could change sides.
    """
    base, *parents = tensors
    values = _values(name, 3, density=1.0)
    straight = merged(name, base, parents, **{**values, "weight": tuple(drawn)})
    moved = merged(
        name,
        base,
        [parents[i] for i in order],
        **{**values, "weight": tuple(drawn[i] for i in order)},
    )
    assert _close(straight, moved)


@given(tensors=vectors(3), number=st.integers(0, 2), weight=positive_weights)
def test_linear_of_one_parent_is_that_parent(
    tensors: list[Tensor], number: int, weight: float
) -> None:
    """A mean with one weight that is not 0 is that parent, bit for bit."""
    weights = tuple(weight if i == number else 0.0 for i in range(3))
    child = merged("linear", None, tensors, weight=weights)
    assert tensors[number].numpy().tobytes() == child.numpy().tobytes()


@given(tensors=vectors(2), factor=positive_weights)
def test_linear_mean_ignores_the_scale_of_weights(tensors: list[Tensor], factor: float) -> None:
    """Weights times a number give the same mean."""
    once = merged("linear", None, tensors, weight=(0.25, 0.5))
    scaled = merged("linear", None, tensors, weight=(0.25 * factor, 0.5 * factor))
    assert _close(once, scaled)


@given(tensors=vectors(3), name=task_methods, scale=weights)
def test_scale_stretches_the_step_from_the_base(
    tensors: list[Tensor], name: str, scale: float
) -> None:
    """The child with scale s is base + s x (the child with scale 1 - base)."""
    base, *parents = tensors
    values = _values(name, 2)
    step = merged(name, base, parents, **values) - base
    scaled = merged(name, base, parents, **values, scale=scale)
    assert _close(base + scale * step, scaled)


@given(tensors=vectors(2), name=task_methods, weight=weights)
def test_one_whole_task_vector_is_task_arithmetic(
    tensors: list[Tensor], name: str, weight: float
) -> None:
    """One parent, density 1, not normalised: every method is task arithmetic, bit for bit."""
    base, parent = tensors
    plain = merged("task_arithmetic", base, [parent], weight=weight)
    values = {**_values(name, 1, weight, density=1.0), "normalize": 0.0}
    assert torch.equal(plain, merged(name, base, [parent], **values))


@given(tensors=vectors(3), weight=weights)
def test_dare_at_density_one_drops_nothing(tensors: list[Tensor], weight: float) -> None:
    """DARE at density 1 is the method it wraps, bit for bit."""
    base, *parents = tensors
    whole: dict[str, Any] = {"weight": (weight, 0.5), "density": 1.0, "normalize": 0.0}
    plain = merged("task_arithmetic", base, parents, weight=(weight, 0.5))
    assert torch.equal(plain, merged("dare_linear", base, parents, **whole))
    elected = merged("ties", base, parents, **whole)
    assert torch.equal(elected, merged("dare_ties", base, parents, **whole))


@given(tensors=vectors(3), density=densities)
def test_breadcrumbs_without_gamma_is_ties(tensors: list[Tensor], density: float) -> None:
    """Where no entry is dropped for being large, the largest are kept as TIES keeps them."""
    base, *parents = tensors
    values: dict[str, Any] = {"weight": (0.5, 1.0), "density": density, "normalize": 0.0}
    bare = merged("breadcrumbs_ties", base, parents, **values, gamma=0.0)
    assert torch.equal(merged("ties", base, parents, **values), bare)


@given(tensors=vectors(3), density=densities)
def test_della_without_epsilon_is_dare(tensors: list[Tensor], density: float) -> None:
    """Where each entry has the same chance, DELLA drops what DARE drops, bit for bit."""
    base, *parents = tensors
    values: dict[str, Any] = {"weight": (0.5, 1.0), "density": density, "normalize": 0.0}
    for della, dare in (("della", "dare_ties"), ("della_linear", "dare_linear")):
        even = merged(della, base, parents, **values, epsilon=0.0)
        assert torch.equal(merged(dare, base, parents, **values), even)


@given(tensors=vectors(2), density=densities)
def test_dare_keeps_entries_whole_or_not_at_all(tensors: list[Tensor], density: float) -> None:
    """Each entry of a sparse task vector is 0, or the entry over the density."""
    base, parent = torch.zeros_like(tensors[0]), tensors[1]
    child = merged("dare_linear", base, [parent], weight=1.0, density=density)
    full = parent * torch.tensor(1 / density, dtype=torch.float32)
    assert ((child == 0) | (child == full)).all()


@given(tensors=vectors(2), t=st.floats(0, 1))
def test_slerp_starts_and_ends_at_the_parents(tensors: list[Tensor], t: float) -> None:
    """T 0 gives the first parent, t 1 the second, and swapped parents mirror t."""
    first, second = tensors
    assert torch.equal(first, merged("slerp", None, tensors, t=0.0))
    assert torch.equal(second, merged("slerp", None, tensors, t=1.0))
    mirrored = merged("slerp", None, [second, first], t=1.0 - t)
    assert torch.allclose(merged("slerp", None, tensors, t=t), mirrored, rtol=1e-3, atol=1e-4)


@given(tensors=vectors(3), source=st.integers(0, 2))
def test_passthrough_copies_its_source(tensors: list[Tensor], source: int) -> None:
    """Passthrough is its source bit for bit; scale multiplies it."""
    child = merged("passthrough", None, tensors, source=float(source))
    assert tensors[source].numpy().tobytes() == child.numpy().tobytes()
    twice = merged("passthrough", None, tensors, source=float(source), scale=2.0)
    assert torch.equal(tensors[source] * 2, twice)


@given(tensors=vectors(4), density=densities, drawn=st.lists(weights, min_size=3, max_size=3))
def test_ties_agrees_with_its_plain_twin(
    tensors: list[Tensor], density: float, drawn: list[float]
) -> None:
    """TIES equals a twin that follows the paper's algorithm entry by entry in Python."""
    base, *parents = tensors
    child = merged("ties", base, parents, weight=tuple(drawn), density=density)
    expected = _plain_ties(base.tolist(), [(p - base).tolist() for p in parents], drawn, density)
    assert torch.allclose(torch.tensor(expected), child, rtol=1e-4, atol=1e-4)


def _plain_ties(
    base: list[float], tasks: list[list[float]], weights: list[float], density: float
) -> list[float]:
    """Return TIES by sorting and looping, in double precision."""
    kept = max(1, int(density * len(base)))
    trimmed = []
    for task in tasks:
        order = sorted(range(len(task)), key=lambda i: (-abs(task[i]), i))
        trimmed.append([v if i in order[:kept] else 0.0 for i, v in enumerate(task)])
    child = []
    for i, value in enumerate(base):
        terms = [(w * task[i], w) for w, task in zip(weights, trimmed, strict=True)]
        plus = sum(term for term, _ in terms) >= 0
        agreed = [(term, w) for term, w in terms if term and (term > 0) == plus]
        divisor = sum(w for _, w in agreed)
        divisor = divisor if abs(divisor) >= 1e-8 else 1.0
        child.append(value + sum(term for term, _ in agreed) / divisor)
    return child
