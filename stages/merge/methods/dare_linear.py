"""DARE with a plain sum: drop at random, rescale, add (Yu et al. 2024, arXiv:2311.03099)."""

from torch import Tensor

from stages.merge.combine import coefficients, weighted_sum
from stages.merge.method import Kernel, Method, Settings, Sources
from stages.merge.parameters import DENSITY, SCALE, WEIGHT, normalize
from stages.merge.sparsify import keep_random
from stages.recipe import MethodSpec

SPEC = MethodSpec(
    name="dare_linear",
    parameters=(WEIGHT, DENSITY, SCALE, normalize(0.0)),
    needs_base=True,
    min_parents=1,
    max_parents=None,
    source="Yu et al. 2024, arXiv:2311.03099",
    summary="Task arithmetic on task vectors that keep random entries, rescaled by 1 / density.",
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of base + scale x sum of weight x sparse task vector."""
    normalized = coefficients(
        settings.parent["weight"],
        normalize=settings.tensor["normalize"] == 1.0,
        scale=settings.tensor["scale"],
    )
    used = [(i, c) for i, c in enumerate(normalized) if c != 0.0]

    def kernel(start: int, stop: int) -> Tensor:
        base = sources.base(start, stop)
        if not used:
            return base
        vectors = [sparse(sources, settings, i, start, stop) for i, _ in used]
        return weighted_sum(vectors, [c for _, c in used]).add_(base)

    return kernel


def sparse(sources: Sources, settings: Settings, index: int, start: int, stop: int) -> Tensor:
    """Return a range of a parent's task vector after DARE: dropped, and rescaled.

    The mask depends on the recipe's seed, the parent's hash, the tensor's name and the entry's
    index alone.
    """
    vector = sources.task_vector(index, start, stop)
    density = settings.parent["density"][index]
    if density == 1.0:
        return vector
    return keep_random(vector, sources.words(index, start, stop), density)


METHOD = Method(SPEC, prepare)
