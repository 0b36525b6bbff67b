"""TIES: trim, elect a sign, average who agrees (Yadav et al. 2023, arXiv:2306.01708)."""

from torch import Tensor

from stages.merge.arithmetic.magnitude_bands import finder
from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import DENSITY, SCALE, WEIGHT, normalize
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
