"""Recipes as data: one JSON form, both ways, and what is part of an id."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.errors import RecipeError
from stages.recipe.candidate import Candidate
from stages.recipe.recipe import (
    Ancestor,
    Model,
    ModuleLayers,
    NestedRecipe,
    Recipe,
    Rule,
    Slice,
    Span,
)
from stages.recipe.tokenizer import Tokenizer, TokenOrigin, tokenizer_named

RECIPE = Recipe.of_models(
    "ties",
    (Model("math", "a" * 64), Model("order", "b" * 64)),
    (
        Rule({"weight": (0.5, 1.0), "density": 0.2}, layers=(0, 3), component="mlp"),
        Rule({"weight": 1.0, "rescale": "l1"}),
    ),
    Model("base", "c" * 64),
    dtype="bfloat16",
)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
numbers = st.floats(-4, 4)
places = st.integers(0, 1)
rules = st.builds(
    Rule,
    values=st.dictionaries(names, numbers | names | st.lists(numbers, max_size=3).map(tuple)),
    layers=st.none() | st.tuples(st.integers(0, 4), st.integers(5, 9)),
    component=st.sampled_from([None, "mlp"]),
    module=st.none() | names,
    parts=st.lists(names, max_size=2).map(tuple),
    method=st.none() | names,
)
spans = st.builds(Span, places, st.integers(0, 4), st.integers(5, 9))
slices = st.builds(Slice, st.lists(spans, min_size=1, max_size=2).map(tuple), st.none() | spans)
layers = st.builds(ModuleLayers, names, st.lists(slices, max_size=2).map(tuple))
tokenizers = st.builds(
    Tokenizer,
    source=st.sampled_from(["base", "union", "unmoved", 1]),
    tokens=st.dictionaries(names, st.builds(TokenOrigin, st.none() | places, st.none() | names)),
    pad_to_multiple_of=st.none() | st.just(8),
    missing=st.sampled_from(["frame", "mean"]),
    pin=st.none() | names,
)
models = st.builds(Model, names, names, st.none() | names)


def recipes(ancestors: st.SearchStrategy[Any]) -> st.SearchStrategy[Recipe]:
    """Return recipes of any ancestors; they need not make sense, but every key is used."""
    return st.builds(
        Recipe,
        method=names,
        ancestors=st.lists(ancestors, min_size=2, max_size=3).map(tuple),
        rules=st.lists(rules, max_size=2).map(tuple),
        base=st.none() | places,
        parents=st.lists(places, max_size=2).map(tuple),
        layers=st.lists(layers, max_size=2).map(tuple),
        modules=st.lists(names, max_size=2).map(tuple),
        tokenizer=tokenizers,
        dtype=st.sampled_from([None, "float16"]),
        rounding=st.sampled_from([None, "own"]),
        seed=st.integers(0, 3),
    )


any_recipes = recipes(models | st.builds(NestedRecipe, names, recipes(models)))


@given(any_recipes)
def test_recipe_survives_json(recipe: Recipe) -> None:
    """What is written is what is read, recipes inside it too; a default is not written."""
    data = json.loads(json.dumps(recipe.to_dict()))
    again = Recipe.from_dict(data)
    assert recipe == again
    assert data == again.to_dict()
    assert None not in [*data.values(), *(v for rule in data["rules"] for v in rule.values())]


@given(any_recipes)
def test_recipe_id_forgets_names_and_sources(recipe: Recipe) -> None:
    """Weights decide an id; what somebody calls them, and where they are, does not."""

    def renamed(ancestor: Ancestor) -> Ancestor:
        if isinstance(ancestor, Model):
            return Model("x", ancestor.hash, "org/x@1")
        inner = tuple(map(renamed, ancestor.recipe.ancestors))
        return NestedRecipe("y", replace(ancestor.recipe, ancestors=inner))

    assert recipe.id == replace(recipe, ancestors=tuple(map(renamed, recipe.ancestors))).id


@given(any_recipes, any_recipes)
def test_recipes_that_differ_have_other_ids(one: Recipe, two: Recipe) -> None:
    """Every key but names and sources is part of the id."""

    def anonymous(recipe: Recipe) -> dict[str, Any]:
        return {**recipe.to_dict(), "ancestors": [a.id for a in recipe.ancestors]}

    assert (one.id == two.id) == (anonymous(one) == anonymous(two))


def test_a_nested_recipe_stands_for_itself() -> None:
    """Its id is part of the outer recipe's: another seed inside is another recipe outside."""
    outer = Recipe.of_models("linear", (NestedRecipe("inner", RECIPE),), (Rule({"weight": 1.0}),))
    other = replace(outer, ancestors=(NestedRecipe("inner", replace(RECIPE, seed=1)),))
    assert outer.id != other.id


