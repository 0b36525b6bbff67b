"""Racing against full evaluation on the zoo: held-out score by items answered, over many seeds.

``make study-racing`` prints the table that docs/racing.md holds. Every arm searches the space of
params.yaml with the same optimiser and seeds; the champion is chosen on the validation split, as
the pipeline chooses it, and scored on the test split.
"""

import json
import multiprocessing
import statistics
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from flows.preflight import specs
from stages.checkpoint import Checkpoint
from stages.download import stage as download_stage
from stages.download.manifest import Parents
from stages.evaluate.resident import ResidentEvaluator
from stages.evaluate.suite import Suite
from stages.merge.from_recipe import plan
from stages.merge.layout import layout_of
from stages.merge.sinks import ResidentSink
from stages.params import Params, RacingParams, load_params
from stages.recipe import Recipe
from stages.scores import Evaluation, Items
from stages.select.baselines import warm_starts
from stages.select.racing import Race, blocks, course
from stages.select.search import Search
from stages.select.space import Genome, Space

FIFTH = 5


@dataclass(frozen=True)
class Arm:
    """A way to spend items: ``racing``, or all on a fixed number of items for every candidate."""

    name: str
    generations: int
    racing: RacingParams = field(default_factory=RacingParams)
    num_items: int | None = None  # of each task; None: all


def arms(generations: int) -> list[Arm]:
    """Return full evaluation, what a fifth of its items buys otherwise, and races."""
    return [
        Arm("full evaluation", generations),
        Arm("full evaluation, a fifth of the generations", max(1, generations // FIFTH)),
        Arm("20 items, drawn by the seed", generations, num_items=20),
        Arm("10 items, drawn by the seed", generations, num_items=10),
        Arm("racing 10, 20, 40", generations, RacingParams(rungs=[10, 20, 40])),
        Arm("racing 8, 16, 32", generations, RacingParams(rungs=[8, 16, 32])),
        Arm("racing 5, 10, 20", generations, RacingParams(rungs=[5, 10, 20])),
    ]


class Bench:
    """One resident model that scores recipes of the zoo, and counts the items they answer."""

    def __init__(self, params: Params) -> None:
        torch.set_num_threads(1)
        self.parents = Parents.read(download_stage.PARENTS)
        self.base = Checkpoint(self.parents.base_folder)
        self.models = [Checkpoint(parent.folder) for parent in list(self.parents)[1:]]
        self.suite = Suite.load(params.evaluate)
        self.evaluator = ResidentEvaluator(self.parents.base_folder, params.evaluate, self.suite)
        self.sink = ResidentSink(self.evaluator.model)
        self.answered = 0

    def score(self, recipe: Recipe, split: str, items: Items | None = None) -> Evaluation:
        """Return what ``recipe`` scores."""
        self.sink.load(plan(recipe, self.base, self.models))
        found = self.evaluator.evaluate(split, items)
        self.answered += len(found.items) if split == "search" else 0
        return found


class Run:
    """One search by one arm with one seed."""

    def __init__(self, bench: Bench, params: Params, arm: Arm, seed: int) -> None:
        changed = {"seed": seed, "generations": arm.generations, "racing": arm.racing}
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
        self.search = Search(self.space, self.params.select, starts)
        self.elite: tuple[float, Evaluation] | None = None
        items = bench.suite.items("search")
        self.whole = len(course(items, arm.racing, seed) if arm.racing.rungs else items)
        self.seen: list[tuple[int, float, Recipe]] = []  # items answered, fitness, recipe

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
        for _ in range(self.arm.generations):
            recipes = {str(i): self.recipe(g) for i, g in enumerate(self.search.ask())}
            found, told = self._generation(recipes)
            self.search.tell([told[name] for name in recipes])
            for name, evaluation in found.items():
                fitness = evaluation.fitness(weights)
                self.seen.append((len(evaluation.items), fitness, recipes[name]))
                if len(evaluation.items) == self.whole and (
                    self.elite is None or fitness > self.elite[0]
                ):
                    self.elite = (fitness, evaluation)
        answered = self.bench.answered - before
        test = self.bench.score(self._champion(), "test").fitness(weights)
        return {"arm": self.arm.name, "seed": self.seed, "answered": answered, "test": test}

    def _generation(
        self, recipes: Mapping[str, Recipe]
    ) -> tuple[dict[str, Evaluation], dict[str, float | None]]:
        items, weights = self.bench.suite.items("search"), self.bench.suite.weights
        if not self.arm.racing.rungs:
            chosen = None
            if self.arm.num_items is not None:
                drawn = blocks(items, self.seed)[: self.arm.num_items]
                chosen = tuple(pair for block in drawn for pair in block)
            found = {n: self.bench.score(r, "search", chosen) for n, r in recipes.items()}
            return found, {name: e.fitness(weights) for name, e in found.items()}
        race = Race(
            list(recipes),
            items,
            self.arm.racing,
            weights,
            seed=self.seed,
            elite=self.elite[1] if self.elite else None,
        )
        while (heat := race.next()) is not None:
            race.take({n: self.bench.score(recipes[n], "search", heat.items) for n in heat.names})
        return race.evaluations, race.told()

    def _champion(self) -> Recipe:
        """Return the best on validation of the shortlist and the search's mean."""
        most = max(count for count, _, _ in self.seen)
        ends = sorted((s for s in self.seen if s[0] == most), key=lambda s: -s[1])
        listed = list({recipe.id: recipe for _, _, recipe in ends}.values())
        listed = listed[: self.params.select.shortlist]
        mean = self.search.mean()
        listed += [self.recipe(mean)] if mean is not None else []
        weights = self.bench.suite.weights
        return max(listed, key=lambda r: self.bench.score(r, "validation").fitness(weights))


def work(seed: int) -> list[dict[str, Any]]:
    """Return every arm's result with one seed."""
    params = load_params()
    bench = Bench(params)
    return [Run(bench, params, arm, seed).result() for arm in arms(params.select.generations)]


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
    for name, found in by_arm.items():
        tests = [r["test"] for r in found.values()]
        gaps = [r["test"] - full[seed]["test"] for seed, r in found.items()]
        answered = statistics.fmean(r["answered"] for r in found.values())
        root = len(gaps) ** 0.5
        lines.append(
            f"| {name} | {answered:.0f} | {answered / whole:.2f} "
            f"| {statistics.fmean(tests):.3f} ± {statistics.stdev(tests) / root:.3f} "
            f"| {statistics.fmean(gaps):+.3f} ± {statistics.stdev(gaps) / root:.3f} "
            f"| {min(tests):.3f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    seeds = range(1, 1 + int(sys.argv[1]))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = [result for results in pool.imap(work, seeds) for result in results]
    Path("reports/runs").mkdir(parents=True, exist_ok=True)
    Path("reports/runs/racing.json").write_text(json.dumps(found, indent=1) + "\n")
    print(table(found))  # noqa: T201  the table is what the program is for
