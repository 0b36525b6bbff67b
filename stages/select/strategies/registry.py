"""The strategies by name: those of one population, and islands of them."""

from collections.abc import Mapping, Sequence

from stages.errors import ParamsError, at
from stages.params.select_params import SelectParams
from stages.select.space.space import Genome, Space
from stages.select.strategies.ask_schedule import check_schedule
from stages.select.strategies.islands import IslandsStrategy
from stages.select.strategies.single_searches import SINGLE, check_name
from stages.select.strategies.strategy import Strategy
from stages.select.strategies.unused_settings import check_settings

STRATEGIES: dict[str, type[Strategy]] = {**SINGLE, "islands": IslandsStrategy}


def check_optimizer(name: str) -> None:
    """Return if there is a strategy of this name.

    Raises:
        ParamsError: there is none.
    """
    with at("params.yaml: select.optimizer"):
        check_name(name, list(STRATEGIES))


def check_strategy(params: SelectParams) -> None:
    """Return if there is a strategy ``params.optimizer`` and it can search as ``params`` say.

    Raises:
        ParamsError: there is no such strategy, or it cannot; the message says why.
    """
    name = params.optimizer
    check_optimizer(name)
    strategy = STRATEGIES[name]
    check_schedule(params)
    strategy.check(params)
    check_settings(params)
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
    if params.objectives == "separate" and len(tasks) < 2 and params.cost is None:
        raise ParamsError(
            f"params.yaml: select.objectives is separate and evaluate.tasks has {len(tasks)}: "
            "there is one objective. Set objectives to weighted, or give two tasks or a cost."
        )
    if params.optimizer in STRATEGIES:
        STRATEGIES[params.optimizer].check_tasks(space, params, tasks)


def strategy_of(space: Space, params: SelectParams, starts: Mapping[str, Genome]) -> Strategy:
    """Return the strategy that ``params`` name, before its first generation.

    Raises:
        ParamsError: it cannot search this space as ``params`` say.
    """
    check_strategy(params)
    return STRATEGIES[params.optimizer].build(space, params, starts)
