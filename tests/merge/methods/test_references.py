"""Each method's kernel gives the child of its ``reference``: the paper in plain lines."""

import importlib
import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from beartype import beartype
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError, jaxtyped
from torch import Tensor

from stages.merge.methods import METHODS
from stages.merge.plan.rule_settings import settings_of
from stages.recipe.recipe import Rule
from tests.merge.drawn_words import drawn_words
from tests.merge.strategies import TASK_METHODS, merged, settings_of_any

# These compare sums or ranks with each other, or drop singular values that float32 cannot tell
# from 0: their references calculate in float32, too, so that both decide alike.
SINGULAR = ("iso_c", "tsv_merge")
CHOOSING = (*TASK_METHODS, "sce", "consensus_ta")
BASE_OR_NOT = ("nuslerp", "multislerp")  # on task vectors if there is a base, else on parents
SHAPES = [(), (1,), (7,), (5, 1), (1, 5), (4, 6), (2, 3, 1, 1), (3, 2, 4)]
# An importance of arcee_fusion is a logarithm, which no entries make exact: one that lies on the
# fence but for rounding is on either side of it.
ROUNDED = ("arcee_fusion",)
NUM_EXAMPLES = max(15 * len(METHODS), settings().max_examples)
methods = st.sampled_from(sorted(METHODS))
exact_methods = st.sampled_from(sorted(METHODS.keys() - set(ROUNDED)))


@cache
def reference_of(name: str) -> Callable[..., Tensor]:
    """Return the reference of a method, which raises if a shape is not as annotated."""
    module = importlib.import_module(f"stages.merge.methods.{name}")
    checked: Callable[..., Tensor] = jaxtyped(typechecker=beartype)(module.reference)
    return checked


def expected_child(
    name: str, base: Tensor | None, parents: list[Tensor], values: dict[str, Any], dtype: Any
) -> Tensor:
    """Return what the reference makes of the tensors, computed in ``dtype``."""
    legal = settings_of(Rule(values), METHODS[name], len(parents))
    column = (len(parents), *[1] * parents[0].dim())
    complete: dict[str, Any] = {**legal.tensor, **legal.choice}
    for key, per_parent in legal.parent.items():
        complete[key] = torch.tensor(per_parent, dtype=dtype).view(column)
    reference = reference_of(name)
    if base is None:
        return reference(torch.stack(parents).to(dtype), **complete)
    task_vectors = torch.stack([parent - base for parent in parents]).to(dtype)
    if not METHODS[name].spec.needs_base:
        return base.to(dtype) + reference(task_vectors, **complete)
    if "words" in inspect.signature(reference).parameters:
        complete["words"] = torch.stack(
            [drawn_words(0, str(i), "x", p.shape) for i, p in enumerate(parents)]
        )
    return reference(base.to(dtype), task_vectors, **complete)


def _parameters(name: str) -> list[str]:
    return [parameter.name for parameter in METHODS[name].spec.parameters]


def halves(count: int) -> st.SearchStrategy[list[Tensor]]:
    """Return ``count`` matrices of multiples of 1/2 up to 1: many are equal, or cancel."""

    def cut(num_rows: int, num_columns: int, words: bytes) -> list[Tensor]:
        whole = np.frombuffer(words, np.uint8).reshape(count, 4, 6)[:, :num_rows, :num_columns]
        stack = ((whole.astype(np.int32) + 2) % 5 - 2) / 2
        return list(torch.from_numpy(stack.astype(np.float32)))

    words = st.binary(min_size=24 * count, max_size=24 * count)
    return st.builds(cut, st.integers(1, 4), st.integers(1, 6), words)


def _assert_same_child(
    name: str, base: Tensor, parents: list[Tensor], values: dict[str, Any], dtype: Any
) -> None:
    """Compare the kernel with the reference, within what float32 rounds."""
    tolerance = 1e-2 if name in SINGULAR else 1e-4
    bases = [base] if METHODS[name].spec.needs_base else [None]
    for given_base in [*bases, base] if name in BASE_OR_NOT else bases:
        expected = expected_child(name, given_base, parents, values, dtype)
        child = merged(name, given_base, parents, **values)
        torch.testing.assert_close(child, expected.float(), rtol=tolerance, atol=tolerance)


@settings(max_examples=NUM_EXAMPLES)
@given(data=st.data(), name=exact_methods)
def test_kernel_gives_the_child_of_the_reference_on_exact_values(
    data: st.DataObject, name: str
) -> None:
    """Entries that are equal, that cancel or that are 0 are decided as in the reference."""
    values, count = data.draw(settings_of_any(name, exact=_parameters(name)))
    base, *parents = data.draw(halves(count + 1))
    dtype = torch.float32 if name in (*CHOOSING, *SINGULAR) else torch.float64
    _assert_same_child(name, base, parents, values, dtype)


@settings(max_examples=NUM_EXAMPLES)
@given(data=st.data(), name=methods, shape=st.sampled_from(SHAPES), seed=st.integers(0, 999))
def test_kernel_gives_the_child_of_the_reference_at_any_settings(
    data: st.DataObject, name: str, shape: tuple[int, ...], seed: int
) -> None:
    """Random tensors of any shape have the child of a reference in float64."""
    # Weights that cancel but for rounding have a quotient of rounding: theirs cancel exactly.
    values, count = data.draw(settings_of_any(name, exact=["weight"]))
    generator = torch.Generator().manual_seed(seed)
    base, *parents = (torch.randn(shape, generator=generator) for _ in range(count + 1))
    dtype = torch.float32 if name in SINGULAR else torch.float64
    _assert_same_child(name, base, parents, values, dtype)


def test_reference_of_other_shapes_is_refused() -> None:
    """The annotated shapes are checked: a task vector has the base's shape."""
    with pytest.raises(TypeCheckError):
        reference_of("task_arithmetic")(
            torch.zeros(2, 3),
            torch.zeros(1, 3, 2),
            weight=torch.ones(1, 1, 1),
            scale=1.0,
            normalize=0.0,
        )
