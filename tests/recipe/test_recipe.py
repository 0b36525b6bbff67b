"""Recipes as data."""

import json

import pytest

from stages.errors import RecipeError
from stages.recipe.recipe import Candidate, Model, Recipe, Rule

RECIPE = Recipe(
    method="ties",
    parents=(Model("math", "a" * 64), Model("order", "b" * 64)),
    rules=(
        Rule({"weight": (0.5, 1.0), "density": (0.2, 0.2)}, layers=(0, 3), component="mlp"),
        Rule({"weight": (1.0, 1.0), "rescale": "l1"}),
    ),
    base=Model("base", "c" * 64),
)


def test_recipe_survives_json() -> None:
    """What is written is what is read."""
    text = json.dumps(RECIPE.to_dict())

    assert RECIPE == Recipe.from_dict(json.loads(text))


def test_recipe_id_forgets_names() -> None:
    """Weights decide an id; what somebody calls them does not."""
    renamed = Recipe.from_dict(
        {**RECIPE.to_dict(), "parents": [{"name": "x", "hash": p.hash} for p in RECIPE.parents]}
    )

    assert RECIPE.id == renamed.id


def test_recipe_id_sees_the_order_of_parents() -> None:
    """Order decides rounding, so it is part of the id."""
    data = RECIPE.to_dict()
    swapped = Recipe.from_dict({**data, "parents": data["parents"][::-1]})

    assert RECIPE.id != swapped.id


def test_recipe_of_another_version_is_refused() -> None:
    """A recipe is rebuilt by the code that can rebuild it, or not at all."""
    with pytest.raises(RecipeError, match="version is 0"):
        Recipe.from_dict({**RECIPE.to_dict(), "version": 0})


def test_candidates_of_one_recipe_share_an_id() -> None:
    """A genome proposed twice is one candidate."""
    twice = [Candidate(name, (0.5,), RECIPE, 0) for name in ("g00-c00", "g01-c05")]

    assert twice[0].id == twice[1].id == RECIPE.id
