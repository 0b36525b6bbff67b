"""The search room meets the merge room's methods: the one place where tests join the two."""

import pytest

from stages.merge.methods import METHODS
from stages.params import MergeParams, SpaceParams
from stages.recipe import MethodSpec, Model
from stages.select.baselines import references, warm_starts
from stages.select.genes import NORMALIZE, SEARCHED
from stages.select.space import Space

SPECS: dict[str, MethodSpec] = {name: method.spec for name, method in METHODS.items()}


@pytest.mark.parametrize("name", SPECS)
def test_every_method_can_be_searched(name: str) -> None:
    """Each method's space decodes to all its parameters but the choices of names."""
    spec = SPECS[name]
    count = spec.max_parents or max(2, spec.min_parents)
    space = Space(SpaceParams(methods=[name]), specs=SPECS, num_parents=count, num_layers=4)
    starts = warm_starts(["uniform", "parents"], space)
    for genome in (space.from_unit([0.5] * len(space.genes)), *starts.values()):
        for rule in space.decode(genome)[1]:
            assert {p.name for p in spec.parameters if not p.choices} == set(rule.values)
    needed = {p.name for p in spec.parameters if p.default is None}
    assert needed <= {*SEARCHED, NORMALIZE}


def test_references_give_their_methods_what_they_take() -> None:
    """The recipes of base, parents and baselines name only parameters of their method."""
    parents = (Model("a", "1"), Model("b", "2"), Model("c", "3"))
    found = references(base=Model("z", "0"), parents=parents, merge=MergeParams())
    for reference in found:
        spec = SPECS[reference.recipe.method]
        given = set(reference.recipe.rules[0].values)
        assert given <= {p.name for p in spec.parameters}, reference.name
        assert {p.name for p in spec.parameters if p.default is None} <= given
        assert len(reference.recipe.parents) >= spec.min_parents
