"""What each layer of a child is made of."""

import pytest

from stages.recipe.recipe import Model, ModuleLayers, NestedRecipe, Recipe, Rule, Slice, Span
from stages.report.candidates.layer_sources import (
    Composition,
    LayerSource,
    PathLayer,
    composition,
    layers_named,
)

BASE, MATH, WORDS = Model("base", "00"), Model("math", "11"), Model("words", "22")


def merged(*rules: Rule, method: str = "task_arithmetic") -> Recipe:
    """Return a merge of two models into a base."""
    return Recipe.of_models(method, (MATH, WORDS), rules, BASE)


def test_each_layer_says_what_it_gets_from_which_parent() -> None:
    """Rules of layers give spans of layers; the last rule gives what is outside of them."""
    recipe = merged(
        Rule({"weight": (0.8, 0.1)}, layers=(0, 2)),
        Rule({"weight": (0.2, 1.0)}, layers=(2, 6)),
        Rule({"weight": 0.5, "density": 0.3}),
    )
    assert 6 == layers_named([recipe])
    assert (
        LayerSource(0, 1, None, "task_arithmetic", {"weight": {"math": 0.8, "words": 0.1}}),
        LayerSource(2, 5, None, "task_arithmetic", {"weight": {"math": 0.2, "words": 1.0}}),
        LayerSource(None, None, None, "task_arithmetic", {"weight": 0.5, "density": 0.3}),
    ) == composition(recipe, 6).layers


def test_the_first_rule_that_matches_counts() -> None:
    """A component with a rule of its own stands apart; neighbours that get the same are joined."""
    recipe = merged(
        Rule({"weight": (1.0, 0.0)}, component="mlp"),
        Rule({"weight": (0.0, 1.0)}, layers=(0, 2), method="linear"),
        Rule({"weight": (0.0, 1.0)}, layers=(2, 4), method="linear"),
        Rule({"weight": (0.5, 0.5)}),
    )
    math, words = ({"weight": {"math": w, "words": 1.0 - w}} for w in (1.0, 0.0))
    both = {"weight": {"math": 0.5, "words": 0.5}}
    assert (
        LayerSource(0, 3, "attention", "linear", words),
        LayerSource(0, 3, "mlp", "task_arithmetic", math),
        LayerSource(0, 3, "rest", "linear", words),
        LayerSource(4, 4, "attention", "task_arithmetic", both),
        LayerSource(4, 4, "mlp", "task_arithmetic", math),
        LayerSource(4, 4, "rest", "task_arithmetic", both),
        LayerSource(None, None, None, "task_arithmetic", both),
    ) == composition(recipe, 5).layers


def test_a_path_is_told_hop_by_hop() -> None:
    """A hop names the ancestor, its layer and the gains; a recipe among the ancestors is named."""
    nested = NestedRecipe("both", merged(Rule({"weight": 1.0})))
    path = (
        Slice((Span(0, 0, 2),)),
        Slice((Span(1, 3, 4),), attention_gain=0.5, mlp_gain=0.25),
    )
    layers = (ModuleLayers("default", path),)
    recipe = Recipe("passthrough", (MATH, nested), (Rule({}),), layers=layers)
    assert (
        PathLayer(0, (("math", 0),), 1.0, 1.0),
        PathLayer(1, (("math", 1),), 1.0, 1.0),
        PathLayer(2, (("both", 3),), 0.5, 0.25),
    ) == composition(recipe, 0).path


def test_values_of_a_slice_belong_to_its_own_parents() -> None:
    """Two slices that merge other models name each its own."""
    path = (Slice((Span(0, 0, 1), Span(1, 0, 1))), Slice((Span(2, 1, 2), Span(1, 1, 2))))
    rules = (Rule({"weight": (0.3, 0.7)}, layers=(0, 1)), Rule({"weight": (0.6, 0.4)}))
    recipe = Recipe("linear", (BASE, MATH, WORDS), rules, layers=(ModuleLayers("default", path),))
    first, second = composition(recipe, 0).layers[:2]
    assert {"weight": {"base": 0.3, "math": 0.7}} == first.values
    assert {"weight": {"words": 0.6, "math": 0.4}} == second.values


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (Rule({"weight": 0.0}, parts=("norm",)), "tensors with 'norm' in their names"),
        (Rule({"weight": 0.0}, module="vision_tower"), "all tensors of vision_tower"),
    ],
)
def test_rules_of_tensors_are_exceptions_in_words(rule: Rule, said: str) -> None:
    """What holds for certain tensors alone is a sentence, and changes no layer."""
    layers: Composition = composition(merged(rule, Rule({"weight": 1.0})), 2)
    assert (f"{said}: task_arithmetic with weight 0.0",) == layers.exceptions
    assert {1.0} == {layer.values["weight"] for layer in layers.layers}


def test_the_path_of_a_model_that_sees_is_that_of_its_language_model() -> None:
    """Next to a vision tower the language model has a name; of two halves neither is pictured."""
    slices = tuple(Slice((Span(ancestor, 0, 2),), None) for ancestor in (0, 1))

    def path(*modules: ModuleLayers) -> tuple[PathLayer, ...]:
        recipe = Recipe("passthrough", (MATH, WORDS), (Rule({}),), layers=modules)
        return composition(recipe, 4).path

    named = path(ModuleLayers("model.language_model", slices, 0.5))
    assert named == path(ModuleLayers("default", slices))
    assert [hop.sources for hop in named][1:3] == [(("math", 1),), (("words", 0),)]
    assert () == path(ModuleLayers("encoder", slices), ModuleLayers("decoder", slices))
