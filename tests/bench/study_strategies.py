"""Strategies against each other at equal budgets on toy landscapes; the floor is blind draws.

``make study-strategies`` prints the tables that docs/search.md holds. Every strategy gets the same
landscapes and population, and no warm starts. At each budget the champion is chosen as a run
chooses it: the five best on the search items and the centre meet the validation items, and the
best of those is scored on the test items, which steered nothing.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import click

from stages.lineage.evaluation import Evaluation
from stages.select.space.space import Genome, Space
from stages.select.strategies.ask_schedule import is_steady
from stages.select.strategies.strategy import Result
from tests.bench.strategy_scores import champion_of, table
from tests.select.landscape import Landscape
from tests.select.specs import space_of
from tests.select.steps import params_of, search_of

POPULATION = 12
BUDGETS = (48, 144, 288)
TASKS = {"t0": 1.0, "t1": 1.0, "t2": 1.0}
ARMS = {
    **{name: {} for name in ("Sobol", "random", "LHSSearch")},
    **{name: {} for name in ("CMA", "DiagonalCMA", "TBPSA", "DE", "TwoPointsDE", "NoisyDE")},
    **{name: {} for name in ("RealSpacePSO", "OnePlusOne")},
    **{name: {} for name in ("genetic", "nsga2", "cycle_qd", "m2n2", "cat_cma")},
    "map_elites": {"archive": {"axes": {task: [0, 1] for task in TASKS}, "cells": 5}},
    "islands": {"islands": {"optimizers": ["CMA", "genetic"], "exchange_every": 3}},
}


def numbers() -> Space:
    """Return a space of 32 numbers: weight and density of four parents in blocks and outside."""
    return space_of("ties", parents=4, layer_groups=3)


def names() -> Space:
    """Return a space of 13 names: which of four models each layer and the rest are copied from."""
    return space_of("passthrough", parents=4, layers=12, layer_groups=12)


SPACES = {"numbers": numbers, "names": names}


def asked(
    arm: str, space: Space, landscape: Landscape, seed: int, **schedule: Any
) -> Iterator[Genome | None]:
    """Yield the genomes of a search in ask order; after each generation its centre, or None."""
    settings = {"population": POPULATION, "generations": BUDGETS[-1] // POPULATION, "seed": seed}
    params = params_of(arm, **{**ARMS[arm], **settings, **schedule})
    strategy = search_of(space, params)
    num_at_once = 1 if is_steady(params) else POPULATION
    out = strategy.ask()
    for num_told in range(num_at_once, BUDGETS[-1] + 1, num_at_once):
        results = []
        for proposal in out[:num_at_once]:
            yield proposal.genome
            evaluation = landscape.evaluation(proposal.genome)
            is_one = params.objectives == "weighted"
            values = (evaluation.fitness(TASKS),) if is_one else evaluation.objectives()
            results.append(Result(proposal.name, values, evaluation))
        strategy.tell(results)
        out = out[num_at_once:] + (strategy.ask() if num_told < BUDGETS[-1] else [])
        if num_told % POPULATION == 0:
            centre = strategy.centre()
            yield None if centre is None else centre.genome


def test_scores(arm: str, space_name: str, seed: int, **schedule: Any) -> list[float]:
    """Return what the champion scores on the test items after each of ``BUDGETS``."""
    space = SPACES[space_name]()
    search = Landscape(space, seed)
    validation = Landscape(space, seed, num_items=60, split="validation")
    test = Landscape(space, seed, num_items=1000, split="test")

    def fitness(landscape: Landscape, genome: Genome) -> float:
        evaluation: Evaluation = landscape.evaluation(genome)
        return evaluation.fitness(TASKS)

    known: dict[Genome, float] = {}
    scores, count = [], 0
    for step, genome in enumerate(asked(arm, space, search, seed, **schedule), start=1):
        if step % (POPULATION + 1):
            known.setdefault(genome or (), fitness(search, genome or ()))
            count += 1
        elif count in BUDGETS:
            champion = champion_of(known.items(), genome, lambda g: fitness(validation, g))
            scores.append(fitness(test, champion))
    return scores


def table_of(space_name: str, seeds: Sequence[int], pool: ProcessPoolExecutor) -> Iterator[str]:
    """Return the lines of a space's table."""
    jobs = {
        arm: [pool.submit(test_scores, arm, space_name, seed) for seed in seeds] for arm in ARMS
    }
    scores = {arm: [run.result() for run in runs] for arm, runs in jobs.items()}
    return table(space_name, BUDGETS, scores, has_errors=False)


@click.command()
@click.argument("num_seeds", default=16, type=click.IntRange(2))
@click.option("--processes", default=2, type=click.IntRange(1))
def main(num_seeds: int, processes: int) -> None:
    """Print test scores, and in brackets the lead over random ± its standard error."""
    with ProcessPoolExecutor(processes) as pool:
        for space_name in SPACES:
            click.echo()
            for line in table_of(space_name, range(num_seeds), pool):
                click.echo(line)


if __name__ == "__main__":
    main()
