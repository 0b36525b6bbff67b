"""Consensus task arithmetic: what several tasks need of the sum (Wang 2024, arXiv:2405.07813)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import SCALE, WEIGHT, normalize
from stages.merge.arithmetic.reference_steps import normalized
from stages.merge.arithmetic.task_vector_sums import on_base, used_parents
from stages.merge.arithmetic.weighted_sums import coefficients
from stages.recipe.method_spec import MethodSpec, Parameter

SPEC = MethodSpec(
    name="consensus_ta",
    parameters=(
        WEIGHT,
        Parameter(
            "agreement",
            "tensor",
            0.2,
            0.0,
            math.inf,
            "A parent needs an entry that is this many times what the others add there.",
        ),
        Parameter(
            "num_needing",
            "tensor",
            2.0,
            0.0,
            math.inf,
            "An entry of the sum is kept where so many parents need it.",
            is_whole=True,
        ),
        SCALE,
        normalize(0.0),
    ),
    needs_base=True,
    min_parents=2,
    max_parents=None,
    source="Wang et al. 2024, arXiv:2405.07813",
    summary="Task arithmetic without the entries that only few of the parents need.",
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of base + scale x masked sum of weight x task vector.

    Differs from the paper: task vectors have weights, in the masks and in the sum.
    """
    used = used_parents(settings)
    factors = coefficients(
        settings.parent["weight"], normalize=settings.tensor["normalize"] == 1.0
    )
    scale = settings.tensor["scale"]
    agreement, least = settings.tensor["agreement"], settings.tensor["num_needing"]

    def masked(start: int, stop: int) -> Tensor:
        vectors = [sources.task_vector(i, start, stop).mul_(factors[i]) for i in used]
        total = vectors[0].clone()
        for vector in vectors[1:]:
            total += vector
        counts = torch.zeros_like(total)
        for vector in vectors:
            counts += vector.abs() >= (total - vector).abs_().mul_(agreement)
        return total.mul_(counts >= least).mul_(scale)

    return on_base(sources, used, masked)


METHOD = Method(SPEC, prepare)


def reference(
    base: Float[Tensor, "*shape"],
    task_vectors: Float[Tensor, " k *shape"],
    *,
    weight: Float[Tensor, " k *#shape"],
    agreement: float,
    num_needing: float,
    scale: float,
    normalize: float,
) -> Float[Tensor, "*shape"]:
    """Return the base plus the entries of the weighted sum that enough parents need."""
    weighted = task_vectors * normalized(weight, normalize)
    total = weighted.sum(0)
    # The TALL mask of each task: entries that stand up to what the other tasks add.
    is_needed = (weighted.abs() >= agreement * (total - weighted).abs()) & (weight != 0)
    # Consensus: remove the entries that fewer tasks need.
    return base + scale * total * (is_needed.sum(0) >= num_needing)
