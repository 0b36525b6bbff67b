"""A toy landscape of tasks and items, on which strategies are compared without any model.

Each item watches some genes and is solved by genomes near its point. Items of a task lie about one
point, and the tasks' points are apart: what is best for one is good, not best, for the others.
Splits have items of their own about the same points, as a task's have.
"""

import numpy as np
from numpy.typing import NDArray

from stages.lineage.evaluation import Evaluation, ItemScore, TaskScore
from stages.seeds import generator
from stages.select.space.space import Genome, Space

Point = NDArray[np.float64]

_WATCHED = 3  # genes of an item
_OTHER_NAME = 0.5  # what another name counts as distance
_APART = 0.08  # standard deviation of a task's point about the common one
_RADII = (0.05, 0.5)  # how near a genome must be, uniform over items


class Landscape:
    """Tasks of items over the genes of ``space``; every seed has points of its own."""

    def __init__(
        self,
        space: Space,
        seed: int,
        num_tasks: int = 3,
        num_items: int = 40,
        split: str = "search",
    ) -> None:
        self._space = space
        num_genes = len(space.genes)
        random = generator("landscape", seed)
        common = random.random(num_genes)
        is_name = np.array([gene.is_category for gene in space.genes])
        self._tasks = []
        for task in range(num_tasks):
            apart = np.where(is_name, 0.0, random.normal(0.0, _APART, num_genes))
            items = generator("landscape items", seed, task, split)
            order = items.random((num_items, num_genes)).argsort(axis=1)
            watched = order[:, : min(_WATCHED, num_genes)]
            radii = items.uniform(*_RADII, num_items)
            self._tasks.append((np.clip(common + apart, 0.0, 1.0), watched, radii))

    def evaluation(self, genome: Genome) -> Evaluation:
        """Return which items ``genome`` solves."""
        tasks, items = [], []
        for number, (point, watched, radii) in enumerate(self._tasks):
            apart = self._distances(genome, point)
            solved = np.sqrt((apart[watched] ** 2).mean(axis=1)) < radii
            name, mean = f"t{number}", float(solved.mean())
            tasks.append(TaskScore(name, "acc", mean, 0.0, len(solved), True))
            items += [
                ItemScore(name, f"i{i}", score) for i, score in enumerate(map(float, solved))
            ]
        return Evaluation("search", tuple(tasks), tuple(items))

    def _distances(self, genome: Genome, point: Point) -> Point:
        apart: Point = np.array(self._space.to_unit(genome)) - point
        for i, gene in enumerate(self._space.genes):
            if gene.is_category:
                best = gene.low + point[i] * (gene.high - gene.low)
                same = gene.value_of(best) == gene.value_of(genome[i])
                apart[i] = 0.0 if same else _OTHER_NAME
        return apart
