"""Model stock: from the base towards the parents' mean (Jang et al. 2024, arXiv:2403.19522)."""

import math
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from stages.merge.arithmetic.inner_products import cosines, gram
from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import switch
from stages.merge.arithmetic.reference_steps import as_rows
from stages.merge.arithmetic.weighted_sums import weighted_sum
from stages.recipe.method_spec import MethodSpec

SPEC = MethodSpec(
    name="model_stock",
    parameters=(switch("filter_wise", 0.0, "1 takes each row by itself, 0 the whole tensor."),),
    needs_base=True,
    min_parents=2,
    max_parents=None,
    source="Jang et al. 2024, arXiv:2403.19522",
    summary="The mean of the parents, drawn to the base as far as their task vectors differ.",
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of base + t x mean task vector."""
    count = sources.num_parents
    by_row = settings.tensor["filter_wise"] == 1.0
    length = sources.row_length if by_row else sources.size
    products = gram(sources.task_vector, count, size=sources.size, length=length)
    ratios = torch.tensor([ratio(cosines(p)[1]) for p in products], dtype=torch.float32)

    def kernel(start: int, stop: int) -> Tensor:
        vectors = [sources.task_vector(i, start, stop) for i in range(count)]
        mean = weighted_sum(vectors, [1.0 / count] * count)
        if ratios.numel() > 1:
            mean *= ratios[torch.from_numpy(np.arange(start, stop) // length)]
        else:
            mean *= float(ratios[0])
        return mean.add_(sources.base(start, stop))

    return kernel


def ratio(angles: list[list[float]]) -> float:
    """Return t = k cos / (1 + (k - 1) cos) for the mean cosine of k task vectors' angles.

    The paper's equation supposes angles below 90 degrees; a mean cosine of 0 or less gives 0.
    """
    count = len(angles)
    pairs = [angles[i][j] for i, j in combinations(range(count), 2)]
    cosine = math.fsum(pairs) / len(pairs)
    return count * cosine / (1.0 + (count - 1.0) * cosine) if cosine > 0.0 else 0.0


METHOD = Method(SPEC, prepare)


def reference(
    base: Float[Tensor, "*shape"],
    task_vectors: Float[Tensor, " k *shape"],
    *,
    filter_wise: float,
) -> Float[Tensor, "*shape"]:
    """Return the base plus t x the mean task vector, for the tensor or row by row."""
    rows = as_rows(task_vectors, by_row=filter_wise == 1)
    count = len(rows)
    # Section 4: the cosine of the angle between task vectors, averaged over all pairs.
    unit = torch.nn.functional.normalize(rows, dim=-1)
    pairs = [(unit[i] * unit[j]).sum(-1) for i, j in combinations(range(count), 2)]
    cosine = torch.stack(pairs).mean(0).clamp(min=0)
    # The interpolation ratio; the equation supposes angles below 90 degrees.
    t = count * cosine / (1 + (count - 1) * cosine)
    return base + (t[:, None] * rows.mean(0)).reshape(base.shape)
