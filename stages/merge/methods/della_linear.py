"""DELLA with a plain sum: MAGPRUNE, then add (Deep et al. 2024, arXiv:2406.11617)."""

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
