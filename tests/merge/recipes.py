"""Recipes over opened checkpoints."""

from collections.abc import Mapping, Sequence
from typing import Any

from stages.checkpoint.reader import Checkpoint
from stages.merge.plan.plan import Plan
from stages.merge.plan.planner import plan
from stages.recipe.recipe import Model, Recipe, Rule, Value

VALUES: dict[str, dict[str, Value]] = {
    "linear": {"weight": (0.2, 0.5)},
    "slerp": {"t": 0.3},
    "task_arithmetic": {"weight": (0.7, 0.4)},
    "ties": {"weight": (0.7, 0.4), "density": (0.5, 0.3)},
    "dare_linear": {"weight": (0.7, 0.4), "density": 0.5},
    "dare_ties": {"weight": (0.7, 0.4), "density": 0.5},
    "breadcrumbs": {"weight": (0.7, 0.4), "density": 0.5, "gamma": 0.1},
    "breadcrumbs_ties": {"weight": (0.7, 0.4), "density": (0.5, 0.3)},
    "della": {"weight": (0.7, 0.4), "density": 0.5, "epsilon": 0.2},
    "della_linear": {"weight": (0.7, 0.4), "density": (0.9, 0.5)},
    "model_stock": {},
    "nuslerp": {"weight": (0.7, 0.4), "nuslerp_flatten": 0.0},
    "multislerp": {"weight": (0.7, 0.4)},
    "karcher": {"weight": (0.7, 0.4)},
    "nearswap": {"t": 0.1},
    "sce": {"select_topk": 0.4},
    "ram": {"epsilon": 0.2},
    "ramplus_tl": {"epsilon": 0.2},
    "arcee_fusion": {},
    "iso_c": {"weight": (0.7, 0.4)},
    "tsv_merge": {"weight": (0.7, 0.4)},
    "wudi": {"weight": (0.7, 0.4)},
    "consensus_ta": {"weight": (0.7, 0.4)},
    "passthrough": {"source": 1.0},
}


def model_of(checkpoint: Checkpoint) -> Model:
    """Return the name and hash under which a recipe knows a checkpoint."""
    return Model(checkpoint.folder.name, checkpoint.hash())


def recipe_of(
    method: str,
    base: Checkpoint | None,
    parents: Sequence[Checkpoint],
    values: Mapping[str, Value] | None = None,
    **other: Any,
) -> Recipe:
    """Return a recipe with one rule for all tensors, or with the ``rules`` given, in bfloat16."""
    rules = other.pop("rules", (Rule(VALUES[method] if values is None else values),))
    known = model_of(base) if base is not None else None
    settings = {"dtype": "bfloat16", **other}
    return Recipe.of_models(method, [model_of(p) for p in parents], rules, known, **settings)


def models_of(
    recipe: Recipe, base: Checkpoint | None, parents: Sequence[Checkpoint]
) -> list[Checkpoint]:
    """Return the models of a recipe in the order of its ancestors: one for each place."""
    given = [*([] if base is None else [base]), *parents]
    places = [*([] if recipe.base is None else [recipe.base]), *recipe.parents]
    by_place: dict[int, Checkpoint] = {}
    for number, model in zip(places, given, strict=False):
        by_place.setdefault(number, model)
    return [by_place[number] for number in sorted(by_place)]


def planned(recipe: Recipe, base: Checkpoint | None, parents: Sequence[Checkpoint]) -> Plan:
    """Return the plan of a recipe of whole models: its base, if it has one, and its parents."""
    return plan(recipe, models_of(recipe, base, parents))
