"""DARE with the sign election of TIES (Yu et al. 2024, arXiv:2311.03099)."""

from jaxtyping import Float, Int
from torch import Tensor

from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import BY_CHANCE, DENSITY, SCALE, WEIGHT, normalize
from stages.merge.arithmetic.reference_steps import drop_at_random, elect_and_merge
from stages.merge.arithmetic.rescale import RESCALE
from stages.merge.arithmetic.task_vector_sums import elected
from stages.merge.methods.dare_linear import dropped
from stages.recipe.method_spec import MethodSpec

SPEC = MethodSpec(
    name="dare_ties",
    parameters=(WEIGHT, DENSITY, RESCALE, SCALE, normalize(0.0)),
    needs_base=True,
    min_parents=1,
    max_parents=None,
    source="Yu et al. 2024, arXiv:2311.03099; Yadav et al. 2023, arXiv:2306.01708",
    summary="TIES on task vectors that keep random entries, rescaled.",
    exempt=(("density", BY_CHANCE),),
    draws=True,
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of base + scale x elected sum of the sparse task vectors."""
    return elected(sources, settings, dropped(sources, settings))


METHOD = Method(SPEC, prepare)


def reference(
    base: Float[Tensor, "*shape"],
    task_vectors: Float[Tensor, " k *shape"],
    words: Int[Tensor, " k *shape"],
    *,
    weight: Float[Tensor, " k *#shape"],
    density: Float[Tensor, " k *#shape"],
    rescale: str,
    scale: float,
    normalize: float,
) -> Float[Tensor, "*shape"]:
    """Return the base plus the task vectors after drop and rescale, elected and merged."""
    # DARE, steps 1 and 2: drop entries at random, and rescale those that remain.
    sparse = drop_at_random(task_vectors, words, density, rescale)
    # TIES, steps 2 and 3.
    return base + scale * elect_and_merge(sparse, weight, normalize)
