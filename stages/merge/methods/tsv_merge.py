"""TSV-Merge: task matrices by singular vectors, decorrelated (Gargiulo 2025, arXiv:2412.00081)."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import SCALE, WEIGHT
from stages.merge.arithmetic.reference_steps import normalized, polar_factor
from stages.merge.arithmetic.singular_values import (
    decorrelated,
    is_linear_map,
    on_base,
    task_matrix,
)
from stages.merge.arithmetic.task_vector_sums import averaged, used_parents
from stages.recipe.method_spec import MethodSpec

SPEC = MethodSpec(
    name="tsv_merge",
    parameters=(replace(WEIGHT, default=1.0), SCALE),
    needs_base=True,
    min_parents=1,
    max_parents=None,
    source="Gargiulo et al. 2025, arXiv:2412.00081",
    summary="The leading singular vectors of all task matrices, made orthogonal to each other.",
    exempt=(("equal parents", "each of k parents keeps 1 / k of its singular values"),),
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of base + scale x the decorrelated sum of weight x task matrix.

    A tensor that is not a linear map gets the weighted mean of the task vectors.
    """
    used = used_parents(settings)
    if not is_linear_map(sources) or not used:
        return averaged(sources, settings)
    weights = [settings.parent["weight"][i] for i in used]
    merged = decorrelated([task_matrix(sources, i) for i in used], weights)
    return on_base(sources, merged, settings.tensor["scale"])


METHOD = Method(SPEC, prepare)


def reference(
    base: Float[Tensor, "*shape"],
    task_vectors: Float[Tensor, " k *shape"],
    *,
    weight: Float[Tensor, " k *#shape"],
    scale: float,
) -> Float[Tensor, "*shape"]:
    """Return the base plus the task matrices' leading singular vectors, decorrelated.

    ``base`` is the matrix of a linear map; of any other tensor the weighted mean is taken.
    """
    used = weight.flatten() != 0
    if base.dim() != 2 or not used.any():
        return base + scale * (normalized(weight, 1.0) * task_vectors).sum(0)
    # Algorithm 1, steps 1 to 3: each of k task matrices keeps 1 / k of its singular values.
    kept = max(1, min(base.shape) // int(used.sum()))
    u, values, v = torch.linalg.svd(task_vectors[used], full_matrices=False)
    least = values[:, :1] * max(base.shape) * torch.finfo(values.dtype).eps
    is_nonzero = values[:, :kept] > least  # the directions of other values are arbitrary
    left = (u[:, :, :kept] * is_nonzero[:, None]).transpose(0, 1).flatten(1)
    right = (v[:, :kept] * is_nonzero[:, :, None]).flatten(0, 1)
    # Steps 4 to 6: the nearest orthonormal vectors replace those of all tasks together.
    merged = (values[:, :kept] * weight[used, :, 0]).flatten()
    total: Tensor = (polar_factor(left) * merged) @ polar_factor(right)
    return base + scale * total
