"""A genome that is proposed again is the same evaluation, and no second measurement."""

from typing import cast

import pytest

from stages.params.select_params import SelectParams
from stages.select.space.space import Genome
from stages.select.strategies.nevergrad_catalogue import LEGAL
from stages.select.strategies.nevergrad_strategy import NevergradStrategy
from tests.select.specs import space_of
from tests.select.steps import centre_of, search_of, step

AVERAGES = ("CMA", "DiagonalCMA", "TBPSA", "NaiveTBPSA", "NoisyDE")  # have a centre of their own


@pytest.mark.parametrize("optimizer", [name for name in LEGAL if name not in AVERAGES])
def test_the_best_point_stays_the_best_when_others_are_told_again(optimizer: str) -> None:
    """In a space of 36 genomes, most told often, nevergrad's best is the fittest told."""
    space = space_of("linear", weight=(0.0, 0.5), decimals=1)
    params = SelectParams(optimizer=optimizer, population=8, generations=12)
    search = cast("NevergradStrategy", search_of(space, params))
    known: dict[Genome, float] = {}

    def fitness(genome: Genome) -> float:
        known[genome] = -round(sum(abs(unit - 0.8) for unit in space.to_unit(genome)), 6)
        return known[genome]

    for _ in range(12):
        step(search, fitness)
        centre = centre_of(search)
        assert centre is not None
        assert max(known.values()) == known[centre]
        parent = search._optimizer.current_bests["pessimistic"]  # of OnePlusOne and DE
        assert max(known.values()) == -parent.mean
    assert len(known) < 12 * 8
