"""The laws of docs/merge-methods.md, for every method of METHODS at any legal settings.

Settings are drawn from the method's own declaration. A method is left out of a law only where its
spec says that it is exempt, and then it must break it.
"""

import math
from typing import Any, get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stages.checkpoint.reader import Checkpoint
from stages.merge.arithmetic.thresholds import num_kept
from stages.merge.engine.tensor_ranges import merge_tensor
from stages.merge.methods import METHODS
from stages.recipe.method_spec import Law
from tests.merge.recipes import VALUES, planned, recipe_of
from tests.merge.strategies import matrices, merged, settings_of_any, usual

EXEMPT = {
    law: {name for name, method in METHODS.items() if law in dict(method.spec.exempt)}
    for law in get_args(Law)
}
TAKES = {
    name: {parameter.name for parameter in method.spec.parameters}
    for name, method in METHODS.items()
}
methods = st.sampled_from(sorted(METHODS))


def _without(law: Law, taking: str | None = None) -> list[str]:
    """Return the methods that keep a law, of those that take a parameter."""
    kept = sorted(set(METHODS) - EXEMPT[law])
    return kept if taking is None else [name for name in kept if taking in TAKES[name]]


@given(data=st.data(), name=methods)
def test_legal_input_gives_a_finite_child(data: st.DataObject, name: str) -> None:
    """Each method gives a finite float32 tensor of its shape, and leaves its inputs alone."""
    values, count = data.draw(settings_of_any(name))
    base, *parents = data.draw(matrices(count + 1))
    before = [tensor.clone() for tensor in (base, *parents)]
    child = merged(name, base, parents, **values)
    assert base.shape == child.shape
    assert torch.float32 == child.dtype
    assert torch.isfinite(child).all()
    assert all(torch.equal(*pair) for pair in zip(before, (base, *parents), strict=True))


@given(
    data=st.data(),
    name=methods,
    poison=st.sampled_from([math.nan, math.inf, -math.inf]),
    poisoned=st.sampled_from([0, 1]),
)
def test_what_is_not_a_number_shows(
    data: st.DataObject, name: str, poison: float, poisoned: int
) -> None:
    """An infinity or NaN in a parent shows, also where its entries are dropped."""
    base, *parents = data.draw(matrices(3))
    parents[0 if name == "passthrough" else poisoned][0, 0] = poison  # it takes the first alone
    dropping: dict[str, Any] = {
        key: 0.5 for key in ("density", "select_topk") if key in TAKES[name]
    }
    child = merged(name, base, parents, **usual(name, 2), **dropping)
    assert not torch.isfinite(child).all()


@given(data=st.data(), name=methods, chunk=st.integers(1, 130))
def test_chunks_change_no_bit(data: st.DataObject, name: str, chunk: int) -> None:
    """However the entries are divided into ranges, the child is the same bit for bit."""
    values, count = data.draw(settings_of_any(name))
    base, *parents = data.draw(matrices(count + 1))
    whole = merged(name, base, parents, **values)
    parts = merged(name, base, parents, chunk=chunk, **values)
    assert whole.numpy().tobytes() == parts.numpy().tobytes()


@pytest.mark.parametrize("name", METHODS)
def test_order_and_threads_change_no_bit(name: str, opened: list[Checkpoint]) -> None:
    """Tensors merged last to first, on two threads of torch's, are those of the first to last."""
    plan = planned(recipe_of(name, opened[0], opened[1:3]), opened[0], opened[1:3])
    straight = [merge_tensor(plan, tensor, memo=None) for tensor in plan.tensors]
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        back = [merge_tensor(plan, tensor, memo=None) for tensor in plan.tensors[::-1]]
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(*pair) for pair in zip(straight, back[::-1], strict=True))


@given(data=st.data(), name=st.sampled_from(_without("equal parents")))
def test_equal_parents_give_the_parent(data: st.DataObject, name: str) -> None:
    """Parents that are equal, at weights that sum to 1 and defaults, give the parent."""
    values, count = data.draw(settings_of_any(name))
    base, parent = data.draw(matrices(2))
    needed = {k: v for k, v in values.items() if k in usual(name, count)}
    child = merged(name, base, [parent] * count, **{**needed, **_shares(name, count)})
    assert torch.allclose(parent, child, rtol=1e-4, atol=1e-4)


def _shares(name: str, count: int) -> dict[str, Any]:
    """Return equal weights that sum to 1, for a method that has weights."""
    return {"weight": (1.0 / count,) * count} if "weight" in TAKES[name] else {}


@given(data=st.data(), name=st.sampled_from(_without("zero task vectors")))
def test_zero_task_vectors_give_the_base(data: st.DataObject, name: str) -> None:
    """Parents that equal the base give its very values.

    Where the method adds to a base that is so at any settings.
    """
    values, count = data.draw(settings_of_any(name))
    (base,) = data.draw(matrices(1))
    if not METHODS[name].spec.needs_base:
        values = {**usual(name, count), **_shares(name, count)}
    assert torch.equal(base, merged(name, base, [base] * count, **values))


