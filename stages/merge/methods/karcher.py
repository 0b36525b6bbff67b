"""Karcher mean: the point of the sphere nearest to all directions (Karcher 1977)."""

import math

from stages.merge.arithmetic.inner_products import cosines, gram
from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import MAY_ROUND, SHARE
from stages.merge.arithmetic.spherical_means import karcher_factors, mixture
from stages.merge.arithmetic.weighted_sums import MIN_SUM, coefficients
from stages.recipe.method_spec import MethodSpec, Parameter

SPEC = MethodSpec(
    name="karcher",
    parameters=(
        SHARE,
        Parameter("max_iter", "tensor", 10.0, 0.0, 1000.0, "Steps at most.", is_whole=True),
        Parameter(
            "tol", "tensor", 1e-5, 0.0, math.inf, "A shorter step, in radians, is the last."
        ),
    ),
    needs_base=False,
    min_parents=1,
    max_parents=None,
    source="Karcher 1977, doi:10.1002/cpa.3160300502",
    summary="The parents' Riemannian centre of mass on the sphere, with their mean length.",
    exempt=(("zero task vectors", MAY_ROUND),),
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of the Karcher mean of the directions x the mean length."""
    weights = coefficients(settings.parent["weight"], normalize=True)
    (products,) = gram(sources.parent, len(weights), size=sources.size)
    factors = karcher_factors(
        weights,
        *cosines(products),
        max_iter=int(settings.tensor["max_iter"]),
        tol=settings.tensor["tol"],
    )
    return mixture(sources.parent, [factors], sources.size)


def fault(settings: Settings, _num_parents: int) -> str | None:
    """Return why these weights have no mean, or None where they have."""
    if math.fsum(settings.parent["weight"]) < MIN_SUM:
        return "every weight is 0, so there is no mean. Give one above 0"
    return None


METHOD = Method(SPEC, prepare, fault)
