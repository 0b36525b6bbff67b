"""The strategy CMA against pycma used alone: no wrapper changes what pycma proposes."""

from typing import cast

import cma
import numpy as np
from numpy.typing import NDArray

from stages.params.select_params import SelectParams
from stages.seeds import random_state
from stages.select.strategies.nevergrad_strategy import NevergradStrategy
from tests.select.specs import space_of
from tests.select.steps import search_of, tell

POPULATION, GENERATIONS, SEED = 12, 12, 5


def test_cma_proposes_what_pycma_proposes() -> None:
    """All points of twelve generations are pycma's, reflected at the bounds."""
    params = SelectParams(
        optimizer="CMA", population=POPULATION, generations=GENERATIONS, seed=SEED
    )
    space = space_of("linear", parents=4)
    strategy = cast("NevergradStrategy", search_of(space, params))
    lows, highs = (np.array([getattr(g, end) for g in space.genes]) for end in ("low", "high"))
    options = {
        "popsize": POPULATION,
        "randn": random_state("search", SEED).randn,
        "seed": np.nan,
        "verbose": -9,
    }
    alone = cma.CMAEvolutionStrategy(np.zeros(len(lows)), 1.0, options)

    for _ in range(GENERATIONS):
        drawn = [0.5 + params.sigma * point for point in alone.ask()]
        expected = [space.round(lows + _reflected(p) * (highs - lows)) for p in drawn]
        proposals = strategy.ask()
        assert expected == [proposal.genome for proposal in proposals]
        losses = [float(np.sum((np.array(genome) - 0.3) ** 2)) for genome in expected]
        tell(strategy, proposals, [-loss for loss in losses])
        taken = [(np.array(space.to_unit(g)) - 0.5) / params.sigma for g in expected]
        ranks = np.argsort(np.argsort(losses, kind="stable"), kind="stable")
        alone.tell(taken, [float(rank) for rank in ranks])


def _reflected(point: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a point beyond the unit cube as its mirror image within."""
    folded = point % 2.0
    return np.where(folded > 1.0, 2.0 - folded, folded)
