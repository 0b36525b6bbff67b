"""NSGA-II: several objectives at once, by fronts that nobody beats and by how crowded they are.

Parents and children compete together; mates are winners of tournaments of two.
Differs from the paper: uniform crossover and normal steps in place of simulated binary crossover
and polynomial mutation, because genomes hold names too; no candidate is repeated.

Source: Deb et al. 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II",
doi:10.1109/4235.996017.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from stages.errors import ParamsError
from stages.params.select_params import SelectParams
from stages.select.space.space import Genome, Space
from stages.select.strategies.generations import Drawn
from stages.select.strategies.populations.crossover import uniform
from stages.select.strategies.populations.mate_selection import ranked_members, tournament
from stages.select.strategies.populations.population_member import PopulationMember, names_of
from stages.select.strategies.populations.population_strategy import PopulationStrategy


class Nsga2Strategy(PopulationStrategy):
    """A population of parents, ranked by front and crowding."""

    def __init__(self, space: Space, params: SelectParams, starts: Mapping[str, Genome]) -> None:
        super().__init__(space, params, starts)
        self._ranking: list[PopulationMember] = []

    @classmethod
    def check(cls, params: SelectParams) -> None:
        """Return if each task is an objective of its own.

        Raises:
            ParamsError: it is not, or the population is too small.
        """
        super().check(params)
        if params.objectives != "separate":
            raise ParamsError(
                f"params.yaml: select.objectives is {params.objectives}; nsga2 searches a front "
                "of several objectives. Set it to separate, or choose genetic for one number."
            )

    def _take(self, members: Sequence[PopulationMember]) -> None:
        pool = [*self._ranking, *members]
        self._ranking = ranked_members(pool)[: self.params.population]

    def _parents(self) -> Sequence[PopulationMember]:
        return self._ranking

    def _child(self, random: np.random.Generator) -> Drawn:
        first, second = (tournament(random, self._ranking) for _ in range(2))
        genome = uniform(random, first.genome, second.genome)
        return self._mutated(random, genome), names_of(first, second)
