"""TIES: trim, elect a sign, average who agrees (Yadav et al. 2023, arXiv:2306.01708)."""

from jaxtyping import Float
from torch import Tensor

from stages.merge.arithmetic.magnitude_bands import finder
from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import DENSITY, SCALE, WEIGHT, normalize
from stages.merge.arithmetic.reference_steps import (
    elect_and_merge,
    magnitude_rank,
    num_kept_of,
    restore_l1_norm,
)
from stages.merge.arithmetic.rescale import RESTORE, restored
from stages.merge.arithmetic.sparsify import keep_largest
from stages.merge.arithmetic.task_vector_sums import Sparse, elected, used_parents
from stages.merge.arithmetic.thresholds import Cut
from stages.recipe.method_spec import MethodSpec

SPEC = MethodSpec(
    name="ties",
    parameters=(WEIGHT, DENSITY, RESTORE, SCALE, normalize(1.0)),
    needs_base=True,
    min_parents=1,
    max_parents=None,
    source="Yadav et al. 2023, arXiv:2306.01708",
    summary="Trims each task vector, elects a sign per entry, and adds the mean of who agrees.",
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of base + scale x elected sum of the trimmed task vectors.

    Differs from the paper: the weights scale before the election, so weight 0 removes a parent.
    """
    return elected(sources, settings, _trimmed(sources, settings))


def _trimmed(sources: Sources, settings: Settings) -> Sparse:
    """Return the reader of the task vectors without their smallest entries."""
    densities = settings.parent["density"]
    cuts = {i: _cut(sources, i, densities[i]) for i in used_parents(settings)}

    def read(index: int, start: int, stop: int) -> Tensor:
        vector = sources.task_vector(index, start, stop)
        cut = cuts[index]
        return vector if cut is None else keep_largest(vector, cut, start)

    return restored(sources, settings, read)


def _cut(sources: Sources, index: int, density: float) -> Cut | None:
    """Return the cut of one task vector; None keeps all of it."""
    if density == 1.0 or sources.size == 0:
        return None
    return finder(sources, index)([density])[0]


METHOD = Method(SPEC, prepare)


def reference(
    base: Float[Tensor, "*shape"],
    task_vectors: Float[Tensor, " k *shape"],
    *,
    weight: Float[Tensor, " k *#shape"],
    density: Float[Tensor, " k *#shape"],
    rescale: str,
    scale: float,
    normalize: float,
) -> Float[Tensor, "*shape"]:
    """Return the base plus the trimmed task vectors, elected and merged."""
    # Algorithm 1, step 1: trim each task vector to its largest entries.
    is_kept = magnitude_rank(task_vectors) < num_kept_of(density, base)
    trimmed = restore_l1_norm(task_vectors * is_kept, task_vectors, rescale)
    # Steps 2 and 3: elect a sign for each entry, and merge the parents that agree.
    return base + scale * elect_and_merge(trimmed, weight, normalize)