def test_recipe_id_sees_the_order_of_parents() -> None:
    """Order decides rounding, so it is part of the id."""
    assert RECIPE.id != replace(RECIPE, parents=RECIPE.parents[::-1]).id


def test_recipe_of_another_version_is_refused() -> None:
    """A recipe is rebuilt by the code that can rebuild it, or not at all."""
    with pytest.raises(RecipeError, match=r"version is 3\. This germline merges version 4"):
        Recipe.from_dict({**RECIPE.to_dict(), "version": 3})


def test_recipe_without_a_version_is_told_to_have_one() -> None:
    """The message says which; no other release is asked for."""
    data = {key: value for key, value in RECIPE.to_dict().items() if key != "version"}
    with pytest.raises(RecipeError, match=r'^recipe, version: missing\..* add "version": 4\.$'):
        Recipe.from_dict(data)


_GAIN = {"parents": [], "atention_gain": 2.0}
_TOKEN = {"source": {"ancestr": 0}}
_INNER = {"name": "x", "recipe": {**RECIPE.to_dict(), "rules": [{"values": {}, "layer": [0, 1]}]}}


@pytest.mark.parametrize(
    ("change", "key", "legal", "near"),
    [
        (
            {"layers": [{"module": "m", "slices": [_GAIN]}]},
            "layers[0].slices[0].atention_gain",
            "parents, base, attention_gain, mlp_gain",
            "attention_gain",
        ),
        (
            {"layers": [{"module": "m", "slices": [{"parents": [], "base": {"stp": 1}}]}]},
            "layers[0].slices[0].base.stp",
            "ancestor, first, stop",
            "stop",
        ),
        (
            {"ancestors": [{"name": "a", "hash": "1", "sorce": "x"}]},
            "ancestors[0].sorce",
            "name, hash, source",
            "source",
        ),
        (
            {"tokenizer": {"tokens": _TOKEN}},
            "tokenizer.tokens.source.ancestr",
            "ancestor, token, token_id, force",
            "ancestor",
        ),
        (
            {"ancestors": [_INNER]},
            "ancestors[0].recipe.rules[0].layer",
            "values, layers, component, module, parts, method",
            "layers",
        ),
    ],
)
def test_unknown_key_is_met_with_those_of_its_own_class(
    change: dict[str, Any], key: str, legal: str, near: str
) -> None:
    """The innermost class says which keys are legal and which is nearest."""
    with pytest.raises(RecipeError) as raised:
        Recipe.from_dict({**RECIPE.to_dict(), **change})
    said = f"recipe, {key}: unknown key. Legal here: {legal}. Did you mean '{near}'?"
    assert said in str(raised.value).splitlines()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rulez": []}, "tokenizer, dtype, rounding, seed. Did you mean 'rules'?"),
        ({"method": 3}, "recipe, method: got 3. Give a valid string."),
        ({"parents": [1, "2"]}, "recipe, parents[1]: got '2'. Give a valid integer."),
        ({"rules": [{"values": {}, "layers": [0]}]}, "recipe, rules[0].layers[1]: missing."),
        ({"rules": [{"values": {"weight": True}}]}, "recipe, rules[0].values.weight: got True."),
        ({"ancestors": [{"name": "a"}]}, "recipe, ancestors[0].hash: missing."),
        ({"tokenizer": {"source": "all"}}, "recipe, tokenizer.source: got 'all'. Give 'base', "),
        ({"seed": 0.5}, "recipe, seed: "),
    ],
)
def test_what_is_not_a_recipe_is_refused(change: dict[str, Any], message: str) -> None:
    """Unknown, missing and ill-typed keys are named with their place and what is legal."""
    with pytest.raises(RecipeError) as raised:
        Recipe.from_dict({**RECIPE.to_dict(), **change})
    assert message in str(raised.value)


def test_all_faults_of_a_recipe_are_listed() -> None:
    """Two wrong keys give two lines."""
    with pytest.raises(RecipeError) as raised:
        Recipe.from_dict({**RECIPE.to_dict(), "seed": "x", "dtype": 16})
    assert 2 == len(str(raised.value).splitlines())


def test_tokenizers_are_named_as_in_params() -> None:
    """A rule or an ancestor's name, with a pin where rows are moved."""
    known = ("base", "math", "chat")
    assert Tokenizer() == tokenizer_named("base", known)
    assert Tokenizer(source="union", pin="12ab") == tokenizer_named("union@12ab", known)
    assert Tokenizer(source=2) == tokenizer_named("chat", known)
    with pytest.raises(RecipeError, match=r"tokenizer is 'chut'.* Did you mean 'chat'"):
        tokenizer_named("chut", known)


def test_candidates_of_one_recipe_share_an_id() -> None:
    """A genome proposed twice is one candidate."""
    twice = [Candidate(name, (0.5,), RECIPE, 0) for name in ("g00-c00", "g01-c05")]

    assert twice[0].id == twice[1].id == RECIPE.id
