"""TIES: trim, elect a sign, average who agrees (Yadav et al. 2023, arXiv:2306.01708)."""

from torch import Tensor

from stages.merge.combine import elected_sum
from stages.merge.method import Kernel, Method, Settings, Sources
from stages.merge.parameters import DENSITY, SCALE, WEIGHT, normalize
from stages.merge.sparsify import Cut, cut_of, cut_of_sorted, keep_largest
from stages.recipe import MethodSpec

SPEC = MethodSpec(
    name="ties",
    parameters=(WEIGHT, DENSITY, SCALE, normalize(1.0)),
    needs_base=True,
    min_parents=1,
    max_parents=None,
    source="Yadav et al. 2023, arXiv:2306.01708",
    summary="Trims each task vector, elects a sign per entry, and adds the mean of who agrees.",
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of base + scale x elected sum of the trimmed task vectors.

    Differs from the paper: the weights scale before the election, so weight 0 removes a parent.
    """
    weights, densities = settings.parent["weight"], settings.parent["density"]
    used = [i for i, weight in enumerate(weights) if weight != 0.0]
    cuts = {i: _cut(sources, i, densities[i]) for i in used}

    def trimmed(index: int, start: int, stop: int) -> Tensor:
        vector = sources.task_vector(index, start, stop)
        cut = cuts[index]
        return vector if cut is None else keep_largest(vector, cut, start)

    def kernel(start: int, stop: int) -> Tensor:
        base = sources.base(start, stop)
        if not used:
            return base
        total = elected_sum(
            [trimmed(i, start, stop) for i in used],
            [weights[i] for i in used],
            normalize=settings.tensor["normalize"] == 1.0,
        )
        return total.mul_(settings.tensor["scale"]).add_(base)

    return kernel


def _cut(sources: Sources, index: int, density: float) -> Cut | None:
    """Return the cut of one task vector; None keeps all of it."""
    if density == 1.0 or sources.size == 0:
        return None
    ordered = sources.sorted_magnitudes(index)
    if ordered is None:
        return cut_of(sources.magnitudes(index), density)
    return cut_of_sorted(ordered, lambda: sources.magnitudes(index), density)


METHOD = Method(SPEC, prepare)
