"""Breadcrumbs with the election of TIES (Davari & Belilovsky 2023, arXiv:2312.06795)."""

from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import DENSITY, GAMMA, SCALE, WEIGHT, normalize
from stages.merge.arithmetic.rescale import RESTORE
from stages.merge.arithmetic.task_vector_sums import elected
from stages.merge.methods.breadcrumbs import masked
from stages.recipe.method_spec import MethodSpec

SPEC = MethodSpec(
    name="breadcrumbs_ties",
    parameters=(WEIGHT, DENSITY, GAMMA, RESTORE, SCALE, normalize(0.0)),
    needs_base=True,
    min_parents=1,
    max_parents=None,
    source="Davari & Belilovsky 2023, arXiv:2312.06795; Yadav et al. 2023, arXiv:2306.01708",
    summary="TIES on task vectors without their largest and smallest entries.",
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of base + scale x elected sum of the masked task vectors."""
    return elected(sources, settings, masked(sources, settings))


METHOD = Method(SPEC, prepare)
