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
        self._names = [i for i, gene in enumerate(space.genes) if gene.is_category]
        is_name = np.array([gene.is_category for gene in space.genes])
        # Of each item the score that says unsolved, and the one that says solved.
        self._scores = [
            [
                (ItemScore(f"t{task}", f"i{i}", 0.0), ItemScore(f"t{task}", f"i{i}", 1.0))
                for i in range(num_items)
            ]
            for task in range(num_tasks)
        ]
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
        unit = np.array(self._space.to_unit(genome))
        tasks: list[TaskScore] = []
        items: list[ItemScore] = []
        for (point, watched, radii), scores in zip(self._tasks, self._scores, strict=True):
            apart = self._distances(genome, unit, point)
            solved = np.sqrt((apart[watched] ** 2).mean(axis=1)) < radii
            name, mean = f"t{len(tasks)}", float(solved.mean())
            tasks.append(TaskScore(name, "acc", mean, 0.0, len(solved), True))
            items += [
                pair[is_solved] for pair, is_solved in zip(scores, solved.tolist(), strict=True)
            ]
        return Evaluation("search", tuple(tasks), tuple(items))

    def _distances(self, genome: Genome, unit: Point, point: Point) -> Point:
        apart = unit - point
        for i in self._names:
            gene = self._space.genes[i]
            best = gene.low + point[i] * (gene.high - gene.low)
            same = gene.value_of(best) == gene.value_of(genome[i])
            apart[i] = 0.0 if same else _OTHER_NAME
        return apart
