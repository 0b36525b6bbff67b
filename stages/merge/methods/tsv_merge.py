"""TSV-Merge: task matrices by singular vectors, decorrelated (Gargiulo 2025, arXiv:2412.00081)."""

from dataclasses import replace

from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import SCALE, WEIGHT
from stages.merge.arithmetic.singular_values import (
    decorrelated,
    is_linear_map,
    on_base,
    task_matrix,
)
from stages.merge.arithmetic.task_vector_sums import averaged, used_parents
from stages.recipe.method_spec import MethodSpec

SPEC = MethodSpec(
    name="tsv_merge",
    parameters=(replace(WEIGHT, default=1.0), SCALE),
    needs_base=True,
    min_parents=1,
    max_parents=None,
    source="Gargiulo et al. 2025, arXiv:2412.00081",
    summary="The leading singular vectors of all task matrices, made orthogonal to each other.",
    exempt=(("equal parents", "each of k parents keeps 1 / k of its singular values"),),
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of base + scale x the decorrelated sum of weight x task matrix.

    A tensor that is no linear map gets the weighted mean of the task vectors.
    """
    used = used_parents(settings)
    if not is_linear_map(sources) or not used:
        return averaged(sources, settings)
    weights = [settings.parent["weight"][i] for i in used]
    found = decorrelated([task_matrix(sources, i) for i in used], weights)
    return on_base(sources, found, settings.tensor["scale"])


METHOD = Method(SPEC, prepare)
