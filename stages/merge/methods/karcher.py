"""Karcher mean: the point of the sphere nearest to all directions (Karcher 1977)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from stages.merge.arithmetic.inner_products import cosines, gram
from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import MAY_ROUND, SHARE
from stages.merge.arithmetic.spherical_means import MIN_LENGTH, MIN_SINE, karcher_factors, mixture
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
    """Return why these weights have no mean, or None if they have one."""
    if math.fsum(settings.parent["weight"]) < MIN_SUM:
        return "every weight is 0, so there is no mean. Give one above 0"
    return None


METHOD = Method(SPEC, prepare, fault)


def reference(
    parents: Float[Tensor, " k *shape"],
    *,
    weight: Float[Tensor, " k *#shape"],
    max_iter: float,
    tol: float,
) -> Float[Tensor, "*shape"]:
    """Return the Karcher mean of the parents' directions, with their weighted mean length."""
    weights, flat = weight.flatten() / weight.sum(), parents.reshape(len(parents), -1)
    lengths, units = flat.norm(dim=1), torch.nn.functional.normalize(flat, dim=1)
    shares = weights * (lengths > 0)
    # Start at the mean of the directions; without one, the weighted mean of the parents is taken.
    point = shares @ units
    if point.norm() <= MIN_LENGTH * float(shares.sum()):
        return (weights @ flat).reshape(parents.shape[1:])
    point = torch.nn.functional.normalize(point, dim=0)
    for _ in range(int(max_iter)):
        # The logarithm of each direction at the point: its tangent, as long as the angle.
        cosines = (units @ point).clamp(-1, 1)
        sines = (1 - cosines**2).sqrt()
        ratios = torch.where(sines < MIN_SINE, 0.0, torch.acos(cosines) / sines)
        step = (shares / shares.sum() * ratios) @ (units - cosines[:, None] * point)
        # The exponential: go along the mean tangent.
        length = float(step.norm())
        if length <= tol:
            break
        point = math.cos(length) * point + math.sin(length) * step / length
    child: Tensor = point * (weights @ lengths)
    return child.reshape(parents.shape[1:])
