"""Racing against full evaluation on the zoo: held-out score by items answered, over many seeds.

``make study-racing`` prints the table that docs/racing.md holds. Every arm searches the space of
params.yaml with the same optimiser and seeds; the champion is chosen on the validation split, as
the pipeline chooses it, from the arm's shortlist and the search's mean, and scored on the test
split. A shortlist of 0 leaves the mean.
"""

import json
import multiprocessing
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import torch

from flows.pipeline.search.search_checks import specs
from stages.checkpoint.reader import Checkpoint
from stages.download.manifest import PARENTS, Parents
from stages.evaluate.resident_evaluator import ResidentEvaluator
from stages.evaluate.tasks.suite import Suite
from stages.lineage.evaluation import Evaluation, Items
from stages.lineage.outcome import Outcome
from stages.lineage.rows import Row
from stages.merge.architecture.layout import layout_of
from stages.merge.outputs.model_folder import ResidentSink
from stages.merge.plan.planner import plan
from stages.params.load import Params, load_params
from stages.params.select_params import RacingParams
from stages.recipe.candidate import Candidate
from stages.recipe.recipe import Recipe
from stages.select.final.shortlist import shortlist
from stages.select.final.warm_starts import warm_starts
from stages.select.racing.race import Race
from stages.select.space.space import Genome, Space
from stages.select.strategies.registry import strategy_of
from stages.select.strategies.strategy import Result

FIFTH = 5
SHORTLIST = 12


@dataclass(frozen=True)
class Arm:
    """A way to spend items: by ``racing``, or all of them on every candidate."""

    name: str
    generations: int
    population: int
    racing: RacingParams = field(default_factory=RacingParams)
    shortlist: int = SHORTLIST


