"""What a child costs, told from its path."""

from typing import Any

import pytest

from stages.errors import ParamsError
from stages.params.select_params import SelectParams
from stages.recipe.model_size import ModelSize
from stages.select.space.child_cost import check_cost, cost_of, relative_cost
from stages.select.strategies.registry import check_strategy
from tests.select.space.layers.paths import genome_of, paths

SIZE = ModelSize((10,) * 6, rest=40)


def params_of(encoding: str, **keys: Any) -> SelectParams:
    """Return params with a cost over this encoding."""
    space = {"methods": [], "layers": {"encoding": encoding, **keys}}
    data = {"space": space, "objectives": "separate", "cost": "parameters", "optimizer": "nsga2"}
    return SelectParams.model_validate(data)


def test_a_layer_that_runs_again_costs_again() -> None:
    """Two more of six layers: eight layers, and 120 parameters where a parent has 100."""
    space = paths("splice", overlap=2, size=SIZE)
    longer = genome_of(space, {"cut1": 3, "cut1.overlap": 2})
    plain = genome_of(space, {"cut1": 3, "cut1.overlap": 0})
    costs = [cost_of(space, unit, longer) for unit in ("parameters", "layers")]
    assert costs == [120, 8]
    assert relative_cost(space, "parameters", 120) == 1.2
    assert relative_cost(space, "layers", cost_of(space, "layers", plain)) == 1.0


@pytest.mark.parametrize(
    ("encoding", "keys"),
    [
        ("pick", {}),
        ("splice", {}),
        ("splice", {"overlap": 2, "max_layers": 6}),
        ("splice", {"overlap": 2, "max_parameters": 109}),
        ("blocks", {"times": [1, 1], "mlp_gain": [0.5, 2.0]}),
    ],
)
def test_a_cost_that_is_the_same_for_all_is_refused(encoding: str, keys: dict[str, Any]) -> None:
    """No child is smaller than another, so the objective would steer nothing."""
    with pytest.raises(ParamsError, match=r"all children of select\.space\.layers have 6 layers"):
        check_cost(params_of(encoding, **keys), paths(encoding, size=SIZE, **keys))


@pytest.mark.parametrize(
    ("encoding", "keys"),
    [("splice", {"overlap": 1}), ("blocks", {}), ("indicator", {}), ("interleaved", {})],
)
def test_a_cost_that_differs_is_an_objective(encoding: str, keys: dict[str, Any]) -> None:
    """Depths differ, so a child may be smaller than another."""
    check_cost(params_of(encoding, **keys), paths(encoding, size=SIZE, **keys))


@pytest.mark.parametrize("optimizer", ["cycle_qd", "m2n2"])
def test_strategies_that_read_no_cost_refuse_it(optimizer: str) -> None:
    """They go by tasks and items; nothing would say that the cost was left out."""
    params = params_of("indicator").model_copy(update={"optimizer": optimizer})
    with pytest.raises(ParamsError, match=f"cost is parameters; {optimizer} goes by the scores"):
        check_strategy(params)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"objectives": "weighted"}, "a cost is an objective of its own"),
        ({"space": {}}, "space.layers is not given; all children cost what a parent does"),
    ],
)
def test_a_cost_needs_paths_and_separate_objectives(keys: dict[str, Any], said: str) -> None:
    """Else it would be read by nobody."""
    data = params_of("indicator").model_dump(exclude_unset=True) | keys
    with pytest.raises(ValueError, match=said):
        SelectParams.model_validate(data)
