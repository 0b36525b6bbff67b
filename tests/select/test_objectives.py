"""A search for several objectives at once, by the optimisers that can."""

import pytest

from stages.errors import ParamsError
from stages.params.select_params import SelectParams
from stages.select.space.space import Genome
from tests.select.specs import space_of
from tests.select.steps import centre_of, search_of, tell


@pytest.mark.parametrize("optimizer", ["CMA", "DE", "TwoPointsDE"])
def test_search_follows_several_objectives(optimizer: str) -> None:
    """Told two objectives that pull apart, a search finds good points of both, and replays."""

    def run() -> list[Genome]:
        space = space_of("task_arithmetic", parents=3)
        params = SelectParams(
            optimizer=optimizer, population=8, generations=6, seed=2, objectives="separate"
        )
        search = search_of(space, params)
        genomes = []
        for _ in range(6):
            proposals = search.ask()
            asked = [proposal.genome for proposal in proposals]
            units = [space.to_unit(genome) for genome in asked]
            points = [(-abs(u[0] - 0.2), -abs(u[1] - 0.8)) for u in units]
            tell(search, proposals, [None if i == 5 else point for i, point in enumerate(points)])
            genomes += asked
        assert (centre_of(search) is None) == (optimizer != "CMA")
        return genomes

    genomes = run()
    assert genomes == run()
    units = [space_of("task_arithmetic", parents=3).to_unit(genome) for genome in genomes]
    last = units[-8:]
    assert min(abs(u[0] - 0.2) + abs(u[1] - 0.8) for u in last) < 0.3


def test_separate_objectives_need_an_optimizer_that_ranks() -> None:
    """A swarm follows one number; the message names those that do not."""
    params = SelectParams(optimizer="RealSpacePSO", objectives="separate")
    with pytest.raises(ParamsError, match="follows one number"):
        search_of(space_of("task_arithmetic", parents=3), params)
