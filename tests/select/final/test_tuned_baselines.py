"""Tuned baselines: which recipes they try, and how many."""

from typing import Any

import pytest
from pydantic import ValidationError

from stages.params.merge_params import MergeParams
from stages.params.select_params import SelectParams
from stages.recipe.recipe import Model, Recipe
from stages.select.final.baselines import baselines
from stages.select.final.tuned_baselines import drawn, swept
from tests.select.space.layers.paths import BASE as PATH_BASE
from tests.select.space.layers.paths import MODELS as PATH_MODELS
from tests.select.space.layers.paths import paths
from tests.select.specs import SPECS, space_of

BASE = Model("base", "00")
PARENTS = (Model("math", "11"), Model("french", "22"), Model("sort", "33"))
MODELS: dict[str, Any] = {"base": BASE, "parents": PARENTS, "merge": MergeParams()}


def params_of(weight: tuple[float, float] = (0.0, 1.5), **tuned: Any) -> SelectParams:
    """Return params with these tuned baselines."""
    return SelectParams.model_validate({"tuned_baselines": tuned, "space": {"weight": weight}})


def values_of(recipe: Recipe, name: str) -> Any:
    """Return a value of the only rule of a recipe, one number where it is the same for all."""
    value = recipe.rules[0].values[name]
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


def test_sweep_of_task_arithmetic_is_one_weight_for_all() -> None:
    """Twelve weights to 1.5 in steps of 0.125; the fixed baseline is the same merge at 0.4."""
    recipes = swept(params_of(sweep=12), specs=SPECS, **MODELS)
    assert [0.125 * (i + 1) for i in range(12)] == [values_of(r, "weight") for r in recipes]
    (at_two_fifths,) = swept(params_of((0.0, 0.4), sweep=1), specs=SPECS, **MODELS)
    fixed = baselines(base=BASE, parents=PARENTS, merge=MergeParams(), specs=SPECS)
    assert fixed["task_arithmetic"].id == at_two_fifths.id


@pytest.mark.parametrize("method", ["ties", "dare_ties"])
@pytest.mark.parametrize(("size", "densities", "factors"), [(12, 3, 4), (8, 2, 4), (1, 1, 1)])
def test_sweep_of_a_method_with_density_is_a_grid(
    method: str, size: int, densities: int, factors: int
) -> None:
    """No more recipes than were asked for, all different, of densities within (0, 1)."""
    recipes = swept(params_of(methods=[method], sweep=size), specs=SPECS, **MODELS)
    assert densities * factors == len({recipe.id for recipe in recipes}) == len(recipes) <= size
    tried = {values_of(recipe, "density") for recipe in recipes}
    assert densities == len(tried)
    assert all(0.0 < density < 1.0 for density in tried)
    assert {1.5 * (i + 1) / factors for i in range(factors)} == {
        recipe.rules[0].values.get("scale", 1.0) for recipe in recipes
    }


def test_methods_are_swept_one_after_the_other() -> None:
    """Each gets the whole number of evaluations; none of them, no sweep."""
    both = swept(params_of(methods=["task_arithmetic", "ties"], sweep=4), specs=SPECS, **MODELS)
    assert ["task_arithmetic"] * 4 + ["ties"] * 4 == [recipe.method for recipe in both]
    assert [] == swept(params_of(sweep=0), specs=SPECS, **MODELS)
    with pytest.raises(ValidationError, match="is listed twice; list each once"):
        params_of(methods=["ties", "ties"])
    with pytest.raises(ValidationError, match="methods"):
        params_of(methods=["slerp"])


def test_random_draws_are_uniform_in_the_space() -> None:
    """A draw is the seed's and begins a longer one; weights fill their range evenly."""
    space = space_of("task_arithmetic", parents=3, layers=1, weight=(0.0, 1.5))
    many = drawn(params_of(random=400), space, **MODELS)
    few = drawn(params_of(random=5), space, **MODELS)
    assert [recipe.id for recipe in few] == [recipe.id for recipe in many[:5]]
    assert 400 == len({recipe.id for recipe in many})
    weights = [values_of(recipe, "weight")[0] for recipe in many]
    assert 0.75 == pytest.approx(sum(weights) / 400, abs=0.07)  # 3 standard errors
    assert all(60 <= sum(low <= w < low + 0.3 for w in weights) <= 100 for low in (0.0, 0.6, 1.2))
    other = params_of(random=5).model_copy(update={"seed": 2})
    assert {r.id for r in few}.isdisjoint(r.id for r in drawn(other, space, **MODELS))


@pytest.mark.parametrize("methods", [(), ("linear",)])
def test_random_draws_are_of_paths_where_these_are_searched(methods: tuple[str, ...]) -> None:
    """Cuts and models are drawn, the genome's own merge among them where there is one."""
    space = paths("splice", methods=methods)
    params = params_of(random=300)
    models: dict[str, Any] = {**MODELS, "base": PATH_BASE, "parents": PATH_MODELS[:2]}
    recipes = drawn(params, space, **models)
    assert recipes == drawn(params, space, **models)
    pool = len(space.layers.pool) if space.layers else 0
    routes = [recipe for recipe in recipes if recipe.layers]
    assert 0.9 > len(routes) / 300 > 0.9 * (1 - 1 / pool)  # the rest is one whole model
    through = [{one.name for one in r.merged} for r in routes]
    assert {"a", "b", *(["merge"] if methods else [])} == set().union(*through)
    assert (len(methods) > 0) == any("merge" in names for names in through)


def test_a_sweep_needs_no_method_in_the_space() -> None:
    """A run in paths alone has it, too: fixed merges of its parents, up to the usual bound."""
    layers = {"encoding": "splice"}
    params = SelectParams.model_validate(
        {"space": {"methods": [], "layers": layers}, "tuned_baselines": {"sweep": 4}}
    )
    recipes = swept(params, specs=SPECS, **MODELS)
    assert [0.5, 1.0, 1.5, 2.0] == [values_of(recipe, "weight") for recipe in recipes]
