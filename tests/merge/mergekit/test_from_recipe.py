"""From a recipe to a MergeKit document and back: one id; what cannot be said is an error."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.checkpoint.reader import Checkpoint
from stages.errors import GermlineError, RecipeError
from stages.merge.mergekit.from_recipe import from_recipe
from stages.merge.outputs.model_folder import hash_weights
from stages.merge.plan.planner import plan
from stages.recipe.recipe import Recipe, Rule
from tests.merge.mergekit.llamas import translated
from tests.merge.recipes import model_of
from tests.merge.test_one_recipe import DOCUMENTS, opened_in


def exported(recipe: Recipe, root: Path) -> str:
    """Return a recipe's document as a text in which models are folders under ``root``."""
    places = [f"{root}/{ancestor.name}" for ancestor in recipe.ancestors]
    return json.dumps(from_recipe(recipe, opened_in(root, recipe), places))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_comes_back(name: str, root: Path) -> None:
    """The document of a document's recipe has that recipe."""
    recipe = translated(DOCUMENTS[name], root, seed=5).recipe
    text = exported(recipe, root)
    assert recipe == translated(text, root, seed=5).recipe, text


FILTERS = ("mlp", "self_attn", "down_proj", "layers.1", "norm", "embed", "lm_head", "q_proj")
numbers = st.sampled_from([0.25, 0.5, 1.0])
values = numbers | st.lists(numbers, min_size=2, max_size=4)
entries = st.lists(st.tuples(st.sampled_from(FILTERS), values), min_size=1, max_size=3)


def _filtered(pairs: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    return [*({"filter": f, "value": v} for f, v in pairs), {"value": 0.75}]


given_values = values | entries.map(_filtered)
parameters = st.fixed_dictionaries({}, optional={"weight": given_values, "density": given_values})


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Return a document of whole models or of slices, with values at all levels."""
    names = ["$one", "$two", "$base"]
    document: dict[str, Any] = {"merge_method": "ties", "base_model": "$base"}
    if draw(st.booleans()):
        models = draw(st.permutations(names))
        document["models"] = [{"model": m, "parameters": draw(parameters)} for m in models]
    else:
        slices = []
        lengths = st.lists(st.integers(0, 2), min_size=1, max_size=3)
        for length in draw(lengths.filter(any)):
            first = draw(st.integers(0, 2))
            sources = [
                {
                    "model": m,
                    "layer_range": [first, first + length],
                    "parameters": draw(parameters),
                }
                for m in draw(st.permutations(names))
            ]
            slices.append({"sources": sources, "parameters": draw(parameters)})
        document["slices"] = slices
    document["parameters"] = {"weight": 0.5} | draw(parameters)
    return document | draw(
        st.fixed_dictionaries(
            {}, optional={"dtype": st.just("bfloat16"), "compat": st.just("mergekit")}
        )
    )


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(document=documents())
def test_any_document_comes_back(document: dict[str, Any], root: Path) -> None:
    """A recipe, its document and that document's recipe: one id, whatever the values are."""
    recipe = translated(json.dumps(document), root).recipe
    text = exported(recipe, root)
    assert recipe.id == translated(text, root).recipe.id, text


def candidate(root: Path, method: str, *rules: Rule, **other: Any) -> Recipe:
    """Return a recipe of two models on a base, as a search makes it."""
    base, one, two = (model_of(Checkpoint(root / name)) for name in ("base", "one", "two"))
    return Recipe.of_models(method, (one, two), rules, base, dtype="bfloat16", **other)


def test_candidates_are_exported(root: Path) -> None:
    """Rules by layers and components come out as slices and filters that give the same values."""
    rules = (
        Rule({"weight": 0.5}, layers=(0, 2), component="mlp"),
        Rule({"weight": (0.25, 1.0)}, layers=(0, 2)),
        Rule({"weight": 1.0}),
    )
    for method in ("task_arithmetic", "linear"):
        recipe = candidate(root, method, *rules)
        recipe = replace(recipe, base=None) if method == "linear" else recipe
        again = translated(exported(recipe, root), root).recipe
        assert again.ancestors == recipe.ancestors
        assert again.id == translated(exported(again, root), root).recipe.id
        plans = [plan(one, opened_in(root, one)) for one in (recipe, again)]
        assert hash_weights(plans[0]) == hash_weights(plans[1])


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (("dare_linear", Rule({"weight": 1.0})), "rescale is 'inverse_density'"),
        (("karcher", Rule({"weight": 2.0})), "MergeKit's karcher has no such parameter"),
        (("passthrough", Rule({"source": 1.0})), "passthrough of several parents"),
        (
            (
                "ties",
                Rule({"weight": 1.0}, layers=(0, 1), method="dare_ties"),
                Rule({"weight": 1.0}),
            ),
            "a rule has a method of its own",
        ),
    ],
)
def test_what_mergekit_cannot_say_is_an_error(
    recipe: tuple[Any, ...], message: str, root: Path
) -> None:
    """The error says what of the recipe its language has no words for."""
    with pytest.raises(RecipeError, match="MergeKit's language: ") as raised:
        exported(candidate(root, *recipe), root)
    assert message in str(raised.value)
    assert isinstance(raised.value, GermlineError)
