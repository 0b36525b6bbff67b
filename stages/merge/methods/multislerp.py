"""MultiSLERP: along the mean of the directions, with the mean length (after Shoemake 1985).

The barycentric rule takes the directions u_i to the tangent space at m, the sum of w_i u_i over
its length, adds them there and comes back. The sum of the tangents is the sum of w_i u_i less its
part along m: zero, so the point is m itself.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from stages.merge.arithmetic.inner_products import cosines, gram, vectors_of
from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import WEIGHT, mean_fault, normalize
from stages.merge.arithmetic.spherical_means import MIN_LENGTH, mean_factors, mixture
from stages.merge.arithmetic.weighted_sums import coefficients
from stages.recipe.method_spec import MethodSpec, Parameter

SPEC = MethodSpec(
    name="multislerp",
    parameters=(
        WEIGHT,
        normalize(1.0),
        Parameter("eps", "tensor", 1e-8, 0.0, math.inf, "A shorter mean direction is none."),
    ),
    needs_base=False,
    min_parents=2,
    max_parents=None,
    source="Shoemake 1985, doi:10.1145/325165.325242",
    summary="The mean direction of the task vectors, or parents, with their mean length.",
    takes_base=True,
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of the mean direction x the mean length, on the base if there is one."""
    weights = coefficients(
        settings.parent["weight"], normalize=settings.tensor["normalize"] == 1.0
    )
    read, is_based = vectors_of(sources), sources.has_base
    (products,) = gram(read, len(weights), size=sources.size)
    factors = mean_factors(weights, *cosines(products), eps=settings.tensor["eps"])
    mixed = mixture(read, [factors], sources.size)

    def kernel(start: int, stop: int) -> Tensor:
        child = mixed(start, stop)
        return child.add_(sources.base(start, stop)) if is_based else child

    return kernel


METHOD = Method(SPEC, prepare, mean_fault)


def reference(
    vectors: Float[Tensor, " k *shape"],
    *,
    weight: Float[Tensor, " k *#shape"],
    normalize: float,
    eps: float,
) -> Float[Tensor, "*shape"]:
    """Return the weighted mean of the directions, with the weighted mean of the lengths.

    The vectors are the task vectors if the recipe has a base, which is then added; else the
    parents.
    """
    weights, flat = weight.flatten(), vectors.reshape(len(vectors), -1)
    weights = weights / weights.sum() if normalize else weights
    lengths = flat.norm(dim=1)
    direction = weights @ torch.nn.functional.normalize(flat, dim=1)
    length: Tensor = direction.norm()
    # Directions that cancel have no mean: the plain weighted sum is taken.
    if length <= max(eps, MIN_LENGTH * float(weights.abs().sum())):
        return (weights @ flat).reshape(vectors.shape[1:])
    child: Tensor = direction / length * (weights @ lengths)
    return child.reshape(vectors.shape[1:])
