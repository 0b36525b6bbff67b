"""A whole search on a toy fitness, printed as one hash: run by a test in a fresh process."""

import sys

from stages.hashing import content_hash
from stages.select.space.space import Genome, Space
from tests.select.specs import space_of
from tests.select.steps import params_of, search_of, step


def fitness_of(space: Space, genome: Genome) -> float | None:
    """Return a rounded, and so often tied, toy fitness; None where the toy candidate fails."""
    unit = space.to_unit(genome)
    return None if unit[0] > 0.97 else -round(sum((u - 0.7) ** 2 for u in unit), 1)


def run(optimizer: str, generations: int = 5) -> list[list[Genome]]:
    """Return the genomes of each generation of a toy search."""
    space = space_of("task_arithmetic", "ties", parents=3)
    params = params_of(optimizer, population=6, generations=generations, seed=3)
    search = search_of(space, params, {"start": space.from_unit([0.25] * len(space.genes))})
    return [step(search, lambda genome: fitness_of(space, genome)) for _ in range(generations)]


if __name__ == "__main__":
    sys.stdout.write(content_hash({name: run(name) for name in sys.argv[1:]}) + "\n")
