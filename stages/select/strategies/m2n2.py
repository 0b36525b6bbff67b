"""M2N2: candidates compete for items, and mates are those that solve what the other does not.

What an item gives is divided among all who solve it, so who solves what few others do stays.
Differs from the paper: children come one by one with the steady schedule alone, else in
generations; genomes are mixed (linearly), not weights; and each child has two genes mutated on
average, as mixing alone only narrows a population. Where nobody complements a parent, its mate is
drawn uniformly.

Source: Abrantes et al. 2025, "Competition and attraction improve model fusion", arXiv 2508.16204.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from stages.params.select_params import SelectParams
from stages.select.space.space import Genome, Space
from stages.select.strategies.generations import Drawn
from stages.select.strategies.populations.crossover import split_point
from stages.select.strategies.populations.mate_selection import by_lot
from stages.select.strategies.populations.population_member import PopulationMember, names_of
from stages.select.strategies.populations.population_strategy import (
    PopulationStrategy,
    refuse_costs,
    refuse_races,
)

Scores = NDArray[np.float64]


class M2n2Strategy(PopulationStrategy):
    """An archive as large as a generation, from which the least fit are dropped one by one."""

    def __init__(self, space: Space, params: SelectParams, starts: Mapping[str, Genome]) -> None:
        super().__init__(space, params, starts)
        self._archive: list[PopulationMember] = []
        self._claims: Scores = np.empty((0, 0))

    @classmethod
    def check(cls, params: SelectParams) -> None:
        """Return if all candidates answer the same items.

        Raises:
            ParamsError: they do not, or the population is too small.
        """
        super().check(params)
        refuse_races(params, "has candidates compete for items")
        refuse_costs(params)

    def _take(self, members: Sequence[PopulationMember]) -> None:
        pool = [*self._archive, *members]
        if not pool:
            return
        scores = item_scores(pool)
        while len(pool) > self.params.population:
            fitness = claims(scores).sum(axis=1)
            # Of equals the latest goes: a copy of what is there brings nothing.
            worst = len(pool) - 1 - int(np.argmin(fitness[::-1]))
            del pool[worst]
            scores = np.delete(scores, worst, axis=0)
        self._archive, self._claims = pool, claims(scores)

    def _parents(self) -> Sequence[PopulationMember]:
        return self._archive

    def _child(self, random: np.random.Generator) -> Drawn:
        first = by_lot(random, self._archive, self._claims.sum(axis=1).tolist())
        own = self._claims[self._archive.index(first)]
        attraction = np.maximum(self._claims - own, 0.0).sum(axis=1)
        second = by_lot(random, self._archive, attraction.tolist())
        genome = split_point(random, self.space, first.genome, second.genome)
        return self._mutated(random, genome), names_of(first, second)


def item_scores(members: Sequence[PopulationMember]) -> Scores:
    """Return a row for each member and a column for each item that all of them answered.

    Scores are at least 0 and more is better. A task whose metric has no score for a single item
    counts as one item.
    """
    rows = []
    for member in members:
        signs = {task.task: task.sign for task in member.evaluation.tasks}
        row = {
            (item.task, item.item): signs[item.task] * item.score
            for item in member.evaluation.items
            if item.score is not None
        }
        wholes = {item.task for item in member.evaluation.items if item.score is None}
        row |= {
            (t.task, ""): t.sign * t.score for t in member.evaluation.tasks if t.task in wholes
        }
        rows.append(row)
    shared = [item for item in rows[0] if all(item in row for row in rows)]
    scores = np.array([[row[item] for item in shared] for row in rows], dtype=float)
    lowest: Scores = np.minimum(scores.min(axis=0), 0.0)
    return scores - lowest


def claims(scores: Scores) -> Scores:
    """Return each member's part of each item: its score divided by the sum of all scores."""
    totals = scores.sum(axis=0)
    shares: Scores = scores / np.where(totals > 0.0, totals, 1.0)
    return shares
