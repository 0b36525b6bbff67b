"""DELLA: MAGPRUNE, then the election of TIES (Deep et al. 2024, arXiv:2406.11617)."""

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
