"""One spelling for one merge: what is a default or has no effect is not in a recipe."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from stages.recipe.canonical import canonical
from stages.recipe.method_spec import MethodSpec, Parameter
from stages.recipe.recipe import Model, ModuleLayers, NestedRecipe, Recipe, Rule, Slice, Span
from stages.recipe.tokenizer import Tokenizer

WEIGHT = Parameter("weight", "parent", None, -9, 9, "")
DENSITY = Parameter("density", "parent", 1.0, 0, 1, "")
SPECS = {
    name: MethodSpec(name, (WEIGHT, DENSITY), needs_base, 1, None, "", "", draws=draws)
    for name, needs_base, draws in (
        ("linear", False, False),
        ("ties", True, False),
        ("dare", True, True),
    )
}
MODELS = (Model("a", "1"), Model("b", "2"))


def simplest(recipe: Recipe) -> Recipe:
    """Return the one spelling of a recipe, which is its own spelling."""
    simple = canonical(recipe, SPECS.__getitem__)
    assert simple == canonical(simple, SPECS.__getitem__)
    return simple


def recipe_of(method: str, *rules: Rule, **other: Any) -> Recipe:
    """Return a recipe of two models on a base."""
    return Recipe.of_models(method, MODELS, rules, Model("base", "0"), **other)


@pytest.mark.parametrize(
    "rule",
    [
        Rule({"weight": 1, "density": 1}),
        Rule({"weight": (1.0, 1.0), "density": (1.0, 1.0)}),
        Rule({"weight": [1, 1]}),  # type: ignore[dict-item]  # as JSON gives it
        Rule({"weight": 1.0}, method="ties"),
    ],
)
def test_values_have_one_spelling(rule: Rule) -> None:
    """Defaults are left out, equal numbers of all parents are one, whole ones have a point."""
    assert recipe_of("ties", Rule({"weight": 1.0})) == simplest(recipe_of("ties", rule))


def test_numbers_that_differ_stay() -> None:
    """What differs by parent, and what is not a default, is said."""
    recipe = recipe_of("ties", Rule({"weight": (1.0, 2.0), "density": 0.5}))
    assert recipe == simplest(recipe)


def test_what_no_method_reads_is_left_out() -> None:
    """A base goes where no method reads one, and a seed where none draws; the frame stays."""
    linear = simplest(recipe_of("linear", Rule({"weight": 1.0}), seed=3))
    assert (None, 0, (1, 2), 3) == (
        linear.base,
        linear.seed,
        linear.parents,
        len(linear.ancestors),
    )
    mixed = simplest(
        recipe_of("linear", Rule({"weight": 1.0}, layers=(0, 1), method="dare"), Rule({}), seed=3)
    )
    assert (0, 3) == (mixed.base, mixed.seed)


def test_rules_after_one_for_all_are_left_out() -> None:
    """They are met by no tensor."""
    rules = (Rule({"weight": 1.0}, parts=("b", "a", "a")), Rule({"weight": 2.0}), Rule({}))
    left = simplest(recipe_of("linear", *rules)).rules
    assert (Rule({"weight": 1.0}, parts=("a", "b")), Rule({"weight": 2.0})) == left


def test_slices_that_continue_each_other_are_one() -> None:
    """Where a slice begins and ends decides nothing once its values are rules."""

    def cut(*ends: int) -> tuple[ModuleLayers, ...]:
        parts = tuple(Slice((Span(1, i, j),), Span(0, i, j)) for i, j in pairwise(ends))
        return (ModuleLayers("default", parts),)

    whole = replace(recipe_of("ties", Rule({"weight": 1.0})), base=None, parents=())
    assert {simplest(replace(whole, layers=cut(0, 4))).id} == {
        simplest(replace(whole, layers=cut(*ends))).id for ends in ((0, 1, 4), (0, 1, 2, 3, 4))
    }
    twice = replace(whole, layers=(*cut(0, 2, 4), ModuleLayers("b", cut(0, 4)[0].slices * 2)))
    assert [1, 2] == [len(part.slices) for part in simplest(twice).layers]


def test_slices_of_no_layers_stay_where_they_decide() -> None:
    """At an end, if other models give what is outside the layers there; where is all the same."""

    def stacked(*slices: tuple[int, int, int]) -> Recipe:
        parts = tuple(Slice((Span(*one),)) for one in slices)
        recipe = recipe_of("linear", Rule({"weight": 1.0}))
        return replace(recipe, base=None, parents=(), layers=(ModuleLayers("default", parts),))

    plain = simplest(stacked((1, 0, 4))).id
    idle = (((1, 0, 4), (1, 4, 4)), ((1, 2, 2), (1, 0, 4)), ((1, 0, 2), (0, 1, 1), (1, 2, 4)))
    assert {plain} == {simplest(stacked(*slices)).id for slices in idle}
    assert {plain} == {simplest(stacked((1, 0, 4), (0, 3, 3), (1, 0, 0))).id}
    ends = [((1, 0, 4), (0, 4, 4)), ((1, 0, 4), (0, 1, 1)), ((0, 0, 0), (1, 0, 4))]
    first, same, other = (simplest(stacked(*slices)) for slices in ends)
    assert first.id == same.id
    assert 3 == len({plain, first.id, other.id})
    assert all(one == simplest(one) for one in (first, other))


@pytest.mark.parametrize(
    "illegal", [Slice(()), Slice((), Span(0, 2, 4)), Slice((Span(1, -1, -1),))]
)
def test_illegal_slices_are_not_taken_for_slices_of_no_layers(illegal: Slice) -> None:
    """Its plan says what is wrong with it: nothing is left out that a person may have meant."""
    ends = [Slice((Span(1, 0, 2),)), Slice((Span(1, 2, 4),))]
    layers = (ModuleLayers("default", (ends[0], illegal, ends[1])),)
    recipe = recipe_of("linear", Rule({"weight": 1.0}))
    recipe = replace(recipe, base=None, parents=(), layers=layers)
    assert 3 == len(simplest(recipe).layers[0].slices)


def test_tokenizers_have_one_spelling() -> None:
    """The frame's place is base, and where no row is moved none can be missing."""
    recipe = recipe_of("ties", Rule({"weight": 1.0}))
    spelled = replace(recipe, tokenizer=Tokenizer(source=0, missing="mean"))
    assert recipe.id == simplest(spelled).id
    moved = replace(recipe, tokenizer=Tokenizer(missing="mean", pin="1"))
    assert moved == simplest(moved)


def test_nested_recipes_are_spelled_too() -> None:
    """A recipe inside another has its one spelling, so that its id is that of the merge alone."""
    inner = recipe_of("ties", Rule({"weight": 1, "density": 1.0}))
    outer = Recipe.of_models("linear", (NestedRecipe("in", inner),), (Rule({"weight": 1.0}),))
    assert simplest(inner).id == simplest(outer).ancestors[0].id
