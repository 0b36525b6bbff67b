"""What the strategy would not read is said before the run."""

from typing import Any

import pytest

from stages.errors import ParamsError
from stages.params.select_params import SelectParams
from stages.select.strategies.registry import check_strategy, check_tasks
from tests.select.specs import space_of
from tests.select.steps import params_of


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"islands": {"optimizers": ["CMA", "random"]}}, "islands is given and optimizer is CMA"),
        ({"archive": {"cells": 3}}, "archive is given and CMA keeps none"),
        (
            {
                "optimizer": "islands",
                "archive": {"axes": {"t0": [0, 1]}},
                "islands": {"optimizers": ["CMA", "genetic"]},
            },
            "archive is given and CMA and genetic keeps none",
        ),
        ({"optimizer": "random", "sigma": 0.1}, "sigma is given and random draws uniformly"),
        ({"optimizer": "LHSSearch", "sigma": 0.1}, "sigma is given and LHSSearch draws"),
        (
            {
                "optimizer": "islands",
                "sigma": 0.1,
                "islands": {"optimizers": ["random", "Sobol"]},
            },
            "sigma is given and random and Sobol draw uniformly",
        ),
        ({"racing": {"keep": 0.3}}, "racing has keep and no rungs"),
        ({"scan": {"starts": 2}}, "scan has starts and no budget"),
    ],
)
def test_a_setting_that_nobody_reads_is_refused(keys: dict[str, Any], said: str) -> None:
    """The message says what to leave out, or what would read it."""
    with pytest.raises(ParamsError, match=said):
        check_strategy(SelectParams.model_validate(keys))


@pytest.mark.parametrize(
    "keys",
    [
        {"racing": {"rungs": [], "keep": 0.3}},
        {"scan": {"budget": 0, "starts": 2}},
        {"optimizer": "map_elites", "archive": {"axes": {"t0": [0, 1]}, "cells": 3}},
        {"optimizer": "cycle_qd", "archive": {"cells": 3}},
        {"sigma": 0.1},
    ],
)
def test_what_is_read_or_switched_off_passes(keys: dict[str, Any]) -> None:
    """A switch at 0 may keep its other settings: somebody turned it off."""
    check_strategy(SelectParams.model_validate(keys))


def test_separate_objectives_need_two() -> None:
    """One task is one objective; a cost is the second."""
    params = params_of("nsga2")
    with pytest.raises(ParamsError, match=r"evaluate\.tasks has 1: there is one objective"):
        check_tasks(space_of("linear"), params, ["t0"])
    check_tasks(space_of("linear"), params, ["t0", "t1"])
    check_tasks(space_of("linear"), params.model_copy(update={"cost": "layers"}), ["t0"])


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ({"method": (0.0, 2.0)}, "'method' chooses names, which have no order"),
        ({"weight.p0": (5.0, 6.0)}, "all candidates would share a cell"),
        ({"wait.p0": (0.0, 1.0)}, "is neither a task nor a gene that is searched"),
    ],
)
def test_axes_of_an_archive_tell_candidates_apart(
    axes: dict[str, tuple[float, float]], said: str
) -> None:
    """An axis is a task or a number that is searched, within its bounds."""
    params = params_of("map_elites", archive={"axes": axes})
    with pytest.raises(ParamsError, match=said):
        check_tasks(space_of("linear", "ties"), params, ["t0"])
