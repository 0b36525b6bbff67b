"""A plain genetic algorithm with small steps: the better half of three generations has children.

Nobody is kept for ever: a lucky evaluation is forgotten after three generations. On layer paths
one-point crossover is a splice of two models.

Source: Goldberg 1989, "Genetic Algorithms in Search, Optimization and Machine Learning";
truncation selection after Mühlenbein and Schlierkamp-Voosen 1993, doi:10.1162/evco.1993.1.1.25.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from stages.params.select_params import SelectParams
from stages.select.space.space import Genome, Space
from stages.select.strategies.generations import Drawn
from stages.select.strategies.populations.crossover import one_point, uniform
from stages.select.strategies.populations.mate_selection import ranked_members, two_of
from stages.select.strategies.populations.population_member import PopulationMember, names_of
from stages.select.strategies.populations.population_strategy import PopulationStrategy

_REMEMBERED = 3  # generations; of a steady search as many results


class GeneticStrategy(PopulationStrategy):
    """Half a population of parents, the best of the last three generations; two mates a child."""

    def __init__(self, space: Space, params: SelectParams, starts: Mapping[str, Genome]) -> None:
        super().__init__(space, params, starts)
        self._remembered: list[tuple[int, PopulationMember]] = []  # and how many were told then
        self._best: list[PopulationMember] = []

    def _take(self, members: Sequence[PopulationMember]) -> None:
        oldest = self.num_told - _REMEMBERED * self.params.population
        self._remembered += [(self.num_told, member) for member in members]
        self._remembered = [(when, member) for when, member in self._remembered if when > oldest]
        pool = [member for _, member in self._remembered]
        self._best = ranked_members(pool)[: self.params.population // 2]

    def _parents(self) -> Sequence[PopulationMember]:
        return self._best

    def _child(self, random: np.random.Generator) -> Drawn:
        first, second = two_of(random, self._best)
        cross = uniform if random.random() < 0.5 else one_point
        genome = cross(random, first.genome, second.genome)
        return self._mutated(random, genome), names_of(first, second)
