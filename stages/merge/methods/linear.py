"""Linear merging: the weighted mean of the parents (Wortsman et al. 2022, arXiv:2203.05482)."""

from jaxtyping import Float
from torch import Tensor

from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import MAY_ROUND, WEIGHT, mean_fault, normalize
from stages.merge.arithmetic.weighted_sums import coefficients, weighted_sum
from stages.recipe.method_spec import MethodSpec

SPEC = MethodSpec(
    name="linear",
    parameters=(WEIGHT, normalize(1.0)),
    needs_base=False,
    min_parents=1,
    max_parents=None,
    source="Wortsman et al. 2022, arXiv:2203.05482",
    summary="The weighted mean, or sum, of the parents.",
    exempt=(("zero task vectors", MAY_ROUND),),
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of sum of weight x parent; a parent of weight 0 is not read."""
    weights = settings.parent["weight"]
    normalized = coefficients(weights, normalize=settings.tensor["normalize"] == 1.0)
    used = [(i, c) for i, c in enumerate(normalized) if c != 0.0] or [(0, 0.0)]

    def kernel(start: int, stop: int) -> Tensor:
        parents = [sources.parent(i, start, stop) for i, _ in used]
        return weighted_sum(parents, [c for _, c in used])

    return kernel


METHOD = Method(SPEC, prepare, mean_fault, is_entrywise=True)


def reference(
    parents: Float[Tensor, " k *shape"], *, weight: Float[Tensor, " k *#shape"], normalize: float
) -> Float[Tensor, "*shape"]:
    """Return the weighted mean of the parents, or their weighted sum."""
    total = (weight * parents).sum(0)
    return total / weight.sum(0) if normalize else total
