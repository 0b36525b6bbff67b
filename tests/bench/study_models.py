"""Strategies against each other on the zoo's models, in each kind of space.

``make study-models`` prints the tables that docs/search.md holds. Every arm gets the same space,
items and number of candidates, and no warm starts and no scan. At each budget the champion is
chosen as a run chooses it: the best on the search items and the centre meet the validation items,
and the best of those is scored on the test items, which steered nothing. What was evaluated is
kept in the project that the study makes, so that it goes on where it was ended.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import yaml

from flows.execution.candidates.parent_models import ParentModels
from flows.execution.evaluation_cache import EvaluationCache
from flows.execution.executor import CandidateJob, WorkerSettings
from flows.execution.local_pool import LocalPool
from flows.pipeline.search.search_checks import space_on
from flows.workspace.new_workspace import NewWorkspace, make_workspace
from stages.checkpoint.reader import Checkpoint
from stages.download.manifest import PARENTS, Parents
from stages.evaluate.score_environment import machine, packages
from stages.evaluate.tasks.suite import Suite
from stages.evaluate.tasks.task_hash import folder_key
from stages.lineage.evaluation import Evaluation
from stages.params.load import load_params
from stages.recipe.recipe import Recipe
from stages.select.space.space import Genome
from stages.store.candidate_store import CandidateStore
from tests.bench.compared_searches import (
    POPULATION,
    ComparedSearch,
    EvolveSearch,
    MergeneticSearch,
    OwnSearch,
)
from tests.bench.strategy_scores import champion_of, table

ROOT = Path(__file__).parents[2]
WORKERS = 2
WEIGHTS_ALONE = ("mergekit-evolve", "Mergenetic")  # they know no paths


@dataclass(frozen=True)
class Case:
    """A search of the repository as a study takes it: ``space`` replaces that of ``params``."""

    params: str
    budgets: tuple[int, ...]
    space: Mapping[str, Any] | None = None


CASES = {
    "parameters": Case("tests/flows/six_layers.yaml", (24, 48)),
    "layers": Case(
        "tests/flows/six_layers.yaml",
        (24, 48, 96),
        {"methods": [], "layers": {"encoding": "pick"}},
    ),
    "both": Case("params.yaml", (24, 48)),
}
SETTINGS: dict[str, dict[str, Any]] = {
    **{name: {} for name in ("random", "Sobol", "CMA", "DiagonalCMA", "TBPSA", "DE")},
    **{name: {} for name in ("OnePlusOne", "cat_cma", "genetic", "cycle_qd", "m2n2")},
    "nsga2": {"objectives": "separate"},
    "islands": {"islands": {"optimizers": ["CMA", "genetic"], "exchange_every": 3}},
}
ARMS = (*SETTINGS, *WEIGHTS_ALONE)


def made_project(case: Case, folder: Path) -> None:
    """Make a project of ``case`` at ``folder``, its parents downloaded; nothing where it is."""
    if (folder / PARENTS).exists():
        return
    make_workspace(NewWorkspace(folder, zoo=True), click.echo)
    for name in ("data/zoo", "data/tasks"):
        shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True)
    params = yaml.safe_load((ROOT / case.params).read_text(encoding="utf-8"))
    kept: dict[str, Any] = {
        "space": case.space or params["select"]["space"],
        "population": POPULATION,
        "warm_start": [],
    }
    params["select"] = {**kept, "generations": max(case.budgets) // POPULATION}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "germline", "download"], cwd=folder, check=True)


class StudyProject:
    """The project in the working directory: scores genomes, from its store or now."""

    def __init__(self, budgets: Sequence[int]) -> None:
        self.params = load_params()
        self.budgets = budgets
        evaluate, merge = self.params.evaluate, self.params.merge
        self._parents = Parents.read(PARENTS)
        models = ParentModels(self._parents)
        self._merge = models.pinned(merge)
        self.space = space_on(self.params, Checkpoint(self._parents.base_folder))
        suite = Suite.load(evaluate)
        self.weights = dict(suite.weights)
        settings = WorkerSettings(evaluate, self._merge, self._parents.out, suite.by_task())
        self.pool = LocalPool(settings, WORKERS)
        self._cache = EvaluationCache(
            evaluate,
            CandidateStore(),
            suite,
            self.pool,
            frame=folder_key(models.frame(self._merge)),
            environment={"machine": machine(evaluate.device), "packages": packages()},
        )

    def recipe(self, genome: Genome) -> Recipe:
        """Return the recipe of a genome."""
        base, parents = self._parents.base, self._parents.models
        return self.space.make_recipe(genome, base=base, parents=parents, merge=self._merge)

    def evaluation(self, recipe: Recipe, split: str) -> Evaluation | None:
        """Return what ``recipe`` scores; None where it fails."""
        return self._cache.outcome(CandidateJob(recipe, split)).evaluation

    def fitness(self, recipe: Recipe, split: str) -> float:
        """Return the weighted mean of a recipe's scores; 0 where it fails."""
        evaluation = self.evaluation(recipe, split)
        return evaluation.fitness(self.weights) if evaluation else 0.0

    def search(self, arm: str, seed: int) -> ComparedSearch:
        """Return the search called ``arm`` in the project's space."""
        if arm == "mergekit-evolve":
            highest = self.params.select.space.weight[1]
            num_parents = len(self._parents.models)
            return EvolveSearch(self.space, self.weights, seed, num_parents, highest)
        if arm == "Mergenetic":
            return MergeneticSearch(self.space, self.weights, seed, ROOT)
        settings = {"optimizer": arm, **SETTINGS[arm]}
        select = type(self.params.select).model_validate(
            {**self.params.select.model_dump(exclude_unset=True), **settings}
        )
        return OwnSearch(self.space, select, self.weights, seed)

    def test_scores(self, arm: str, seed: int) -> list[float]:
        """Return what the champion scores on the test items at each budget."""
        search = self.search(arm, seed)
        known: dict[str, tuple[Recipe, float]] = {}  # in ask order
        scores: list[float] = []
        num_asked = 0
        while len(scores) < len(self.budgets):
            recipes = [self.recipe(genome) for genome in search.ask()]
            evaluations = [self.evaluation(recipe, "search") for recipe in recipes]
            search.tell(evaluations)
            for recipe, evaluation in zip(recipes, evaluations, strict=True):
                fitness = evaluation.fitness(self.weights) if evaluation else 0.0
                known.setdefault(recipe.id, (recipe, fitness))
                num_asked += 1
                if num_asked == self.budgets[len(scores)]:
                    scores.append(self._champion_score(known, search.centre()))
                    if len(scores) == len(self.budgets):
                        break
        if isinstance(search, MergeneticSearch):
            search.close()
        return scores

    def _champion_score(
        self, known: Mapping[str, tuple[Recipe, float]], centre: Genome | None
    ) -> float:
        champion = champion_of(
            known.values(),
            None if centre is None else self.recipe(centre),
            lambda recipe: self.fitness(recipe, "validation"),
        )
        return self.fitness(champion, "test")


