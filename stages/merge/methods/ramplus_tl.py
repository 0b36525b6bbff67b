"""RAM+ by tensors: RAM, own changes enlarged by overlap (Yuan et al. 2026, arXiv:2601.13572)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from stages.merge.arithmetic.method import BLOCK, Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import ACTIVE
from stages.merge.methods.ram import active_vectors, combined, num_active
from stages.recipe.method_spec import MethodSpec, Parameter

SPEC = MethodSpec(
    name="ramplus_tl",
    parameters=(
        ACTIVE,
        Parameter("r", "tensor", 0.1, 0.0, math.inf, "How much overlap enlarges own entries."),
        Parameter("alpha", "tensor", 0.2, 0.0, math.inf, "The most overlap that counts."),
    ),
    needs_base=True,
    min_parents=1,
    max_parents=None,
    source="Yuan et al. 2026, arXiv:2601.13572",
    summary="RAM, in which a parent's own entries grow with its share of common ones.",
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return RAM's kernel with own entries times 1 + r x min(num shared / num own, alpha)."""
    r, alpha = settings.tensor["r"], settings.tensor["alpha"]
    counts = overlaps(sources, settings.tensor["epsilon"])
    return combined(sources, settings, [1.0 + r * min(_ratio(*c), alpha) for c in counts])


def overlaps(sources: Sources, epsilon: float) -> list[tuple[int, int]]:
    """Return how many active entries each parent shares, and how many it has alone."""
    count = sources.num_parents
    shared, unique = [0] * count, [0] * count
    for start in range(0, sources.size, BLOCK):
        stop = min(start + BLOCK, sources.size)
        vectors = active_vectors(sources, count, epsilon, start, stop)
        total = num_active(vectors)
        for i, vector in enumerate(vectors):
            is_active = vector != 0
            shared[i] += int((is_active & (total > 1)).sum())
            unique[i] += int((is_active & (total == 1)).sum())
    return list(zip(shared, unique, strict=True))


def _ratio(shared: int, unique: int) -> float:
    """Return shared / unique; 0 without unique entries, when there is nothing to enlarge."""
    return shared / unique if unique else 0.0


METHOD = Method(SPEC, prepare)


def reference(
    base: Float[Tensor, "*shape"],
    task_vectors: Float[Tensor, " k *shape"],
    *,
    epsilon: float,
    r: float,
    alpha: float,
) -> Float[Tensor, "*shape"]:
    """Return RAM's child, in which a parent's unique changes grow with its overlap."""
    is_active = task_vectors.abs() > epsilon
    num_active = is_active.sum(0)
    is_unique = is_active & (num_active == 1)
    # The overlap of each parent: its shared entries over its unique ones.
    num_unique = is_unique.reshape(len(is_unique), -1).sum(1)
    num_shared = is_active.reshape(len(is_active), -1).sum(1) - num_unique
    overlap = torch.where(num_unique > 0, num_shared / num_unique, 0.0)
    factor = (1 + r * overlap.clamp(max=alpha)).view(-1, *[1] * base.dim())
    # As in RAM, with unique changes enlarged.
    changes = task_vectors * torch.where(is_unique, factor, is_active)
    return base + changes.sum(0) / num_active.clamp(min=1)
