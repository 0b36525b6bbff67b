"""The strategies by name: one file each, and this table of them."""

from collections.abc import Mapping, Sequence

from stages.errors import ParamsError
from stages.hashing import nearest
from stages.params.select_params import SelectParams
from stages.select.space.space import Genome, Space
from stages.select.strategies.cat_cma import CatCmaStrategy
from stages.select.strategies.cycle_qd import CycleQdStrategy
from stages.select.strategies.genetic import GeneticStrategy
from stages.select.strategies.m2n2 import M2n2Strategy
from stages.select.strategies.map_elites import MapElitesStrategy
from stages.select.strategies.nevergrad_catalogue import LEGAL, why_not
from stages.select.strategies.nevergrad_strategy import NevergradStrategy
from stages.select.strategies.nsga2 import Nsga2Strategy
from stages.select.strategies.random_search import RandomStrategy
from stages.select.strategies.strategy import Strategy

OWN: dict[str, type[Strategy]] = {
    "genetic": GeneticStrategy,
    "nsga2": Nsga2Strategy,
    "map_elites": MapElitesStrategy,
    "cycle_qd": CycleQdStrategy,
    "m2n2": M2n2Strategy,
    "cat_cma": CatCmaStrategy,
}
STRATEGIES: dict[str, type[Strategy]] = {
    **OWN,
    **dict.fromkeys(LEGAL, NevergradStrategy),
    "random": RandomStrategy,
    "RandomSearch": RandomStrategy,  # nevergrad's own draws a Gaussian about the middle
}


def check_strategy(params: SelectParams) -> None:
    """Return if there is a strategy ``params.optimizer`` and it can search as ``params`` say.

    Raises:
        ParamsError: there is no such strategy, or it cannot; the message says why.
    """
    name = params.optimizer
    if name not in STRATEGIES:
        legal = list(STRATEGIES)
        raise ParamsError(
            f"params.yaml: select.optimizer: {why_not(name)}. Legal here: {', '.join(legal)}."
            f"{nearest(name, legal)}"
        )
    strategy = STRATEGIES[name]
    strategy.check(params)
    if params.shortlist == 0 and not strategy.averages_centre(params):
        raise ParamsError(
            "params.yaml: select.shortlist is 0, which makes the search's mean the champion; that "
            "is for racing.rungs with CMA or DiagonalCMA, whose mean is an average. Give 1 or "
            "more."
        )


def check_tasks(space: Space, params: SelectParams, tasks: Sequence[str]) -> None:
    """Return if the strategy that ``params`` name can go by the scores of these tasks.

    Raises:
        ParamsError: it cannot; the message says why.
    """
    if params.optimizer in STRATEGIES:
        STRATEGIES[params.optimizer].check_tasks(space, params, tasks)


def strategy_of(space: Space, params: SelectParams, starts: Mapping[str, Genome]) -> Strategy:
    """Return the strategy that ``params`` name, before its first generation.

    Raises:
        ParamsError: it cannot search this space as ``params`` say.
    """
    check_strategy(params)
    return STRATEGIES[params.optimizer].build(space, params, starts)
