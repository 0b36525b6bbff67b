"""What our own populations share: first draws, no repeats, and streams of random numbers.

A strategy of this kind says in ``_take`` which members it keeps, and in ``_child`` how one
child comes of them. All else is here.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from stages.errors import ParamsError
from stages.params.select_params import SelectParams
from stages.seeds import generator
from stages.select.space.space import Genome, Space
from stages.select.strategies.coordinates import Coordinates
from stages.select.strategies.generations import (
    Drawn,
    GenerationStrategy,
    Lesson,
    Seats,
)
from stages.select.strategies.populations.mutation import mutated
from stages.select.strategies.populations.population_member import PopulationMember

_TRIES = 50  # of a child that nobody was before; then a point anywhere is tried
_LEAST_POPULATION = 4
_CHANGES = 2  # genes of a child that mutate on average; 1 and 4 did worse on the toy of the tests


class PopulationStrategy(GenerationStrategy):
    """Warm starts first, then uniform draws; in later generations children of the kept members.

    A steady search takes in its members one by one, and each child may have the latest as parents.

    No candidate repeats an earlier one, as long as the space has others. The random numbers of a
    child depend on the seed, the generation and its number in it alone.
    """

    def __init__(self, space: Space, params: SelectParams, starts: Mapping[str, Genome]) -> None:
        super().__init__(space, params, starts)
        self._seen: set[str] = set()

    @classmethod
    def check(cls, params: SelectParams) -> None:
        """Return if there are mates enough in a generation.

        Raises:
            ParamsError: there are not.
        """
        if params.population < _LEAST_POPULATION:
            raise ParamsError(
                f"params.yaml: select.population is {params.population}; {params.optimizer} needs "
                f"at least {_LEAST_POPULATION}, so that mates can be chosen. Raise it, or choose "
                "another select.optimizer."
            )

    @abstractmethod
    def _take(self, members: Sequence[PopulationMember]) -> None:
        """Take in scored candidates, in ask order."""

    @abstractmethod
    def _parents(self) -> Sequence[PopulationMember]:
        """Return those that may have children now."""

    @abstractmethod
    def _child(self, random: np.random.Generator) -> Drawn:
        """Return a genome and the names of those that it comes of; there are parents."""

    def _propose(self, seats: Seats) -> list[Drawn]:
        drawn: list[Drawn] = [(self.space.round(start), ()) for start in seats.starts]
        self._seen |= {self._identity(genome) for genome, _ in drawn}
        num_starts = len(seats.starts)
        is_first = not self._parents()
        spread = self._spread(len(seats.names) - num_starts) if is_first else []
        for index in range(num_starts, len(seats.names)):
            parts = (self.params.optimizer, self.params.seed, seats.generation)
            random = generator("population", *parts, seats.first + index)
            new = (spread[index - num_starts], ()) if is_first else self._new(random)
            if is_first and self._identity(new[0]) in self._seen:
                new = self._anywhere(random)
            self._seen.add(self._identity(new[0]))
            drawn.append(new)
        return drawn

    def _learn(self, lesson: Lesson) -> None:
        pairs = zip(lesson.proposals, lesson.results, strict=True)
        self._take([PopulationMember(p, r) for p, r in pairs if r.objectives is not None])

    def _mutated(self, random: np.random.Generator, genome: Genome) -> Genome:
        """Return ``genome`` with some genes changed, by steps of ``select.sigma``."""
        rate = min(1.0, _CHANGES / len(self.space.genes))
        return mutated(random, self.space, genome, self.params.sigma, rate)

    def _new(self, random: np.random.Generator) -> Drawn:
        """Return a child that nobody was before, else a point anywhere, which may be known."""
        for _ in range(_TRIES):
            child = self._child(random)
            if self._identity(child[0]) not in self._seen:
                return child
        return self._anywhere(random)

    def _anywhere(self, random: np.random.Generator) -> Drawn:
        """Return a uniform draw, one that nobody was before where the tries bring one."""
        for _ in range(_TRIES):
            genome = self.space.from_unit(random.random(len(self.space.genes)).tolist())
            if self._identity(genome) not in self._seen:
                break
        return genome, ()

    def _spread(self, count: int) -> list[Genome]:
        """Return uniform draws in which each name and whole number is equally frequent."""
        parts = (self.params.optimizer, self.params.seed, self.generation)
        points = generator("first population", *parts).random((count, len(self.space.genes)))
        binned = Coordinates(self.space).spread(count, *parts)
        genomes = []
        for point, numbers in zip(points.tolist(), binned, strict=True):
            drawn = self.space.from_unit(point)
            genomes.append(tuple(numbers.get(i, number) for i, number in enumerate(drawn)))
        return genomes

    def _identity(self, genome: Genome) -> str:
        """Return what tells candidates apart: the merge and the path that the genome decodes to.

        Genes without effect are left out: many genomes are one path.
        """
        return repr((self.space.decode(genome), self.space.path(genome)))


def refuse_costs(params: SelectParams) -> None:
    """Return if ``params`` ask for no cost, which a strategy of tasks and items does not read.

    Raises:
        ParamsError: they do.
    """
    if params.cost is not None:
        raise ParamsError(
            f"params.yaml: select.cost is {params.cost}; {params.optimizer} goes by the scores of "
            "tasks and items alone. Set cost to null, or choose nsga2."
        )


def refuse_races(params: SelectParams, reason: str) -> None:
    """Return if ``params`` ask for no races, in which each generation answers items of its own.

    Raises:
        ParamsError: they do.
    """
    if params.racing.rungs:
        raise ParamsError(
            f"params.yaml: select.optimizer: {params.optimizer} {reason}, and with racing.rungs "
            "each generation answers items of its own. Set rungs to [], or choose another one."
        )
