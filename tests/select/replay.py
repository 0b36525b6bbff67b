"""A whole search on a toy fitness, printed as one hash: run by test_search in a fresh process."""

import sys

from stages.hashing import content_hash
from stages.params.load import SelectParams
from stages.select.space.space import Genome, Space
from stages.select.strategies.nevergrad_strategy import Search
from tests.select.specs import space_of


def fitness_of(space: Space, genome: Genome) -> float | None:
    """Return a rounded, and so often tied, toy fitness; None where the toy candidate fails."""
    unit = space.to_unit(genome)
    return None if unit[0] > 0.97 else -round(sum((u - 0.7) ** 2 for u in unit), 1)


def run(optimizer: str, generations: int = 5) -> list[list[Genome]]:
    """Return the genomes of each generation of a toy search."""
    space = space_of("task_arithmetic", "ties", parents=3)
    params = SelectParams(optimizer=optimizer, population=6, generations=generations, seed=3)
    search = Search(space, params, {"start": space.from_unit([0.25] * len(space.genes))})
    asked = []
    for _ in range(generations):
        asked.append(search.ask())
        search.tell([fitness_of(space, genome) for genome in asked[-1]])
    return asked


if __name__ == "__main__":
    sys.stdout.write(content_hash({name: run(name) for name in sys.argv[1:]}) + "\n")
