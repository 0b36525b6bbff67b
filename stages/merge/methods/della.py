"""DELLA: MAGPRUNE, then the election of TIES (Deep et al. 2024, arXiv:2406.11617)."""

from jaxtyping import Float, Int
from torch import Tensor

from stages.merge.arithmetic.magprune import pruned
from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import (
    BY_CHANCE,
    DENSITY,
    EPSILON,
    SCALE,
    WEIGHT,
    normalize,
)
from stages.merge.arithmetic.reference_steps import (
    drop_at_random,
    elect_and_merge,
    magprune_chance,
)
from stages.merge.arithmetic.rescale import RESCALE
from stages.merge.arithmetic.task_vector_sums import elected
from stages.recipe.method_spec import MethodSpec

SPEC = MethodSpec(
    name="della",
    parameters=(WEIGHT, DENSITY, EPSILON, RESCALE, SCALE, normalize(1.0)),
    needs_base=True,
    min_parents=1,
    max_parents=None,
    source="Deep et al. 2024, arXiv:2406.11617; Yadav et al. 2023, arXiv:2306.01708",
    summary="TIES on task vectors that keep random entries, the large sooner than the small.",
    exempt=(("density", BY_CHANCE),),
    draws=True,
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of base + scale x elected sum of the pruned task vectors."""
    return elected(sources, settings, pruned(sources, settings))


METHOD = Method(SPEC, prepare)


def reference(
    base: Float[Tensor, "*shape"],
    task_vectors: Float[Tensor, " k *shape"],
    words: Int[Tensor, " k *shape"],
    *,
    weight: Float[Tensor, " k *#shape"],
    density: Float[Tensor, " k *#shape"],
    epsilon: Float[Tensor, " k *#shape"],
    rescale: str,
    scale: float,
    normalize: float,
) -> Float[Tensor, "*shape"]:
    """Return the base plus the task vectors after MAGPRUNE, elected and merged."""
    # Step 1, drop: small entries of a row are dropped more often; the rest are rescaled.
    chance = magprune_chance(task_vectors, density, epsilon)
    sparse = drop_at_random(task_vectors, words, chance, rescale)
    # Steps 2 and 3, elect and fuse, as in TIES.
    return base + scale * elect_and_merge(sparse, weight, normalize)