def arms(generations: int, population: int) -> list[Arm]:
    """Return full evaluation, what a fifth of its items buys otherwise, and races."""
    fewer, twice = max(1, generations // FIFTH), 2 * population
    return [
        Arm("full evaluation", generations, population),
        Arm("full evaluation, a fifth of the generations", fewer, population),
        Arm("races, shortlist 12", 2 * generations, population, RacingParams(rungs=[5, 10, 20])),
        Arm("races of twice as many", generations, twice, RacingParams(rungs=[5, 10, 20]), 0),
    ]


class Bench:
    """One resident model that scores recipes of the zoo, and counts the items they answer."""

    def __init__(self, params: Params) -> None:
        torch.set_num_threads(1)
        self.parents = Parents.read(PARENTS)
        self.base = Checkpoint(self.parents.base_folder)
        self.models = [Checkpoint(parent.folder) for parent in list(self.parents)[1:]]
        self.suite = Suite.load(params.evaluate)
        self.evaluator = ResidentEvaluator(self.parents.base_folder, params.evaluate, self.suite)
        self.sink = ResidentSink(self.evaluator.model)
        self.answered = 0

    def score(self, recipe: Recipe, split: str, items: Items | None = None) -> Evaluation:
        """Return what ``recipe`` scores."""
        self.sink.load(plan(recipe, [self.base, *self.models]))
        evaluation = self.evaluator.evaluate(split, items)
        self.answered += len(evaluation.items) if split == "search" else 0
        return evaluation


class Run:
    """One search by one arm with one seed."""

    def __init__(self, bench: Bench, params: Params, arm: Arm, seed: int) -> None:
        changed = {
            "seed": seed,
            "generations": arm.generations,
            "population": arm.population,
            "racing": arm.racing,
            "shortlist": arm.shortlist,
        }
        self.params = params.model_copy(
            update={"select": params.select.model_copy(update=changed)}
        )
        self.bench, self.arm, self.seed = bench, arm, seed
        self.space = Space(
            params.select.space,
            specs=specs(params),
            num_parents=len(bench.models),
            num_layers=layout_of(bench.base).num_layers,
            parent_names=[model.name for model in bench.parents.models],
        )
        starts = warm_starts(params.select.warm_start, self.space)
        self.search = strategy_of(self.space, self.params.select, starts)
        self.rows: list[Row] = []

    def recipe(self, genome: Genome) -> Recipe:
        """Return the recipe of a genome."""
        return self.space.make_recipe(
            genome,
            base=self.bench.parents.base,
            parents=self.bench.parents.models,
            merge=self.params.merge,
        )

    def result(self) -> dict[str, Any]:
        """Run the search; return the items it asked for and its champion's test fitness."""
        weights, before = self.bench.suite.weights, self.bench.answered
        for generation in range(self.arm.generations):
            recipes = {p.name: self.recipe(p.genome) for p in self.search.ask()}
            evaluations, rungs = self._generation(recipes, generation)
            self.search.tell(
                [
                    Result(name, (evaluation.fitness(weights),), evaluation, rungs[name])
                    for name, evaluation in evaluations.items()
                ]
            )
            for name, evaluation in evaluations.items():
                candidate = Candidate(name, (), recipes[name], generation)
                self.rows.append(Row.of(candidate, {}, Outcome(None, evaluation), weights=weights))
        answered = self.bench.answered - before
        test = self.bench.score(self._champion(), "test").fitness(weights)
        return {"arm": self.arm.name, "seed": self.seed, "answered": answered, "test": test}

    def _generation(
        self, recipes: Mapping[str, Recipe], generation: int
    ) -> tuple[dict[str, Evaluation], dict[str, int]]:
        items, weights = self.bench.suite.items("search"), self.bench.suite.weights
        if not self.arm.racing.rungs:
            evaluations = {n: self.bench.score(r, "search") for n, r in recipes.items()}
            return evaluations, dict.fromkeys(evaluations, 0)
        race = Race(
            list(recipes),
            items,
            self.arm.racing,
            weights,
            seed=self.seed,
            generation=generation,
        )
        while (heat := race.next()) is not None:
            race.take({n: self.bench.score(recipes[n], "search", heat.items) for n in heat.names})
        return race.evaluations, race.rungs()

    def _champion(self) -> Recipe:
        """Return the best on validation of the shortlist and the search's mean."""
        listed = [row.recipe for row in shortlist(self.rows, self.params.select)]
        centre = self.search.centre()
        listed += [self.recipe(centre.genome)] if centre is not None else []
        weights = self.bench.suite.weights
        return max(listed, key=lambda r: self.bench.score(r, "validation").fitness(weights))


def work(seed: int) -> list[dict[str, Any]]:
    """Return every arm's result with one seed."""
    params = load_params()
    bench = Bench(params)
    compared = arms(params.select.generations, params.select.population)
    return [Run(bench, params, arm, seed).result() for arm in compared]


def table(results: list[dict[str, Any]]) -> str:
    """Return the table of the docs: mean over seeds, and its standard error."""
    lines = [
        "| arm | items of a search | of full | test fitness | paired with full | worst seed |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    by_arm: dict[str, dict[int, dict[str, Any]]] = {}
    for result in results:
        by_arm.setdefault(result["arm"], {})[result["seed"]] = result
    full = by_arm["full evaluation"]
    whole = statistics.fmean(r["answered"] for r in full.values())
    for name, by_seed in by_arm.items():
        tests = [r["test"] for r in by_seed.values()]
        gaps = [r["test"] - full[seed]["test"] for seed, r in by_seed.items()]
        answered = statistics.fmean(r["answered"] for r in by_seed.values())
        root = len(gaps) ** 0.5
        lines.append(
            f"| {name} | {answered:.0f} | {answered / whole:.2f} "
            f"| {statistics.fmean(tests):.3f} ± {statistics.stdev(tests) / root:.3f} "
            f"| {statistics.fmean(gaps):+.3f} ± {statistics.stdev(gaps) / root:.3f} "
            f"| {min(tests):.3f} |"
        )
    return "\n".join(lines)


@click.command()
@click.argument("first", type=int)
@click.argument("last", type=int)
def main(first: int, last: int) -> None:
    """Search with the seeds FIRST to LAST and print the table of the arms."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        measured_arms = [
            result for results in pool.imap(work, range(first, last + 1)) for result in results
        ]
    Path("reports/runs").mkdir(parents=True, exist_ok=True)
    Path("reports/runs/racing.json").write_text(json.dumps(measured_arms, indent=1) + "\n")
    print(table(measured_arms))  # noqa: T201  the table is what the program is for


if __name__ == "__main__":
    main()
