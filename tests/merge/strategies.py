"""Tensors, settings and one call that carries a method out on tensors in memory."""

import math
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from stages.errors import RecipeError
from stages.merge.arithmetic.method import Method, Sources
from stages.merge.methods import METHODS
from stages.merge.plan.rule_settings import settings_of
from stages.recipe.method_spec import Parameter
from stages.recipe.recipe import Rule, Value
from stages.seeds import key

# Methods that add sparse task vectors, each times its weight: with the election, and without.
ELECTING = ("ties", "dare_ties", "breadcrumbs_ties", "della")
ADDING = ("task_arithmetic", "dare_linear", "breadcrumbs", "della_linear")
TASK_METHODS = (*ADDING, *ELECTING)
_MOST = 256  # 64ths: products of 4 with such weights and sums of a few are exact in float32
_LEVELS = (256, 64, 8, 2, 1)  # values above 0: of few many entries are equal, cancel or are 0
weights = st.integers(-32, 32).map(lambda i: i / 16)
positive_weights = st.integers(1, 32).map(lambda i: i / 16)
densities = st.floats(0.01, 1.0)


def vectors(count: int, *, most: int = 40) -> st.SearchStrategy[list[Tensor]]:
    """Return ``count`` float32 vectors of one length: multiples of 1/64 up to 4.

    Their bytes are drawn at one go: to draw each entry took three quarters of a law's time.
    """

    def cut(size: int, num_levels: int, words: bytes) -> list[Tensor]:
        whole = np.frombuffer(words, "<u2").reshape(count, most)[:, :size].astype(np.int32)
        levels = (whole + num_levels) % (2 * num_levels + 1) - num_levels
        numbers = (levels * (_MOST // num_levels) / 64).astype(np.float32)
        return [torch.from_numpy(row.copy()) for row in numbers]

    num_bytes = 2 * count * most
    words = st.binary(min_size=num_bytes, max_size=num_bytes)
    return st.builds(cut, st.integers(1, most), st.sampled_from(_LEVELS), words)


def matrices(count: int) -> st.SearchStrategy[list[Tensor]]:
    """Return ``count`` matrices of three rows, whose entries are multiples of 1/64."""
    return vectors(count).map(lambda rows: [torch.stack([t, t.flip(0), 2 * t]) for t in rows])


def usual(name: str, num_parents: int) -> dict[str, Any]:
    """Return values for what a method cannot do without: weights that sum to 1, and t."""
    needed = [p for p in METHODS[name].spec.parameters if p.default is None]
    return {p.name: 0.3 if p.name == "t" else 1.0 / num_parents for p in needed}


def settings_of_any(
    name: str, *, extra: int = 0, exact: Collection[str] = ()
) -> st.SearchStrategy[tuple[dict[str, Any], int]]:
    """Return legal values for all of a method's parameters, and a number of parents.

    They are drawn from its declaration: a new method or parameter needs nothing here. There are
    ``extra`` more parents than it needs at least. Parameters named in ``exact`` are drawn so that
    float32 rounds no product of them with small multiples of 1/64.
    """
    return _settings_of_any(name, extra, frozenset(exact))


@cache  # Hypothesis looks a strategy over when it is first drawn from
def _settings_of_any(
    name: str, extra: int, exact: frozenset[str]
) -> st.SearchStrategy[tuple[dict[str, Any], int]]:
    method = METHODS[name]
    least = max(1, method.spec.min_parents) + extra
    most = method.spec.max_parents or least + 2

    @cache
    def of_count(count: int) -> st.SearchStrategy[tuple[dict[str, Any], int]]:
        drawn = {
            p.name: _values_of(p, count, _halves(p) if p.name in exact else _numbers(p))
            for p in method.spec.parameters
        }
        return (
            st.fixed_dictionaries(drawn)
            .filter(lambda values: _is_legal(method, values, count))
            .map(lambda values: (values, count))
        )

    return st.integers(least, most).flatmap(of_count)


def _values_of(
    parameter: Parameter, count: int, number: st.SearchStrategy[float]
) -> st.SearchStrategy[Value]:
    """Return legal values of one parameter: names, a number, or a number for each parent."""
    if parameter.choices:
        return st.sampled_from(parameter.choices)
    if parameter.level == "tensor":
        return number
    return st.one_of(number, st.tuples(*[number] * count))


def _numbers(parameter: Parameter) -> st.SearchStrategy[float]:
    """Return numbers within a parameter's range and -2 to 2."""
    low, high = max(parameter.low, -2.0), min(parameter.high, 2.0)
    if parameter.is_whole:
        return st.integers(int(low), int(high)).map(float)
    number = st.floats(low, high, exclude_min=parameter.is_open, width=32)
    if parameter.is_open:  # no smaller: 1 over a density should not overflow
        return number.map(lambda value: max(value, 2**-10))
    return number


def _halves(parameter: Parameter) -> st.SearchStrategy[float]:
    """Return multiples of 1/2 within the same range; powers of two where 0 is not legal."""
    if parameter.is_open:
        return st.sampled_from([1.0, 0.5, 0.25, 0.125])
    low, high = max(parameter.low, -2.0), min(parameter.high, 2.0)
    if parameter.is_whole:
        return _numbers(parameter)
    return st.integers(math.ceil(2 * low), math.floor(2 * high)).map(lambda number: number / 2)


def _is_legal(method: Method, values: dict[str, Any], count: int) -> bool:
    """Return whether the values have a meaning together."""
    try:
        settings_of(Rule(values), method, count)
    except RecipeError:
        return False
    return True


def merged(
    name: str | Method,
    base: Tensor | None,
    parents: Sequence[Tensor],
    *,
    chunk: int | None = None,
    keys: Sequence[str] | None = None,
    is_in_layer: bool = True,
    **values: Value,
) -> Tensor:
    """Return what a method makes of one tensor; ``keys`` stand for the parents' hashes."""
    method = METHODS[name] if isinstance(name, str) else name
    settings = settings_of(Rule(values), method, len(parents))
    streams = [key(0, k, "x") for k in keys or [str(i) for i in range(len(parents))]]
    sources = Sources(base, parents, streams, is_in_layer=is_in_layer)
    kernel = method.prepare(sources, settings)
    size = parents[0].numel()
    step = chunk or size
    ranges = [(start, min(start + step, size)) for start in range(0, size, step)]
    return torch.cat([kernel(start, stop) for start, stop in ranges]).reshape(parents[0].shape)
