"""NearSwap: take the second parent where it is near the first, and step towards it elsewhere.

The method is MergeKit's, where the share of the second parent b at a distance d from the first is
min(t / d, 1). That share of b - a equals b - a clamped to [-t, t], which is
what the kernel adds.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.recipe.method_spec import MethodSpec, Parameter

SPEC = MethodSpec(
    name="nearswap",
    parameters=(
        Parameter(
            "t", "tensor", None, 0.0, math.inf, "How far an entry may move from the first parent."
        ),
    ),
    needs_base=False,
    min_parents=2,
    max_parents=2,
    source="MergeKit's method of that name",
    summary="The first parent, each entry moved towards the second by t at most.",
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of first + (second - first), the difference clamped to [-t, t].

    Where the parents differ by at most ``t`` it is the second, bit for bit.
    """
    t = settings.tensor["t"]

    def kernel(start: int, stop: int) -> Tensor:
        first, second = (sources.parent(i, start, stop) for i in (0, 1))
        gap = second - first
        # An infinity of the second parent is not clamped: it shows in the child.
        is_second = (gap.abs() <= t) | second.isinf()
        return torch.where(is_second, second, first + gap.clamp(-t, t))

    return kernel


METHOD = Method(SPEC, prepare, is_entrywise=True)


def reference(parents: Float[Tensor, " 2 *shape"], *, t: float) -> Float[Tensor, "*shape"]:
    """Return the first parent, each entry moved towards the second by at most ``t``."""
    first, second = parents.unbind()
    # The share min(t / distance, 1) of the way, as MergeKit writes it.
    distance = (second - first).abs()
    share = torch.where(distance > t, t / distance, 1.0)
    return first + share * (second - first)
