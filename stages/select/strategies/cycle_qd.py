"""CycleQD: an archive for each task, in which the others say what a candidate is like.

In generation g the parents come from archive g modulo the number of tasks, so tasks take turns as
the quality. Parents with high scores on every axis are preferred.
Differs from the paper: models are mixed and changed as genomes, where the paper averages task
vectors and changes their singular values; scores are binned within ``select.archive.axes``, [0, 1]
where a task is not named there.

Source: Kuroki et al. 2024, "Agent skill acquisition for large language models via CycleQD", arXiv
2410.14735, and its code for the chances of parents.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from stages.errors import ParamsError
from stages.hashing import nearest
from stages.params.select_params import SelectParams
from stages.select.space.space import Genome, Space
from stages.select.strategies.generations import Drawn
from stages.select.strategies.populations.crossover import mixed
from stages.select.strategies.populations.grid_archive import GridArchive
from stages.select.strategies.populations.mate_selection import by_lot
from stages.select.strategies.populations.population_member import PopulationMember, names_of
from stages.select.strategies.populations.population_strategy import (
    PopulationStrategy,
    refuse_costs,
    refuse_races,
)

T = TypeVar("T")

_SPREAD = 0.1  # standard deviation of the two parents' weights about 1; their variance is 0.01
_LOWEST, _RANGE = 0.5, 0.8  # of the factor that one axis gives to a parent's chances


class CycleQdStrategy(PopulationStrategy):
    """An archive for each task, each filled with every candidate."""

    def __init__(self, space: Space, params: SelectParams, starts: Mapping[str, Genome]) -> None:
        super().__init__(space, params, starts)
        self._archives: list[GridArchive] = []

    @classmethod
    def check(cls, params: SelectParams) -> None:
        """Return if candidates of all generations can be compared.

        Raises:
            ParamsError: they cannot, or the population is too small.
        """
        super().check(params)
        refuse_races(params, "compares candidates over all generations")
        refuse_costs(params)

    @classmethod
    def check_tasks(
        cls,
        space: Space,  # noqa: ARG003
        params: SelectParams,
        tasks: Sequence[str],
    ) -> None:
        """Return if there are tasks to take turns, and each axis is one of them.

        Raises:
            ParamsError: there are not.
        """
        if len(tasks) < 2:
            raise ParamsError(
                f"params.yaml: evaluate.tasks has {len(tasks)} task; in cycle_qd tasks take "
                "turns, and an archive of one task has no cells. Give two tasks or more, or "
                "choose genetic."
            )
        for axis in params.archive.axes:
            if axis not in tasks:
                raise ParamsError(
                    f"params.yaml: select.archive.axes: {axis!r} is not a task. Legal here: "
                    f"{', '.join(tasks)}.{nearest(axis, list(tasks))}"
                )

    def _take(self, members: Sequence[PopulationMember]) -> None:
        for member in members:
            scores = member.evaluation.objectives()
            if not self._archives:
                self._archives = self._empty([t.task for t in member.evaluation.tasks])
            for turn, archive in enumerate(self._archives):
                archive.add(member, scores[turn], _without(scores, turn))

    def _empty(self, tasks: Sequence[str]) -> list[GridArchive]:
        axes = self.params.archive.axes
        bounds = [axes.get(task, (0.0, 1.0)) for task in tasks]
        return [
            GridArchive(_without(bounds, turn), self.params.archive.cells)
            for turn in range(len(tasks))
        ]

    def _parents(self) -> Sequence[PopulationMember]:
        if not self._archives:
            return []
        return self._archives[self.generation % len(self._archives)].members

    def _child(self, random: np.random.Generator) -> Drawn:
        members = self._parents()
        shares = _shares([member.evaluation.objectives() for member in members])
        first, second = (by_lot(random, members, shares) for _ in range(2))
        weights = np.maximum(random.normal(1.0, _SPREAD, size=2), 0.0)
        share = float(weights[1] / weights.sum())
        genome = mixed(self.space, first.genome, second.genome, [share] * len(first.genome))
        return self._mutated(random, genome), names_of(first, second)


def _without(values: Sequence[T], index: int) -> list[T]:
    return [value for i, value in enumerate(values) if i != index]


def _shares(scores: Sequence[tuple[float, ...]]) -> list[float]:
    """Return for each member the product over tasks of 0.5 to 1.3, by how high it scores."""
    lows = [min(column) for column in zip(*scores, strict=True)]
    highs = [max(column) for column in zip(*scores, strict=True)]
    return [
        math.prod(
            _LOWEST + (_RANGE * (value - low) / (high - low) if high > low else 0.0)
            for value, low, high in zip(row, lows, highs, strict=True)
        )
        for row in scores
    ]