@given(data=st.data(), name=st.sampled_from(_without("zero weight", "weight")))
def test_a_parent_of_weight_zero_leaves_no_trace(data: st.DataObject, name: str) -> None:
    """The child with a parent of weight 0 is, bit for bit, the child without it."""
    values, count = data.draw(settings_of_any(name, extra=1))
    ghost = data.draw(st.integers(0, count - 1))
    base, *parents = data.draw(matrices(count + 1))
    others = [i for i in range(count) if i != ghost]
    fewer: dict[str, Any] = {
        key: tuple(value[i] for i in others) if isinstance(value, tuple) else value
        for key, value in values.items()
    }
    weight = tuple(0.0 if i == ghost else 0.25 * (i + 1) for i in range(count))
    keys = [str(i) for i in range(count)]
    haunted = merged(name, base, parents, keys=keys, **{**values, "weight": weight})
    without = merged(
        name,
        base,
        [parents[i] for i in others],
        keys=[keys[i] for i in others],
        **{**fewer, "weight": tuple(weight[i] for i in others)},
    )
    assert without.numpy().tobytes() == haunted.numpy().tobytes()


@given(
    name=st.sampled_from(_without("density", "density")),
    size=st.integers(1, 200),
    density=st.floats(0.01, 1.0),
)
def test_density_keeps_its_count(name: str, size: int, density: float) -> None:
    """Of a task vector without zeros int(density x n) entries are kept, and at least one."""
    parent = torch.arange(1.0, size + 1.0)
    child = merged(name, torch.zeros(size), [parent], weight=1.0, density=density)
    assert num_kept(size, density) == int((child != 0).sum())


@pytest.mark.parametrize("name", sorted(EXEMPT["density"]))
@pytest.mark.parametrize("density", [0.1, 0.5, 0.9])
def test_chance_keeps_the_density_on_average(name: str, density: float) -> None:
    """Of 20,000 entries the fraction kept is the density, within five standard deviations."""
    parent = torch.ones(100, 200)
    child = merged(name, torch.zeros(100, 200), [parent], weight=1.0, density=density)
    deviation = (density * (1 - density) / parent.numel()) ** 0.5
    assert density == pytest.approx(float((child != 0).float().mean()), abs=5 * deviation)


@pytest.mark.parametrize("name", sorted(EXEMPT["equal parents"]))
def test_exempt_methods_change_equal_parents(name: str) -> None:
    """The exemption is needed: equal parents come out as something else."""
    parent = torch.diag(torch.tensor([3.0, 1.0]))
    child = merged(name, torch.zeros(2, 2), [parent] * 2, **_shares(name, 2))
    assert not torch.allclose(parent, child, atol=0.1)


@pytest.mark.parametrize("name", sorted(EXEMPT["zero task vectors"]))
def test_exempt_methods_round_equal_parents(name: str) -> None:
    """The exemption is needed, and no more than rounding: some entry of a thousand differs."""
    base = torch.arange(1.0, 1001.0) / 7
    values = {**usual(name, 3), **({"weight": (0.1, 0.2, 0.4)} if "weight" in TAKES[name] else {})}
    count = METHODS[name].spec.max_parents or 3
    child = merged(name, base, [base] * count, **values)
    assert not torch.equal(base, child)
    assert torch.allclose(base, child, rtol=1e-5)


@pytest.mark.parametrize("name", sorted(EXEMPT["zero weight"]))
def test_exempt_methods_cannot_do_with_one_parent_less(name: str) -> None:
    """The exemption is needed: there is a parent of weight 0 only where it cannot be left out."""
    spec = METHODS[name].spec
    assert spec.min_parents == spec.max_parents


def test_every_exemption_is_tested_to_be_needed() -> None:
    """Each law has a test of its exempt methods above, and density only those that take it."""
    assert set(EXEMPT) == {"equal parents", "zero task vectors", "zero weight", "density"}
    assert all("density" in TAKES[name] for name in EXEMPT["density"])


@given(data=st.data(), name=methods)
def test_tensors_of_any_shape_come_out_whole(data: st.DataObject, name: str) -> None:
    """Scalars, single entries, columns, rows and convolutions keep their shape and are finite."""
    shape = data.draw(st.sampled_from([(), (1,), (5, 1), (1, 5), (2, 3, 1, 1), (3, 2, 4)]))
    values, count = data.draw(settings_of_any(name))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 99)))
    base, *parents = (torch.randn(shape, generator=generator) for _ in range(count + 1))
    child = merged(name, base, parents, **values)
    assert shape == tuple(child.shape)
    assert torch.isfinite(child).all()


@pytest.mark.parametrize("name", METHODS)
def test_a_spec_says_what_enters_the_numbers(name: str) -> None:
    """A base and random words change the child only where the spec says that they may."""
    spec = METHODS[name].spec
    generator = torch.Generator().manual_seed(1)
    bases, (one, two) = (
        torch.randn(2, 4, 6, generator=generator),
        torch.randn(2, 4, 6, generator=generator),
    )
    values: dict[str, Any] = dict(VALUES[name])
    base = bases[0] if spec.needs_base else None
    child = merged(name, base, [one, two], keys=["a", "b"], **values)
    others = merged(name, base, [one, two], keys=["c", "d"], **values)
    assert spec.draws != torch.equal(child, others)
    based = [merged(name, other, [one, two], keys=["a", "b"], **values) for other in bases]
    assert spec.reads_base != torch.equal(*based)
