"""SLERP: from the first parent to the second along the arc between them (Shoemake 1985)."""

import math

from jaxtyping import Float
from torch import Tensor

from stages.merge.arithmetic.inner_products import cosines, gram
from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import MAY_ROUND
from stages.merge.arithmetic.weighted_sums import weighted_sum
from stages.recipe.method_spec import MethodSpec, Parameter

MAX_COSINE = 0.9995  # nearer to parallel than this, the arc is taken as straight

SPEC = MethodSpec(
    name="slerp",
    parameters=(
        Parameter("t", "tensor", None, 0.0, 1.0, "0 gives the first parent, 1 the second."),
    ),
    needs_base=False,
    min_parents=2,
    max_parents=2,
    source="Shoemake 1985, doi:10.1145/325165.325242",
    summary="A point on the arc between two parents, each tensor taken as one vector.",
    exempt=(("zero task vectors", MAY_ROUND),),
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of the point ``t`` of the arc from the first parent to the second."""
    t = settings.tensor["t"]
    if t in (0.0, 1.0):
        return lambda start, stop: sources.parent(int(t), start, stop)
    (products,) = gram(sources.parent, 2, size=sources.size)
    norms, angles = cosines(products)
    has_angle = min(norms) > 0.0 or sources.zero_is_across  # a zero vector's cosines are 0
    weights = arc_weights(t, angles[0][1] if has_angle else None)

    def kernel(start: int, stop: int) -> Tensor:
        return weighted_sum([sources.parent(i, start, stop) for i in (0, 1)], weights)

    return kernel


def arc_weights(t: float, cosine: float | None) -> tuple[float, float]:
    """Return what the two vectors are multiplied by; without an angle, the straight line's."""
    if cosine is None or abs(cosine) > MAX_COSINE:
        return 1.0 - t, t
    angle = math.acos(cosine)
    return math.sin((1.0 - t) * angle) / math.sin(angle), math.sin(t * angle) / math.sin(angle)


METHOD = Method(SPEC, prepare)


def reference(parents: Float[Tensor, " 2 *shape"], *, t: float) -> Float[Tensor, "*shape"]:
    """Return the point at ``t`` of the arc between the parents."""
    first, second = parents.unbind()
    lengths = first.norm() * second.norm()
    cosine = float((first * second).sum() / lengths) if lengths > 0 else 1.0
    # The arc is straight where the parents are nearly parallel.
    if abs(cosine) > MAX_COSINE:
        return (1 - t) * first + t * second
    angle = math.acos(cosine)
    # Shoemake 1985, section 3.3: Slerp.
    return (math.sin((1 - t) * angle) * first + math.sin(t * angle) * second) / math.sin(angle)
