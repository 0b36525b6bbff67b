"""Rules: the first that matches a tensor gives its values."""

from stages.merge.plan.rule_settings import RuleBook
from stages.recipe.recipe import Rule

UP = "model.layers.{}.mlp.up_proj.weight"


def test_first_matching_rule_wins() -> None:
    """Rules are tried in order; layers are half-open; outside the layers only None matches."""
    rules = RuleBook(
        (Rule({}, layers=(1, 2)), Rule({}, component="mlp"), Rule({}, layers=(0, 2))), ["default"]
    )
    assert 0 == rules.place(UP.format(1), "default", 1, "mlp")
    assert 1 == rules.place(UP.format(2), "default", 2, "mlp")
    assert 2 == rules.place("model.layers.0.self_attn.q_proj.weight", "default", 0, "attention")
    assert rules.place("model.norm.weight", "default", None, "rest") is None


def test_every_part_of_a_rule_is_part_of_the_name() -> None:
    """A rule with two parts matches a tensor whose name holds both, wherever they are."""
    rules = RuleBook((Rule({}, parts=("layers.1.", "up")), Rule({}, parts=("up",))), ["default"])
    places = [rules.place(UP.format(layer), "default", layer, "mlp") for layer in (0, 1, 11)]
    assert [1, 0, 1] == places


def test_layers_of_a_tower_are_meant_by_rules_that_name_it() -> None:
    """A rule by layer alone is for the language model; with a module it is for that module."""
    rules = RuleBook(
        (Rule({}, layers=(0, 2)), Rule({}, layers=(0, 1), module="tower"), Rule({})), ["language"]
    )
    assert 0 == rules.place("a", "language", 1, "mlp")
    assert 1 == rules.place("a", "tower", 0, "mlp")
    assert 2 == rules.place("a", "tower", 1, "mlp")
