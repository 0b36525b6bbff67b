"""Tensors, settings and one call that carries a method out on tensors in memory."""

from collections.abc import Sequence

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor

from stages.merge.method import Method, Sources
from stages.merge.methods import METHODS
from stages.merge.rules import settings_of
from stages.recipe import Rule, Value
from stages.seeds import key

# Methods that add sparse task vectors, each times its weight: with the election, and without.
ELECTING = ("ties", "dare_ties", "breadcrumbs_ties", "della")
ADDING = ("task_arithmetic", "dare_linear", "breadcrumbs", "della_linear")
TASK_METHODS = (*ADDING, *ELECTING)
# Multiples of 1/64 up to 4: products with such weights and sums of a few are exact in float32.
entries = st.integers(-256, 256).map(lambda i: i / 64)
weights = st.integers(-32, 32).map(lambda i: i / 16)
positive_weights = st.integers(1, 32).map(lambda i: i / 16)
densities = st.floats(0.01, 1.0)


def vectors(count: int, *, most: int = 40) -> st.SearchStrategy[list[Tensor]]:
    """Return ``count`` float32 vectors of one length, whose entries are multiples of 1/64."""

    def of_length(size: int) -> st.SearchStrategy[list[Tensor]]:
        array = hnp.arrays(np.float32, size, elements=entries.map(np.float32))
        return st.lists(array.map(torch.from_numpy), min_size=count, max_size=count)

    return st.integers(1, most).flatmap(of_length)


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
    settings = settings_of(Rule(values), method, len(parents), "rule")
    streams = [key(0, k, "x") for k in keys or [str(i) for i in range(len(parents))]]
    sources = Sources(base, parents, streams, is_in_layer=is_in_layer)
    kernel = method.prepare(sources, settings)
    size = parents[0].numel()
    step = chunk or size
    ranges = [(start, min(start + step, size)) for start in range(0, size, step)]
    return torch.cat([kernel(start, stop) for start, stop in ranges]).reshape(parents[0].shape)
