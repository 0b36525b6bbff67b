"""Iso-C: the sum of the task matrices, made isotropic (Marczak et al. 2025, arXiv:2502.04959)."""

import torch
from jaxtyping import Float
from torch import Tensor

from stages.merge.arithmetic.method import BLOCK, Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import SCALE, WEIGHT, normalize
from stages.merge.arithmetic.reference_steps import normalized, polar_factor
from stages.merge.arithmetic.singular_values import isotropic, on_base
from stages.merge.arithmetic.task_vector_sums import added, used_parents
from stages.merge.arithmetic.weighted_sums import coefficients, weighted_sum
from stages.recipe.method_spec import MethodSpec

SPEC = MethodSpec(
    name="iso_c",
    parameters=(WEIGHT, SCALE, normalize(0.0)),
    needs_base=True,
    min_parents=1,
    max_parents=None,
    source="Marczak et al. 2025, arXiv:2502.04959",
    summary="Task arithmetic in which all singular values of a matrix's sum become their mean.",
    exempt=(("equal parents", "singular values become their mean"),),
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of base + scale x isotropic sum of weight x task matrix.

    A tensor that is not a matrix has no singular values: it is merged by task arithmetic.
    """
    shape, used = sources.shape, used_parents(settings)
    if len(shape) != 2 or sources.size == 0 or not used:
        return added(sources, settings, sources.task_vector)
    merged = isotropic(_sum(sources, settings, used).view(shape))
    return on_base(sources, merged, settings.tensor["scale"])


def _sum(sources: Sources, settings: Settings, used: list[int]) -> Tensor:
    """Return the whole sum of weight x task vector."""
    factors = coefficients(
        settings.parent["weight"], normalize=settings.tensor["normalize"] == 1.0
    )
    total = torch.empty(sources.size, dtype=torch.float32)
    for start in range(0, sources.size, BLOCK):
        stop = min(start + BLOCK, sources.size)
        vectors = [sources.task_vector(i, start, stop) for i in used]
        total[start:stop] = weighted_sum(vectors, [factors[i] for i in used])
    return total


METHOD = Method(SPEC, prepare)


def reference(
    base: Float[Tensor, "*shape"],
    task_vectors: Float[Tensor, " k *shape"],
    *,
    weight: Float[Tensor, " k *#shape"],
    scale: float,
    normalize: float,
) -> Float[Tensor, "*shape"]:
    """Return the base plus the sum of the task matrices, made isotropic."""
    total = (normalized(weight, normalize) * task_vectors).sum(0)
    if base.dim() == 2:
        # Algorithm 1: every singular value becomes the mean of all.
        total = torch.linalg.svdvals(total).mean() * polar_factor(total)
    return base + scale * total
