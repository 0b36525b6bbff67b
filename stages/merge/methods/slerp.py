"""SLERP: from the first parent to the second along the arc between them (Shoemake 1985)."""

import math

import numpy as np
from torch import Tensor

from stages.merge.combine import weighted_sum
from stages.merge.method import BLOCK, Kernel, Method, Settings, Sources
from stages.recipe import MethodSpec, Parameter

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
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of the point ``t`` of the arc from the first parent to the second."""
    t = settings.tensor["t"]
    if t in (0.0, 1.0):
        return lambda start, stop: sources.parent(int(t), start, stop)
    weights = arc_weights(t, _cosine(sources))

    def kernel(start: int, stop: int) -> Tensor:
        return weighted_sum([sources.parent(i, start, stop) for i in (0, 1)], weights)

    return kernel


def arc_weights(t: float, cosine: float | None) -> tuple[float, float]:
    """Return what the two vectors are multiplied by; without an angle, the straight line's."""
    if cosine is None or abs(cosine) > MAX_COSINE:
        return 1.0 - t, t
    angle = math.acos(cosine)
    return math.sin((1.0 - t) * angle) / math.sin(angle), math.sin(t * angle) / math.sin(angle)


def _cosine(sources: Sources) -> float | None:
    """Return the cosine of the angle between the parents; None where one of them is zero.

    Summed in float64, in blocks of fixed size and order, by NumPy on one thread.
    """
    sums = np.zeros(3)
    for start in range(0, sources.size, BLOCK):
        stop = min(start + BLOCK, sources.size)
        a, b = (sources.parent(i, start, stop).numpy().astype(np.float64) for i in (0, 1))
        sums += [np.sum(a * b), np.sum(a * a), np.sum(b * b)]
    dot, first, second = (float(value) for value in sums)
    if first == 0.0 or second == 0.0:
        return None
    return dot / (math.sqrt(first) * math.sqrt(second))


METHOD = Method(SPEC, prepare)
