"""When a search asks: a generation at a time, or steadily, one candidate for each result.

With ``steady`` a window is out at once. Proposal n is asked when the results up to n - window have
been told, in ask order; those which arrive early wait. So what a strategy knows when it asks is a
function of n and the window alone, not of how many workers there are or how fast they are.
"""

from stages.errors import Faults, ParamsError
from stages.params.select_params import SelectParams


def is_steady(params: SelectParams) -> bool:
    """Return whether candidates are asked one by one."""
    return params.schedule == "steady"


def num_islands(params: SelectParams) -> int:
    """Return how many searches share a generation."""
    return len(params.islands.optimizers) if params.optimizer == "islands" else 1


def window_of(params: SelectParams) -> int:
    """Return how many candidates are out at most; by default half a population, as whole islands.

    At the ask of a candidate half a population of results is then missing. With generations it is
    as many on average.
    """
    if not is_steady(params):
        return params.population
    count = num_islands(params)
    return params.window or count * max(1, params.population // max(count, 1) // 2)


def num_to_ask(params: SelectParams, num_told: int) -> int:
    """Return how many candidates may have been asked in all, once so many results were told."""
    total = params.population * params.generations
    if is_steady(params):
        return min(num_told + window_of(params), total)
    return min((num_told // params.population + 1) * params.population, total)


def check_schedule(params: SelectParams) -> None:
    """Return if the schedule goes with the rest of ``params``.

    Raises:
        ParamsError: it does not; all that is wrong is said.
    """
    faults = Faults()
    with faults.at("params.yaml: select"):
        if not is_steady(params):
            if params.window is not None:
                faults.add(
                    f"window is {params.window} and schedule is {params.schedule}, which asks "
                    "whole generations. Set schedule to steady, or leave window out."
                )
        else:
            if params.racing.rungs:
                faults.add(
                    "schedule is steady, and racing.rungs has the candidates of a generation race "
                    "against each other. Set rungs to [], or schedule to generations."
                )
            if window_of(params) > params.population:
                faults.add(
                    f"window is {params.window} and population is {params.population}: children "
                    "would be asked before any result. Give 1 to the population, or leave it out."
                )
    faults.raise_as(ParamsError)
