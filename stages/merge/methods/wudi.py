"""WUDI-Merging: the matrix that disturbs no task's inputs (Cheng et al. 2025, arXiv:2503.08099).

The inputs of a linear map lie near the span of its task matrix's rows, so (M - T_i) T_i' measures
how far a merged matrix M departs from task i on that task's own inputs.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import SCALE, SHARE
from stages.merge.arithmetic.reference_steps import normalized
from stages.merge.arithmetic.singular_values import (
    is_linear_map,
    least_interference,
    on_base,
    task_matrix,
)
from stages.merge.arithmetic.task_vector_sums import averaged, used_parents
from stages.recipe.method_spec import MethodSpec, Parameter

SPEC = MethodSpec(
    name="wudi",
    parameters=(
        SHARE,
        Parameter(
            "num_steps",
            "tensor",
            300.0,
            0.0,
            1e6,
            "Steps of gradient descent from the weighted sum.",
            is_whole=True,
        ),
        SCALE,
    ),
    needs_base=True,
    min_parents=1,
    max_parents=None,
    source="Cheng et al. 2025, arXiv:2503.08099; Wei et al. 2026, arXiv:2606.07289",
    summary="The task matrix that interferes least with each parent's, without any data.",
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of base + scale x the task matrix of least interference.

    Differs from the paper: the steps are those of plain gradient descent, in closed form, where
    the paper takes 300 of Adam's. A tensor that is not a linear map gets the weighted mean of
    the task vectors.
    """
    used = used_parents(settings)
    if not is_linear_map(sources) or not used:
        return averaged(sources, settings)
    weights = [settings.parent["weight"][i] for i in used]
    matrices = [task_matrix(sources, i) for i in used]
    merged = least_interference(matrices, weights, num_steps=int(settings.tensor["num_steps"]))
    return on_base(sources, merged, settings.tensor["scale"])


METHOD = Method(SPEC, prepare)


def reference(
    base: Float[Tensor, "*shape"],
    task_vectors: Float[Tensor, " k *shape"],
    *,
    weight: Float[Tensor, " k *#shape"],
    num_steps: float,
    scale: float,
) -> Float[Tensor, "*shape"]:
    """Return the base plus the task matrix of least interference, by gradient descent.

    ``base`` is the matrix of a linear map; of any other tensor the weighted mean is taken.
    """
    if base.dim() != 2:
        return base + scale * (normalized(weight, 1.0) * task_vectors).sum(0)
    # The loss is the sum of w |(M - T) T'|^2 / |T|^2, its slope that of (M - T) T'T / |T|^2.
    energy = (task_vectors**2).sum((1, 2), keepdim=True)
    inner = weight * task_vectors.mT @ task_vectors / torch.where(energy > 0, energy, 1.0)
    greatest = torch.linalg.eigvalsh(inner.sum(0))[-1]
    merged = (weight * task_vectors).sum(0)
    for _ in range(int(num_steps)):
        slope = ((merged - task_vectors) @ inner).sum(0)
        merged = merged - slope / torch.where(greatest > 0, greatest, 1.0)
    return base + scale * merged
