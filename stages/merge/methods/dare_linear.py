"""DARE with a plain sum: drop at random, rescale, add (Yu et al. 2024, arXiv:2311.03099)."""

from jaxtyping import Float, Int
from torch import Tensor

from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import BY_CHANCE, DENSITY, SCALE, WEIGHT, normalize
from stages.merge.arithmetic.reference_steps import drop_at_random, normalized
from stages.merge.arithmetic.rescale import INVERSE_DENSITY, RESCALE, restored
from stages.merge.arithmetic.sparsify import chance, keep_drawn
from stages.merge.arithmetic.task_vector_sums import Sparse, summed
from stages.recipe.method_spec import MethodSpec

SPEC = MethodSpec(
    name="dare_linear",
    parameters=(WEIGHT, DENSITY, RESCALE, SCALE, normalize(0.0)),
    needs_base=True,
    min_parents=1,
    max_parents=None,
    source="Yu et al. 2024, arXiv:2311.03099",
    summary="Task arithmetic on task vectors that keep random entries, rescaled.",
    exempt=(("density", BY_CHANCE),),
    draws=True,
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of base + scale x sum of weight x sparse task vector."""
    return summed(sources, settings, dropped(sources, settings))


def dropped(sources: Sources, settings: Settings) -> Sparse:
    """Return the reader of the task vectors after DARE: dropped, and rescaled.

    The mask depends on the recipe's seed, the parent's hash, the tensor's name and the entry's
    index alone.
    """
    over_density = settings.choice["rescale"] == INVERSE_DENSITY

    def read(index: int, start: int, stop: int) -> Tensor:
        vector = sources.task_vector(index, start, stop)
        density = settings.parent["density"][index]
        highest, is_any = chance(density)
        if density == 1.0:
            return vector
        factor = (1.0 / density if over_density else 1.0) if is_any else 0.0
        return keep_drawn(vector, sources.drawn(index, start, stop, highest), factor)

    return restored(sources, settings, read)


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
    """Return the base plus the weighted sum of the task vectors after drop and rescale."""
    # Section 3.2, steps 1 and 2: drop entries at random, and rescale those that remain.
    sparse = drop_at_random(task_vectors, words, density, rescale)
    # Step 3: add them to the base, as in task arithmetic.
    return base + scale * (normalized(weight, normalize) * sparse).sum(0)
