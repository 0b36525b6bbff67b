"""The search room meets the merge room's methods: the one place where tests join the two."""

import math
from typing import Any

import pytest
import torch

from stages.checkpoint.reader import Checkpoint
from stages.merge.methods import METHODS
from stages.params.merge_params import MergeParams
from stages.params.space.space_params import SpaceParams
from stages.recipe.method_spec import MethodSpec, Parameter
from stages.recipe.recipe import Model
from stages.select.final.baselines import references
from stages.select.final.warm_starts import warm_starts
from stages.select.space.gene_ranges import NORMALIZE, SEARCHED
from stages.select.space.space import Space
from stages.select.space.weight_ratios import RATIOS_ALONE, divides_weights
from tests.merge.conftest import save_tensors
from tests.merge.recipes import VALUES, model_of, planned
from tests.merge.strategies import merged

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


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> list[Checkpoint]:
    """A base and two fine-tunes of two layers of one matrix each, opened."""
    root = tmp_path_factory.mktemp("models")
    names = [f"model.layers.{layer}.mlp.up_proj.weight" for layer in range(2)]
    return [
        save_tensors(root / name, {tensor: torch.full((2, 3), float(seed)) for tensor in names})
        for seed, name in enumerate(("base", "math", "french"))
    ]


UNNAMED = [
    (name, parameter)
    for name, spec in SPECS.items()
    for parameter in spec.parameters
    if parameter.name not in {*SEARCHED, NORMALIZE}
]


def settings_of(parameter: Parameter) -> list[Any]:
    """Return one value that fixes a parameter, and its whole range or all its names."""
    if parameter.choices:
        return [parameter.choices[-1], list(parameter.choices)]
    low = parameter.low + (1e-3 if parameter.is_open else 0.0)
    high = 7.0 if math.isinf(parameter.high) else parameter.high
    return [high, [low, high]]


@pytest.mark.parametrize(("name", "parameter"), UNNAMED, ids=lambda value: str(value)[:40])
def test_every_other_parameter_can_be_fixed_and_searched(
    name: str, parameter: Parameter, opened: list[Checkpoint]
) -> None:
    """What a method declares besides the searched parameters can be named, and plans accept it."""
    base, *parents = opened[: 1 + (SPECS[name].max_parents or 2)]
    for setting in settings_of(parameter):
        params = SpaceParams(methods=[name], parameters={parameter.name: setting})
        space = Space(params, specs=SPECS, num_parents=len(parents), num_layers=2)
        for unit in (0.1, 0.4, 1.0):
            recipe = space.make_recipe(
                space.from_unit([unit] * len(space.genes)),
                base=model_of(base) if SPECS[name].needs_base else None,
                parents=tuple(map(model_of, parents)),
                merge=MergeParams(),
            )
            merge_plan = planned(recipe, base if SPECS[name].needs_base else None, parents)
            given = recipe.rules[0].values.get(parameter.name, parameter.default)
            assert parameter.is_legal(given[0] if isinstance(given, tuple) else given)
            assert recipe.id == merge_plan.id


def test_references_give_their_methods_what_they_take() -> None:
    """The recipes of base, parents and baselines name only parameters of their method."""
    parents = (Model("a", "1"), Model("b", "2"), Model("c", "3"))
    recipes = references(base=Model("z", "0"), parents=parents, merge=MergeParams(), specs=SPECS)
    for reference in recipes:
        spec = SPECS[reference.recipe.method]
        given = set(reference.recipe.rules[0].values)
        assert given <= {p.name for p in spec.parameters}, reference.name
        assert {p.name for p in spec.parameters if p.default is None} <= given
        assert len(reference.recipe.parents) >= spec.min_parents


WEIGHTED = {
    name: {p.name for p in spec.parameters}
    for name, spec in SPECS.items()
    if any(p.name == "weight" for p in spec.parameters)
}


@pytest.mark.parametrize("name", WEIGHTED)
def test_weights_are_normalised_as_the_search_assumes(name: str) -> None:
    """Twice the weights are one merge, and shares are the same without normalisation, or not."""
    generator = torch.Generator().manual_seed(7)
    base = torch.randn(8, 8, generator=generator)
    parents = [base + 0.1 * torch.randn(8, 8, generator=generator) for _ in range(2)]
    given: dict[str, Any] = {k: v for k, v in VALUES[name].items() if k != "weight"}

    def child(weights: tuple[float, ...], normalize: float) -> torch.Tensor:
        values = given | ({NORMALIZE: normalize} if NORMALIZE in WEIGHTED[name] else {})
        frame = base if SPECS[name].needs_base else None
        return merged(name, frame, parents, weight=weights, **values)

    def are_equal(one: torch.Tensor, other: torch.Tensor) -> bool:
        return bool(torch.allclose(one, other, atol=1e-5))

    once = child((0.6, 0.3), 1.0)
    is_ratio = NORMALIZE in WEIGHTED[name] or name in RATIOS_ALONE
    assert is_ratio == are_equal(once, child((1.2, 0.6), 1.0))
    is_by_sum = is_ratio and divides_weights(name, name)
    assert is_by_sum == are_equal(once, child((2 / 3, 1 / 3), 0.0))
