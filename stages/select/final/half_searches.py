"""Searches in one half of a space, as tuned baselines: what the other half adds.

parameters  the run's own search without ``select.space.layers``
layers      the run's own search with ``select.space.methods: []``

Strategy, seed, population, races and scan are the run's; of the warm starts those that the half
has. Each has a number of candidates as its budget, and no other stopping rule.
"""

from typing import Any, get_args

from stages.errors import ParamsError
from stages.params.select_params import ScanParams, SelectParams, StopParams
from stages.params.space.space_params import Half, SpaceParams

HALVES: tuple[Half, ...] = get_args(Half)


def halves_asked(params: SelectParams) -> tuple[Half, ...]:
    """Return the halves of the space that are to be searched alone."""
    return tuple(half for half in HALVES if _budget(params, half))


def params_of_half(params: SelectParams, half: Half) -> SelectParams:
    """Return the params of a search in ``half`` alone; ``with_budget`` says how long it is.

    Raises:
        ParamsError: the space of ``params`` is not of two halves.
    """
    space = params.space
    if half not in space.halves:
        lacking = "methods is []" if half == "parameters" else "layers is not given"
        raise ParamsError(
            f"select.tuned_baselines.{half} is {_budget(params, half)}, and select.space.{lacking}"
            f": it has no {half} to search alone. Set {half} to 0."
        )
    if len(space.halves) == 1:
        raise ParamsError(
            f"select.tuned_baselines.{half} is {_budget(params, half)}, and the run itself "
            f"searches {half} alone. Set {half} to 0."
        )
    own: dict[str, Any]
    if half == "parameters":
        own = {"space": space.model_copy(update={"layers": None})}
        own |= {"scan": ScanParams(), "cost": None}  # all its children are of one size
    else:
        # Without methods there is no merge, so a pool of both is the parents.
        layers = space.layers and space.layers.model_copy(update={"pool": "both"})
        paths = SpaceParams(methods=[], layers=layers, decimals=space.decimals)
        own = {"space": paths, "warm_start": [s for s in params.warm_start if s == "parents"]}
    return params.model_copy(update={**own, "stop": StopParams()})


def with_budget(params: SelectParams, half: Half, num_scanned: int) -> SelectParams:
    """Return the params of a search in ``half`` with as many generations as its budget has room.

    ``num_scanned`` candidates of a scan come first, and count. A generation that would exceed the
    budget is not begun.

    Raises:
        ParamsError: the budget is not enough for one generation.
    """
    budget, size = _budget(params, half), params.population
    if budget < num_scanned + size:
        scan = f"a scan of {num_scanned} and " if num_scanned else ""
        raise ParamsError(
            f"select.tuned_baselines.{half} is {budget}, and {scan}one generation of {size} "
            f"candidates {'are' if scan else 'is'} more. Give {num_scanned + size} or more."
        )
    return params.model_copy(update={"generations": (budget - num_scanned) // size})


def _budget(params: SelectParams, half: Half) -> int:
    tuned = params.tuned_baselines
    return tuned.parameters if half == "parameters" else tuned.layers
