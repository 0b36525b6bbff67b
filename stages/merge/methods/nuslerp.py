"""NuSLERP: SLERP by weights, on task vectors where there is a base (Shoemake 1985)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from stages.merge.arithmetic.inner_products import column_grams, cosines, gram, vectors_of
from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import WEIGHT, switch
from stages.merge.arithmetic.reference_steps import as_rows
from stages.merge.arithmetic.spherical_means import MIN_COSINE, MIN_SINE, arc_factors, mixture
from stages.recipe.method_spec import MethodSpec

MIN_SUM = 1e-6  # weights that sum to less than this have no ratio: the middle is taken

SPEC = MethodSpec(
    name="nuslerp",
    parameters=(
        WEIGHT,
        switch("nuslerp_flatten", 1.0, "1 takes the tensor as one vector, 0 each row as one."),
        switch("nuslerp_row_wise", 0.0, "1 takes columns where nuslerp_flatten 0 takes rows."),
    ),
    needs_base=False,
    min_parents=2,
    max_parents=2,
    source="Shoemake 1985, doi:10.1145/325165.325242",
    summary="A point on the arc between two task vectors, or parents, at their weights' ratio.",
    exempt=(("zero weight", "it takes two parents, no less"),),
    takes_base=True,
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of the point of the arc at second weight / sum of the weights."""
    first, second = settings.parent["weight"]
    total = math.fsum((first, second))
    t = second / total if abs(total) >= MIN_SUM else 0.5
    is_flat = settings.tensor["nuslerp_flatten"] == 1.0
    length = sources.size if is_flat else sources.row_length
    by_column = settings.tensor["nuslerp_row_wise"] == 1.0 and 0 < length < sources.size
    read, is_based = vectors_of(sources), sources.has_base
    products = (column_grams if by_column else gram)(read, 2, size=sources.size, length=length)
    is_across = sources.zero_is_across
    factors = [arc_factors(t, *cosines(p), zero_is_across=is_across) for p in products]
    mixed = mixture(read, factors, length, by_column=by_column)

    def kernel(start: int, stop: int) -> Tensor:
        child = mixed(start, stop)
        return child.add_(sources.base(start, stop)) if is_based else child

    return kernel


METHOD = Method(SPEC, prepare)


def reference(
    vectors: Float[Tensor, " 2 *shape"],
    *,
    weight: Float[Tensor, " 2 *#shape"],
    nuslerp_flatten: float,
    nuslerp_row_wise: float,
) -> Float[Tensor, "*shape"]:
    """Return the point of the arc between two vectors, rows or columns, at the weights' ratio.

    The vectors are the task vectors if the recipe has a base, which is then added; else the
    parents.
    """
    total = float(weight.sum(0))
    t = float(weight[1]) / total if abs(total) >= MIN_SUM else 0.5
    rows = as_rows(vectors, by_row=nuslerp_flatten == 0)
    by_column = nuslerp_row_wise and rows.shape[1] > 1
    first, second = (rows.mT if by_column else rows).unbind()
    # The angle of each pair of rows.
    lengths = first.norm(dim=-1) * second.norm(dim=-1)
    cosine = ((first * second).sum(-1) / lengths).clamp(-1, 1)
    angle = torch.acos(cosine)
    # Shoemake 1985; the straight line where there is no angle, or no shortest arc.
    is_line = (lengths == 0) | ((1 - cosine**2).sqrt() < MIN_SINE) | (cosine < MIN_COSINE)
    from_first = torch.where(is_line, 1 - t, torch.sin((1 - t) * angle) / torch.sin(angle))
    from_second = torch.where(is_line, t, torch.sin(t * angle) / torch.sin(angle))
    child = from_first[:, None] * first + from_second[:, None] * second
    return (child.mT if by_column else child).reshape(vectors.shape[1:])
