"""RAM+ by tensors: RAM, own changes enlarged by overlap (Yuan et al. 2026, arXiv:2601.13572)."""

import math

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
    """Return the ratio; without own entries there is nothing to enlarge."""
    return shared / unique if unique else 0.0


METHOD = Method(SPEC, prepare)
