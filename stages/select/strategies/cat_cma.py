"""CatCMA with margin: CMA-ES for numbers, and a distribution over the names of each choice.

It is the optimiser of the small library ``cmaes``, which a checkout has and a wheel does not need.
Numbers are searched in the unit cube, whole numbers in their own units.

Source: Hamano et al. 2025, "CatCMA with margin for single- and multi-objective mixed-variable
black-box optimization", arXiv 2504.07884.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from stages.errors import ParamsError
from stages.params.select_params import SelectParams
from stages.seeds import key
from stages.select.space.genes import Gene
from stages.select.space.space import Genome, Space
from stages.select.strategies.generations import (
    Drawn,
    GenerationStrategy,
    Lesson,
    Seats,
)

REQUIREMENT = "cmaes>=0.13,<0.14"  # as pyproject.toml has it
_LEAST_POPULATION = 4  # its step of the mean reads quartiles of a generation


class CatCmaStrategy(GenerationStrategy):
    """A search by ``cmaes.CatCMAwM``; the first draws spread ``select.sigma`` about the middle."""

    def __init__(self, space: Space, params: SelectParams, starts: Mapping[str, Genome]) -> None:
        super().__init__(space, params, starts)
        genes = list(enumerate(space.genes))
        self._names = [i for i, gene in genes if gene.is_category]
        self._wholes = [i for i, gene in genes if gene.is_binned and not gene.is_category]
        self._numbers = [i for i, gene in genes if not gene.is_binned]
        self._asked: dict[str, Any] = {}  # points by name
        with np.errstate(all="ignore"):
            self._optimizer = self._build()

    @classmethod
    def check(cls, params: SelectParams) -> None:
        """Return if the library is installed and there is one number to maximise.

        Raises:
            ParamsError: it is not, or the population is too small.
        """
        _library()
        if params.population < _LEAST_POPULATION:
            raise ParamsError(
                f"params.yaml: select.population is {params.population}; cat_cma needs at least "
                f"{_LEAST_POPULATION}. Raise it, or choose another select.optimizer."
            )
        if params.objectives != "weighted":
            raise ParamsError(
                f"params.yaml: select.objectives is {params.objectives}; cat_cma searches for one "
                "number. Set it to weighted, or choose nsga2, CMA or one of the kind of DE."
            )

    def _learns_whole_generations(self) -> bool:
        """Return True: the library is told as many points as its population at once."""
        return True

    def _propose(self, seats: Seats) -> list[Drawn]:
        genomes = []
        with np.errstate(all="ignore"):
            for index, name in enumerate(seats.names):
                point = self._optimizer.ask()
                genome = self._genome_of(point)
                if index < len(seats.starts):
                    genome = self.space.round(seats.starts[index])
                    point = self._point_of(genome)
                self._asked[name] = point
                genomes.append(genome)
        ancestors = tuple(sorted(elite.name for elite in self._elites))
        return [(genome, ancestors) for genome in genomes]

    def _learn(self, lesson: Lesson) -> None:
        # It reads ranks alone; told as ranks, ties are broken by index on every machine.
        ranks = {index: float(rank) for rank, index in enumerate(lesson.order)}
        points = [self._asked.pop(proposal.name) for proposal in lesson.proposals]
        with np.errstate(all="ignore"):
            self._optimizer.tell([(point, ranks[i]) for i, point in enumerate(points)])

    def _build(self) -> Any:
        genes, sigma = self.space.genes, self.params.sigma
        counts = [genes[i].num_bins for i in self._wholes]
        steps = [sigma] * len(self._numbers) + [sigma * count for count in counts]
        return _library().CatCMAwM(
            x_space=[[0.0, 1.0] for _ in self._numbers] or None,
            z_space=[list(range(count)) for count in counts] or None,
            c_space=[genes[i].num_bins for i in self._names] or None,
            population_size=self.params.population,
            cov=np.diag(np.square(steps)) if steps else None,
            seed=key("cat_cma", self.params.seed) % 2**32,
        )

    def _genome_of(self, point: Any) -> Genome:
        genes = self.space.genes
        genome = [gene.low for gene in genes]
        for i, unit in zip(self._numbers, _values(point.x), strict=True):
            genome[i] += float(unit) * (genes[i].high - genes[i].low)
        for i, number in zip(self._wholes, _values(point.z), strict=True):
            genome[i] += float(number) + 0.5
        for i, choice in zip(self._names, _values(point.c), strict=True):
            genome[i] += int(np.argmax(choice)) + 0.5
        return self.space.round(genome)

    def _point_of(self, genome: Genome) -> Any:
        """Return a point that the optimiser may have drawn and that is ``genome``."""
        units = self.space.to_unit(genome)
        x = np.array([units[i] for i in self._numbers])
        z = np.array([float(self._bin_of(genome, i)) for i in self._wholes])
        most = max((self.space.genes[i].num_bins for i in self._names), default=0)
        c = np.zeros((len(self._names), most), dtype=bool)
        for row, i in enumerate(self._names):
            c[row, self._bin_of(genome, i)] = True
        return _library().CatCMAwM.Solution(
            x if self._numbers else None,
            z if self._wholes else None,
            c if self._names else None,
            np.concatenate([x, z]) if self._numbers or self._wholes else None,
        )

    def _bin_of(self, genome: Genome, index: int) -> int:
        gene: Gene = self.space.genes[index]
        return min(int(genome[index] - gene.low), gene.num_bins - 1)


def _values(part: Any) -> Any:
    return [] if part is None else part


def _library() -> ModuleType:
    """Return the library ``cmaes``.

    Raises:
        ParamsError: it is not installed.
    """
    try:
        import cmaes
    except ImportError as error:
        raise ParamsError(
            "params.yaml: select.optimizer: cat_cma needs the library cmaes, which is not "
            f"installed. Install it with `pip install '{REQUIREMENT}'`, or choose another one, "
            "such as genetic."
        ) from error
    module: ModuleType = cmaes
    return module
