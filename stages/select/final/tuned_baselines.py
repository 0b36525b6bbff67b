"""Baselines that are tuned on the search items: what a careful person would try without a search.

sweep   one factor for all parents, and one density where the method has it, on a grid: ``weight``
        of task arithmetic, ``scale`` (the papers' lambda) of TIES and DARE-TIES.
random  genomes drawn uniformly in the search's own space.
"""

import math
from collections.abc import Mapping

from stages.params.merge_params import MergeParams
from stages.params.select_params import SelectParams
from stages.recipe.canonical import canonical
from stages.recipe.method_spec import MethodSpec
from stages.recipe.recipe import Model, Recipe, Value
from stages.seeds import generator
from stages.select.final.baselines import fixed_recipe
from stages.select.space.space import Space

SWEEP, RANDOM = "sweep", "random"
_DECIMALS = 4


def swept(
    params: SelectParams,
    *,
    base: Model,
    parents: tuple[Model, ...],
    merge: MergeParams,
    specs: Mapping[str, MethodSpec],
) -> list[Recipe]:
    """Return the grid of every method swept, at most ``tuned_baselines.sweep`` recipes each.

    Factors are evenly spaced up to the space's highest weight. Where the method has a density,
    the grid has the root of its size in densities, evenly spaced within (0, 1).
    """
    tuned = params.tuned_baselines
    recipes = []
    for method in tuned.methods if tuned.sweep else ():
        for values in _grid(method, tuned.sweep, params.space.weight[1], len(parents)):
            recipe = fixed_recipe(method, parents, values, base, merge)
            recipes.append(canonical(recipe, specs.__getitem__))
    return recipes


def drawn(
    params: SelectParams,
    space: Space,
    *,
    base: Model,
    parents: tuple[Model, ...],
    merge: MergeParams,
) -> list[Recipe]:
    """Return ``tuned_baselines.random`` recipes drawn uniformly in ``space`` by the search's seed.

    A longer draw begins with a shorter one.
    """
    random = generator("random baseline", params.seed)
    points = random.random((params.tuned_baselines.random, len(space.genes)))
    return [
        space.make_recipe(space.from_unit(point), base=base, parents=parents, merge=merge)
        for point in points.tolist()
    ]


def _grid(method: str, size: int, highest: float, num_parents: int) -> list[dict[str, Value]]:
    ones = (1.0,) * num_parents
    if method == "task_arithmetic":
        return [
            {"weight": (factor,) * num_parents, "scale": 1.0, "normalize": 0.0}
            for factor in _evenly(size, highest)
        ]
    num_densities = math.isqrt(size)
    densities = _evenly(num_densities + 1, 1.0)[:-1]
    return [
        {"weight": ones, "density": (density,) * num_parents, "scale": factor, "normalize": 1.0}
        for density in densities
        for factor in _evenly(size // num_densities, highest)
    ]


def _evenly(count: int, highest: float) -> list[float]:
    return [round(highest * (i + 1) / count, _DECIMALS) for i in range(count)]
