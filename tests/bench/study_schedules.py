"""Steady searches against generations: how long workers wait, and what it costs in quality.

``make study-schedules`` prints the tables that docs/search.md holds. Time is that of a calendar of
who works when, without a clock: candidates take times drawn from a log-normal distribution, and a
worker that is free takes the next that may be asked. Quality is that of the toy landscapes of
``study_strategies``, steady less generations on the same landscapes and seeds.
"""

import heapq
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from math import sqrt
from statistics import fmean, stdev

import click

from stages.params.select_params import SelectParams
from stages.seeds import generator
from stages.select.strategies.ask_schedule import num_to_ask
from tests.bench.study_strategies import BUDGETS, POPULATION, SPACES, test_scores

ARMS = (
    *("CMA", "DiagonalCMA", "TBPSA", "DE", "OnePlusOne"),
    *("genetic", "nsga2", "m2n2", "cycle_qd", "map_elites", "cat_cma", "islands"),
)
WINDOWS = (POPULATION // 2, POPULATION)
SPREADS = {"all alike": 0.0, "a third more or less": 0.3, "twice or half": 0.7, "long tails": 1.2}


def makespan(params: SelectParams, times: Sequence[float], num_workers: int) -> float:
    """Return when the last candidate is done, if they take these times, in ask order."""
    free = [0.0] * num_workers  # when each worker is free
    ends: list[float] = []
    known = [0.0]  # when so many results have been told, in ask order
    for number, time in enumerate(times):
        while len(known) <= len(ends) and num_to_ask(params, len(known) - 1) <= number:
            known.append(max(known[-1], ends[len(known) - 1]))
        start = max(heapq.heappop(free), known[-1])
        ends.append(start + time)
        heapq.heappush(free, ends[-1])
    return max(ends)


def waiting_table(num_seeds: int) -> Iterator[str]:
    """Yield how long a steady search of 144 candidates takes, as a share of generations."""
    workers = (2, 4, 6, 12)
    generations = BUDGETS[1] // POPULATION
    asked_whole = SelectParams(population=POPULATION, generations=generations)
    yield "| times | window | " + " | ".join(f"{count} workers" for count in workers) + " |"
    yield "| --- |" + " --- |" * (len(workers) + 1)
    for label, sigma in SPREADS.items():
        for window in WINDOWS:
            steady = asked_whole.model_copy(update={"schedule": "steady", "window": window})
            cells = []
            for count in workers:
                shares = []
                for seed in range(num_seeds):
                    drawn = generator("times", seed).lognormal(0.0, sigma, BUDGETS[1]).tolist()
                    whole = makespan(asked_whole, drawn, count)
                    shares.append(makespan(steady, drawn, count) / whole)
                cells.append(f"{fmean(shares):.2f}")
            yield f"| {label} | {window} | " + " | ".join(cells) + " |"


def quality_table(
    space_name: str, seeds: Sequence[int], pool: ProcessPoolExecutor
) -> Iterator[str]:
    """Yield what steady searches score more than generations, by strategy, window and budget."""
    settings = [{}, *({"schedule": "steady", "window": window} for window in WINDOWS)]
    jobs = {
        arm: [
            [pool.submit(test_scores, arm, space_name, seed, **own) for seed in seeds]
            for own in settings
        ]
        for arm in ARMS
    }
    columns = [f"{b} candidates, window {w}" for w in WINDOWS for b in BUDGETS]
    yield f"| {space_name} | " + " | ".join(columns) + " |"
    yield "| --- |" + " --- |" * len(columns)
    for arm, runs in jobs.items():
        whole, *steady = ([run.result() for run in several] for several in runs)
        cells = []
        for scores in steady:
            for budget in range(len(BUDGETS)):
                gains = [a[budget] - b[budget] for a, b in zip(scores, whole, strict=True)]
                cells.append(f"{fmean(gains):+.3f} ± {stdev(gains) / sqrt(len(gains)):.3f}")
        yield f"| `{arm}` | " + " | ".join(cells) + " |"


@click.command()
@click.argument("num_seeds", default=10, type=click.IntRange(2))
@click.option("--processes", default=2, type=click.IntRange(1))
def main(num_seeds: int, processes: int) -> None:
    """Print times, then test scores: steady less generations, ± the standard error."""
    for line in waiting_table(num_seeds):
        click.echo(line)
    with ProcessPoolExecutor(processes) as pool:
        for space_name in SPACES:
            click.echo()
            for line in quality_table(space_name, range(num_seeds), pool):
                click.echo(line)


if __name__ == "__main__":
    main()