@click.command()
@click.argument("name", type=click.Choice(list(CASES)))
@click.argument("num_seeds", default=10, type=click.IntRange(2))
@click.option("--folder", default=".scratch/study-models", type=click.Path(path_type=Path))
@click.option("--arms", default="", help="Some of the arms, with commas; all by default.")
def main(name: str, num_seeds: int, folder: Path, arms: str) -> None:
    """Print test scores ± standard error over seeds, and the lead over random on equal seeds."""
    case = CASES[name]
    project = folder.absolute() / name
    made_project(case, project)
    os.chdir(project)
    bench = StudyProject(case.budgets)
    listed = arms.split(",") if arms else list(ARMS)
    if bench.params.select.space.layers is not None:
        listed = [arm for arm in listed if arm not in WEIGHTS_ALONE]
    with ThreadPoolExecutor(WORKERS + 1) as threads:
        runs = {
            (seed, arm): threads.submit(bench.test_scores, arm, seed)
            for seed in range(num_seeds)
            for arm in listed
        }
        for (seed, arm), run in runs.items():
            click.echo(json.dumps({"arm": arm, "seed": seed, "test": run.result()}), err=True)
    scores = {arm: [runs[seed, arm].result() for seed in range(num_seeds)] for arm in listed}
    for line in table(name, case.budgets, scores):
        click.echo(line)
    bench.pool.close()


if __name__ == "__main__":
    main()
