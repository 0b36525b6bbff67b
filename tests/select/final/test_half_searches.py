"""Searches in one half of a space: their params, budgets and faults."""

from typing import Any

import pytest

from stages.errors import ParamsError
from stages.params.select_params import SelectParams
from stages.params.space.space_params import Half
from stages.select.final.half_searches import (
    HALVES,
    halves_asked,
    params_of_half,
    with_budget,
)

SPLICE = {"encoding": "splice", "overlap": 1}
JOINT = {"methods": ["linear"], "weight": [0.0, 1.0], "decimals": 3, "layers": SPLICE}


def params_of(space: dict[str, Any] | None = None, **select: Any) -> SelectParams:
    """Return params of a search in ``space``, both halves of which are asked for."""
    tuned = {"parameters": 30, "layers": 30}
    return SelectParams.model_validate(
        {"space": JOINT if space is None else space, "tuned_baselines": tuned, **select}
    )


def test_halves_are_the_run_in_one_half_of_its_space() -> None:
    """Strategy, seed, population and races stay; of the starts those that the half has."""
    select: dict[str, Any] = {
        "optimizer": "DE",
        "seed": 7,
        "scan": {"budget": 4, "starts": 1},
        "warm_start": ["uniform", "parents"],
        "racing": {"rungs": [2, 4]},
        "stop": {"candidates": 100},
    }
    params = params_of(**select)
    parameters, layers = (params_of_half(params, half) for half in HALVES)
    assert ("parameters", "layers") == halves_asked(params) == params.space.halves
    assert [("parameters",), ("layers",)] == [p.space.halves for p in (parameters, layers)]
    kept = ("optimizer", "seed", "population", "racing", "shortlist", "sigma")
    for own in (parameters, layers):
        assert [getattr(own, k) for k in kept] == [getattr(params, k) for k in kept]
        assert own.stop.candidates is None
    assert parameters.space == params.space.model_copy(update={"layers": None})
    assert (layers.space.layers, layers.space.decimals) == (params.space.layers, 3)
    assert [["uniform", "parents"], ["parents"]] == [parameters.warm_start, layers.warm_start]
    assert [0, 4] == [own.scan.budget for own in (parameters, layers)]


def test_layers_alone_go_through_the_parents() -> None:
    """Where the run's own pool is the merge, which the half does not have."""
    params = params_of({**JOINT, "layers": {"encoding": "blocks", "pool": "merge"}})
    alone = params_of_half(params, "layers").space
    assert alone.layers is not None
    assert ([], "both") == (alone.methods, alone.layers.pool)


def test_a_cost_of_children_is_an_objective_of_layers_alone() -> None:
    """Without paths all children cost the same."""
    layers = {"encoding": "blocks"}
    params = params_of({**JOINT, "layers": layers}, objectives="separate", cost="layers")
    costs = [params_of_half(params, half).cost for half in HALVES]
    assert [None, "layers"] == costs


def test_a_budget_is_of_whole_generations() -> None:
    """A scan counts; a generation that would exceed the budget is not begun."""
    params = params_of()
    assert 2 == with_budget(params, "layers", 0).generations
    assert 1 == with_budget(params, "layers", 7).generations
    with pytest.raises(ParamsError, match="layers is 30, and a scan of 19 and one generation of"):
        with_budget(params, "layers", 19)
    with pytest.raises(ParamsError, match=r"parameters is 30, and one .* Give 40 or more"):
        with_budget(params.model_copy(update={"population": 40}), "parameters", 0)


@pytest.mark.parametrize(
    ("space", "half", "said"),
    [
        ({"methods": [], "layers": SPLICE}, "parameters", "methods is \\[\\]: it has no param"),
        ({"methods": [], "layers": SPLICE}, "layers", "the run itself searches layers alone"),
        ({}, "layers", "space.layers is not given: it has no layers to search alone"),
        ({}, "parameters", "the run itself searches parameters alone. Set parameters to 0"),
    ],
)
def test_a_space_of_one_half_has_none_to_search_alone(
    space: dict[str, Any], half: Half, said: str
) -> None:
    """What the run searches itself, or not at all, is refused."""
    with pytest.raises(ParamsError, match=said):
        params_of_half(params_of(space), half)
