"""Task arithmetic: the base plus task vectors (Ilharco et al. 2023, arXiv:2212.04089)."""

from torch import Tensor

from stages.merge.combine import coefficients, weighted_sum
from stages.merge.method import Kernel, Method, Settings, Sources
from stages.merge.parameters import SCALE, WEIGHT, normalize
from stages.recipe import MethodSpec

SPEC = MethodSpec(
    name="task_arithmetic",
    parameters=(WEIGHT, SCALE, normalize(0.0)),
    needs_base=True,
    min_parents=1,
    max_parents=None,
    source="Ilharco et al. 2023, arXiv:2212.04089",
    summary="The base plus the weighted sum of the task vectors.",
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of base + scale x sum of weight x task vector.

    A parent of weight 0 is not read; where all are 0, the child is the base bit for bit.
    """
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
        vectors = [sources.task_vector(i, start, stop) for i, _ in used]
        return weighted_sum(vectors, [c for _, c in used]).add_(base)

    return kernel


METHOD = Method(SPEC, prepare)
