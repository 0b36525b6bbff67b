"""Passthrough: one parent's tensor as it is, times a scale (1 copies it)."""

import math
from dataclasses import replace

from jaxtyping import Float
from torch import Tensor

from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import SCALE
from stages.recipe.method_spec import MethodSpec, Parameter

SPEC = MethodSpec(
    name="passthrough",
    parameters=(
        Parameter(
            "source", "tensor", 0.0, 0.0, math.inf, "The place of the parent.", is_whole=True
        ),
        replace(SCALE, doc="Multiplies the tensor; 1 copies it."),
    ),
    needs_base=False,
    min_parents=1,
    max_parents=None,
    source="germline's own",
    summary="Copies each tensor from one of the parents.",
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of scale x the source's tensor."""
    index, scale = int(settings.tensor["source"]), settings.tensor["scale"]

    def kernel(start: int, stop: int) -> Tensor:
        parent = sources.parent(index, start, stop)
        return parent if scale == 1.0 else parent * scale

    return kernel


def fault(settings: Settings, num_parents: int) -> str | None:
    """Return why there is no such source, or None if there is one."""
    source = settings.tensor["source"]
    if source < num_parents:
        return None
    return f"source is {source:g}. It is a whole number from 0 to {num_parents - 1}: change it"


METHOD = Method(SPEC, prepare, fault, is_entrywise=True)


def reference(
    parents: Float[Tensor, " k *shape"], *, source: float, scale: float
) -> Float[Tensor, "*shape"]:
    """Return the source's tensor x scale."""
    return scale * parents[int(source)]
