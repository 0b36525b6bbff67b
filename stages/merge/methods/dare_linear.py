"""DARE with a plain sum: drop at random, rescale, add (Yu et al. 2024, arXiv:2311.03099)."""

from torch import Tensor

from stages.merge.method import Kernel, Method, Settings, Sources
from stages.merge.parameters import DENSITY, SCALE, WEIGHT, normalize
from stages.merge.rescale import INVERSE_DENSITY, RESCALE, restored
from stages.merge.sparsify import keep_random
from stages.merge.task_sum import Sparse, summed
from stages.recipe import MethodSpec

SPEC = MethodSpec(
    name="dare_linear",
    parameters=(WEIGHT, DENSITY, RESCALE, SCALE, normalize(0.0)),
    needs_base=True,
    min_parents=1,
    max_parents=None,
    source="Yu et al. 2024, arXiv:2311.03099",
    summary="Task arithmetic on task vectors that keep random entries, rescaled.",
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of base + scale x sum of weight x sparse task vector."""
    return summed(sources, settings, dropped(sources, settings))


def dropped(sources: Sources, settings: Settings) -> Sparse:
    """Return the reader of the task vectors after DARE: dropped, and rescaled.

    The mask depends on the recipe's seed, the parent's hash, the tensor's name and the entry's
    index alone.
    """
    factor = None if settings.choice["rescale"] == INVERSE_DENSITY else 1.0

    def read(index: int, start: int, stop: int) -> Tensor:
        vector = sources.task_vector(index, start, stop)
        density = settings.parent["density"][index]
        if density == 1.0:
            return vector
        return keep_random(vector, sources.words(index, start, stop), density, factor=factor)

    return restored(sources, settings, read)


METHOD = Method(SPEC, prepare)
