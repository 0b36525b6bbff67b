"""DELLA with a plain sum: MAGPRUNE, then add (Deep et al. 2024, arXiv:2406.11617)."""

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
from stages.merge.arithmetic.reference_steps import drop_at_random, magprune_chance, normalized
from stages.merge.arithmetic.rescale import RESCALE
from stages.merge.arithmetic.task_vector_sums import added
from stages.recipe.method_spec import MethodSpec

SPEC = MethodSpec(
    name="della_linear",
    parameters=(WEIGHT, DENSITY, EPSILON, RESCALE, SCALE, normalize(0.0)),
    needs_base=True,
    min_parents=1,
    max_parents=None,
    source="Deep et al. 2024, arXiv:2406.11617",
    summary="Task arithmetic on task vectors that keep random entries, large ones sooner.",
    exempt=(("density", BY_CHANCE),),
    draws=True,
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of base + scale x sum of weight x pruned task vectors."""
    return added(sources, settings, pruned(sources, settings))


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
    """Return the base plus the weighted sum of the task vectors after MAGPRUNE."""
    # Step 1, drop: small entries of a row are dropped more often; the rest are rescaled.
    chance = magprune_chance(task_vectors, density, epsilon)
    sparse = drop_at_random(task_vectors, words, chance, rescale)
    # Step 3, fuse, without the election.
    return base + scale * (normalized(weight, normalize) * sparse).sum(0)
