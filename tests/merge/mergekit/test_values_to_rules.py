"""Rules for any values: the first that matches a tensor gives its own."""

from hypothesis import given
from hypothesis import strategies as st

from stages.merge.mergekit.values_to_rules import Valued, rules_of
from stages.merge.plan.rule_settings import RuleBook
from stages.recipe.recipe import Rule

KINDS = ("mlp.up.weight", "mlp.down.weight", "attn.q.weight", "norm.weight")
NAMES = (
    *((f"m.layers.{layer}.{kind}", layer) for layer in range(4) for kind in KINDS),
    *((name, None) for name in ("m.embed.weight", "m.norm.weight", "norm.weight", "head.weight")),
)
FILTERS = ("mlp", "up", "norm", "layers.1", "q", "head.weight", "nothing")


def valued(values: list[int], module: str = "default") -> list[Valued]:
    """Return every tensor with a value of ``weight``."""
    pairs = zip(NAMES, values, strict=True)
    return [Valued(name, module, layer, {"weight": float(v)}) for (name, layer), v in pairs]


@given(
    st.lists(st.integers(0, 2), min_size=len(NAMES), max_size=len(NAMES)),
    st.lists(st.sampled_from(FILTERS), max_size=4),
)
def test_the_first_match_gives_each_tensor_its_value(
    values: list[int], filters: list[str]
) -> None:
    """Whatever the values and the filters are."""
    tensors = valued(values)
    rules = rules_of(tensors, filters, ["default"])
    book = RuleBook(rules, ["default"])
    for tensor in tensors:
        number = book.place(tensor.key, "default", tensor.layer, "rest")
        assert number is not None
        assert tensor.values == rules[number].values


@given(st.lists(st.sampled_from(FILTERS), max_size=4))
def test_one_value_is_one_rule(filters: list[str]) -> None:
    """Filters that tell nothing apart are not there."""
    assert [Rule({"weight": 1.0})] == rules_of(valued([1] * len(NAMES)), filters, ["default"])


def test_modules_are_named_where_they_differ() -> None:
    """Layers of two modules with values of their own have rules of their own."""
    one = valued([1] * len(NAMES))
    two = valued([layer or 0 for _, layer in NAMES], "tower")
    rules = rules_of([*one, *two], [], ["default"])
    assert {"default", "tower"} == {rule.module for rule in rules}
    assert (Rule({"weight": 1.0}, module="default")) in rules
    assert 4 == sum(rule.module == "tower" and rule.layers is not None for rule in rules)
