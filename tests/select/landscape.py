"""A toy landscape of tasks and items, on which strategies are compared without any model.

Each item watches some genes and is solved by genomes near its point. Items of a task lie about one
point, and the tasks' points are apart: what is best for one is good, not best, for the others.
"""

import numpy as np
from numpy.typing import NDArray

from stages.lineage.evaluation import Evaluation, ItemScore, TaskScore
from stages.seeds import generator
from stages.select.space.space import Genome, Space

Point = NDArray[np.float64]

_WATCHED = 3  # genes of an item
_OTHER_NAME = 0.5  # what another name counts as distance


class Landscape:
    """Tasks of items over the genes of ``space``; every seed has points of its own."""

    def __init__(self, space: Space, seed: int, num_tasks: int = 3, num_items: int = 40) -> None:
        random = generator("landscape", seed)
        num_genes = len(space.genes)
        self._space = space
        self._categories = [gene.is_category for gene in space.genes]
        common = random.random(num_genes)
        self._tasks = []
        for _ in range(num_tasks):
            optimum = np.clip(common + random.normal(0.0, 0.08, num_genes), 0.0, 1.0)
            optimum = np.where(self._categories, common, optimum)
            watched = [
                random.choice(num_genes, min(_WATCHED, num_genes), replace=False)
                for _ in range(num_items)
            ]
            self._tasks.append((optimum, watched, random.uniform(0.05, 0.5, num_items)))

    def evaluation(self, genome: Genome) -> Evaluation:
        """Return which items ``genome`` solves."""
        tasks, items = [], []
        for number, (optimum, watched, radii) in enumerate(self._tasks):
            apart = self._distances(genome, optimum)
            solved = [
                float(np.sqrt((apart[genes] ** 2).mean()) < radius)
                for genes, radius in zip(watched, radii, strict=True)
            ]
            mean = sum(solved) / len(solved)
            tasks.append(TaskScore(f"t{number}", "acc", mean, 0.0, len(solved), True))
            items += [ItemScore(f"t{number}", f"i{i}", score) for i, score in enumerate(solved)]
        return Evaluation("search", tuple(tasks), tuple(items))

    def _distances(self, genome: Genome, optimum: Point) -> Point:
        numbers = np.array(self._space.to_unit(genome))
        apart: Point = numbers - optimum
        for i, gene in enumerate(self._space.genes):
            if gene.is_category:
                best = gene.low + optimum[i] * (gene.high - gene.low)
                same = gene.value_of(best) == gene.value_of(genome[i])
                apart[i] = 0.0 if same else _OTHER_NAME
        return apart
