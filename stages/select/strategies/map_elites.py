"""MAP-Elites: the best candidate of every kind, kinds told apart by task scores or genes.

Differs from the paper: children come one by one with the steady schedule alone, else in
generations, and half of them have two parents.

Source: Mouret and Clune 2015, "Illuminating search spaces by mapping elites", arXiv 1504.04909.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from stages.errors import ParamsError
from stages.hashing import nearest
from stages.params.select_params import SelectParams
from stages.select.space.space import Genome, Space
from stages.select.strategies.generations import Drawn
from stages.select.strategies.populations.crossover import uniform
from stages.select.strategies.populations.grid_archive import GridArchive
from stages.select.strategies.populations.mate_selection import two_of
from stages.select.strategies.populations.population_member import PopulationMember, names_of
from stages.select.strategies.populations.population_strategy import (
    PopulationStrategy,
    refuse_races,
)


class MapElitesStrategy(PopulationStrategy):
    """A grid over the axes of ``select.archive``; parents are drawn from its cells uniformly."""

    def __init__(self, space: Space, params: SelectParams, starts: Mapping[str, Genome]) -> None:
        super().__init__(space, params, starts)
        self._genes = {gene.name: i for i, gene in enumerate(space.genes)}
        self._archive = GridArchive(list(params.archive.axes.values()), params.archive.cells)

    @classmethod
    def check(cls, params: SelectParams) -> None:
        """Return if there is an archive, and one number to maximise in each of its cells.

        Raises:
            ParamsError: there is not.
        """
        super().check(params)
        refuse_races(params, "compares candidates over all generations")
        if not params.archive.axes:
            raise ParamsError(
                "params.yaml: select.archive.axes is empty; map_elites keeps the best candidate "
                "of each cell, and an archive without axes has no cells. Name tasks or genes with "
                "their bounds, such as {english_sorting: [0, 1]}."
            )
        if params.objectives != "weighted":
            raise ParamsError(
                f"params.yaml: select.objectives is {params.objectives}; a cell of map_elites "
                "keeps the candidate with the highest fitness, one number. Set it to weighted, or "
                "choose nsga2."
            )

    @classmethod
    def check_tasks(cls, space: Space, params: SelectParams, tasks: Sequence[str]) -> None:
        """Return if each axis of the archive is a task or a gene that is searched.

        Raises:
            ParamsError: one is not.
        """
        genes = {gene.name: gene for gene in space.genes}
        ordered = [name for name, gene in genes.items() if not gene.is_category]
        legal = [*tasks, *ordered]
        for axis, (low, high) in params.archive.axes.items():
            where = f"params.yaml: select.archive.axes: {axis!r}"
            if axis not in legal:
                is_name = axis in genes
                problem = "chooses names, which have no order" if is_name else "is neither a task"
                problem += "" if is_name else " nor a gene that is searched"
                raise ParamsError(
                    f"{where} {problem}. Legal here: {', '.join(legal)}.{nearest(axis, legal)}"
                )
            gene = None if axis in tasks else genes[axis]
            if gene is not None and (high <= gene.low or low >= gene.high):
                raise ParamsError(
                    f"{where} is cut from {low:g} to {high:g}, and the gene runs from "
                    f"{gene.low:g} to {gene.high:g}: all candidates would share a cell. Give "
                    "bounds within these."
                )

    def _take(self, members: Sequence[PopulationMember]) -> None:
        for member in members:
            self._archive.add(member, member.objectives[0], self._behaviour(member))

    def _behaviour(self, member: PopulationMember) -> list[float]:
        """Return where the candidate lies on each axis."""
        scores = {score.task: score.score for score in member.evaluation.tasks}
        return [
            member.genome[self._genes[axis]] if axis in self._genes else scores[axis]
            for axis in self.params.archive.axes
        ]

    def _parents(self) -> Sequence[PopulationMember]:
        return self._archive.members

    def _child(self, random: np.random.Generator) -> Drawn:
        first, second = two_of(random, self._archive.members)
        if random.random() < 0.5:
            return self._mutated(random, first.genome), names_of(first)
        genome = uniform(random, first.genome, second.genome)
        return self._mutated(random, genome), names_of(first, second)
