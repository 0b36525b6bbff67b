"""DARE with the sign election of TIES (Yu et al. 2024, arXiv:2311.03099)."""

from torch import Tensor

from stages.merge.combine import elected_sum
from stages.merge.method import Kernel, Method, Settings, Sources
from stages.merge.methods.dare_linear import sparse
from stages.merge.parameters import DENSITY, SCALE, WEIGHT, normalize
from stages.recipe import MethodSpec

SPEC = MethodSpec(
    name="dare_ties",
    parameters=(WEIGHT, DENSITY, SCALE, normalize(0.0)),
    needs_base=True,
    min_parents=1,
    max_parents=None,
    source="Yu et al. 2024, arXiv:2311.03099; Yadav et al. 2023, arXiv:2306.01708",
    summary="TIES on task vectors that keep random entries, rescaled by 1 / density.",
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of base + scale x elected sum of the sparse task vectors."""
    weights = settings.parent["weight"]
    used = [i for i, weight in enumerate(weights) if weight != 0.0]

    def kernel(start: int, stop: int) -> Tensor:
        base = sources.base(start, stop)
        if not used:
            return base
        total = elected_sum(
            [sparse(sources, settings, i, start, stop) for i in used],
            [weights[i] for i in used],
            normalize=settings.tensor["normalize"] == 1.0,
        )
        return total.mul_(settings.tensor["scale"]).add_(base)

    return kernel


METHOD = Method(SPEC, prepare)
