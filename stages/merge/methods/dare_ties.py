"""DARE with the sign election of TIES (Yu et al. 2024, arXiv:2311.03099)."""

from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import BY_CHANCE, DENSITY, SCALE, WEIGHT, normalize
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
