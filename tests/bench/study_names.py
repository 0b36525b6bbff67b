"""Does the order of a list of names decide what a search finds? A toy fitness over many seeds.

``python -m tests.bench.study_names 40 0.3`` prints a table: one of five methods, or of five
whole numbers, is better by the lead given, wherever the six weights are.
"""

import math
import statistics
from dataclasses import dataclass

import click

from stages.params.select_params import SelectParams
from stages.select.space.space import Genome, Space
from stages.select.strategies.registry import strategy_of
from tests.select.specs import STEPS, WEIGHT, space_of, spec_of
from tests.select.steps import centre_of, step

OPTIMIZERS = ("CMA", "DiagonalCMA", "DE", "TBPSA", "RealSpacePSO", "OnePlusOne", "random")
NUM_VALUES, NUM_WEIGHTS, GENERATIONS, POPULATION = 5, 6, 12, 12


@dataclass(frozen=True)
class Arm:
    """What is searched, and which of its five values is the best one."""

    kind: str  # names or whole numbers
    best: int

    def space(self) -> Space:
        """Return six weights and one gene of five values."""
        if self.kind == "names":
            specs = {f"m{i}": spec_of(f"m{i}", WEIGHT) for i in range(NUM_VALUES)}
            return space_of(*specs, specs=specs, parents=NUM_WEIGHTS, weight=(0.0, 1.0))
        specs = {"m": spec_of("m", WEIGHT, STEPS)}
        steps = {"steps": [0, NUM_VALUES - 1]}
        return space_of("m", specs=specs, parents=NUM_WEIGHTS, weight=(0.0, 1.0), parameters=steps)

    def has_best(self, space: Space, genome: Genome) -> bool:
        """Return whether ``genome`` has the best value."""
        numbers = [n for g, n in zip(space.genes, genome, strict=True) if g.is_binned]
        return self.best == min(int(numbers[0]), NUM_VALUES - 1)

    def fitness(self, space: Space, genome: Genome, lead: float) -> float:
        """Return ``lead`` for the best value, less the squared distance from fixed weights."""
        weights = [n for g, n in zip(space.genes, genome, strict=True) if not g.is_binned]
        optimum = [0.3 + 0.4 * i / (NUM_WEIGHTS - 1) for i in range(NUM_WEIGHTS)]
        squares = [(w - o) ** 2 for w, o in zip(weights, optimum, strict=True)]
        return lead * self.has_best(space, genome) - math.fsum(squares)


def run(arm: Arm, optimizer: str, seed: int, lead: float) -> tuple[bool, bool, float]:
    """Return whether one search tried the best value and ended with it, and its best fitness."""
    space = arm.space()
    params = SelectParams(
        optimizer=optimizer, population=POPULATION, generations=GENERATIONS, seed=seed
    )
    search = strategy_of(space, params, {})
    genomes = []
    for _ in range(GENERATIONS):
        genomes += step(search, lambda genome: arm.fitness(space, genome, lead))
    best = max(genomes, key=lambda genome: arm.fitness(space, genome, lead))
    last = centre_of(search) or best
    is_tried = any(arm.has_best(space, genome) for genome in genomes)
    return is_tried, arm.has_best(space, last), arm.fitness(space, best, lead)


def line(optimizer: str, arm: Arm, num_seeds: int, lead: float) -> str:
    """Return one row of the table."""
    tried, settled, fitness = zip(
        *(run(arm, optimizer, seed, lead) for seed in range(num_seeds)), strict=True
    )
    return (
        f"| {optimizer} | {arm.kind} | {arm.best + 1} | {1 - statistics.fmean(tried):.2f} "
        f"| {statistics.fmean(settled):.2f} | {statistics.fmean(fitness):.3f} |"
    )


@click.command()
@click.argument("seeds", type=int)
@click.argument("lead", type=float)
def main(seeds: int, lead: float) -> None:
    """Print a table of SEEDS searches for each row, the best value better by LEAD."""
    print("| optimizer | gene | best is | never tried | settled on | best fitness |")  # noqa: T201
    print("| --- | --- | --- | --- | --- | --- |")  # noqa: T201
    for name in OPTIMIZERS:
        for kind in ("names", "whole numbers"):
            for best in (0, 2):
                print(line(name, Arm(kind, best), seeds, lead), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
