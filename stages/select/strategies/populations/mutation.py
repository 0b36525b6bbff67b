"""Small changes of a genome, each gene by its kind."""

import numpy as np

from stages.select.space.genes import Gene
from stages.select.space.space import Genome, Space


def mutated(
    random: np.random.Generator, space: Space, genome: Genome, sigma: float, rate: float
) -> Genome:
    """Return ``genome`` with each gene changed at ``rate``.

    A number moves by a normal step of ``sigma`` of its range and stops at its bounds, which are so
    reached exactly: a weight of 0 leaves a parent out. A whole number moves by one at least. A
    name becomes any other one.
    """
    changes = random.random(len(genome)) < rate
    return space.round(
        [
            _changed(random, gene, number, sigma) if change else number
            for gene, number, change in zip(space.genes, genome, changes, strict=True)
        ]
    )


def _changed(random: np.random.Generator, gene: Gene, number: float, sigma: float) -> float:
    step = float(random.normal(0.0, sigma))
    if not gene.is_binned:
        return min(max(number + step * (gene.high - gene.low), gene.low), gene.high)
    current = min(int(number - gene.low), gene.num_bins - 1)
    if gene.is_category:
        other = int(random.integers(gene.num_bins - 1))
        return gene.low + other + (other >= current) + 0.5
    moved = current + round(step * gene.num_bins)
    if moved == current:
        moved += 1 if step > 0 else -1
    return gene.low + min(max(moved, 0), gene.num_bins - 1) + 0.5
