"""RAM: add own changes, average shared ones (Yuan et al. 2026, arXiv:2601.13572)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import ACTIVE
from stages.recipe.method_spec import MethodSpec

SPEC = MethodSpec(
    name="ram",
    parameters=(ACTIVE,),
    needs_base=True,
    min_parents=1,
    max_parents=None,
    source="Yuan et al. 2026, arXiv:2601.13572",
    summary="Adds the entries that one parent changed, and the mean of those that several did.",
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of base + the entries of one parent alone, or the mean of several's."""
    return combined(sources, settings, [1.0] * sources.num_parents)


def combined(sources: Sources, settings: Settings, factors: Sequence[float]) -> Kernel:
    """Return RAM's kernel, in which a parent's own entries are multiplied by its factor."""
    epsilon = settings.tensor["epsilon"]

    def kernel(start: int, stop: int) -> Tensor:
        vectors = active_vectors(sources, len(factors), epsilon, start, stop)
        counts = num_active(vectors)
        is_unique = (counts == 1).to(torch.float32)
        total = torch.zeros_like(counts)
        for vector, factor in zip(vectors, factors, strict=True):
            total += vector if factor == 1.0 else vector * (is_unique * (factor - 1.0) + 1.0)
        return total.div_(counts.clamp_(min=1)).add_(sources.base(start, stop))

    return kernel


def active_vectors(
    sources: Sources, count: int, epsilon: float, start: int, stop: int
) -> list[Tensor]:
    """Return a range of each task vector with zeros where it is ``epsilon`` or less."""
    vectors = [sources.task_vector(i, start, stop) for i in range(count)]
    return [vector * (vector.abs() > epsilon) for vector in vectors]


def num_active(vectors: Sequence[Tensor]) -> Tensor:
    """Return, entry by entry, how many of the vectors are not 0."""
    counts = torch.zeros_like(vectors[0])
    for vector in vectors:
        counts += vector != 0
    return counts


METHOD = Method(SPEC, prepare)


def reference(
    base: Float[Tensor, "*shape"],
    task_vectors: Float[Tensor, " k *shape"],
    *,
    epsilon: float,
) -> Float[Tensor, "*shape"]:
    """Return the base plus the change of one parent alone, or the mean of several parents'."""
    # An entry is active where the parent changed it.
    is_active = task_vectors.abs() > epsilon
    num_active = is_active.sum(0)
    # Unique changes are added as they are; shared ones are averaged.
    return base + (task_vectors * is_active).sum(0) / num_active.clamp(min=1)
