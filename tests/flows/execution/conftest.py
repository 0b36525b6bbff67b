"""A project with a store, a suite of one task, and an executor that computes in this process."""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flows.execution.evaluation_cache import EvaluationCache
from flows.execution.executor import Executor, Job, WorkerSettings
from stages.download import stage
from stages.download.manifest import Parents
from stages.evaluate.tasks.suite import Suite
from stages.lineage.evaluation import Evaluation, ItemScore, TaskScore
from stages.lineage.outcome import Outcome
from stages.merge.parents_fit import unfit
from stages.params.download_params import DownloadParams
from stages.params.evaluate_params import EvaluateParams
from stages.params.merge_params import MergeParams
from stages.recipe.recipe import Model, Recipe, Rule
from stages.store.candidate_store import CandidateStore

ROOT = Path(__file__).parents[3]
TASK = "spanish_arithmetic"
HERE = {"machine": {"torch": "1"}}


class HereExecutor:
    """Computes each job where it is submitted, by a function that may raise."""

    def __init__(self, compute: Callable[[Job], Outcome]) -> None:
        self.compute = compute
        self.jobs: list[Job] = []

    def submit(self, job: Job) -> "Future[Outcome]":
        """Return a future that is done."""
        self.jobs.append(job)
        future: Future[Outcome] = Future()
        try:
            future.set_result(self.compute(job))
        except Exception as error:  # noqa: BLE001  as an executor does
            future.set_exception(error)
        return future

    def close(self) -> None:
        """Nothing is left to end."""

    def stop(self) -> None:
        """Nothing is left to end."""


def scored(job: Job) -> Outcome:
    """Return an outcome with one item."""
    task = TaskScore(TASK, "exact_match", 0.5, 0.1, 1, higher_is_better=True)
    item = ItemScore(TASK, "ab", 0.5)
    return Outcome("f" * 64, Evaluation(job.split, (task,), (item,)))


def evaluate_params(**changes: object) -> EvaluateParams:
    """Return params of one small task, with ``changes``."""
    given = {
        "include_path": "data/tasks",
        "splits": {"search": 4, "validation": 4, "test": 4},
        "tasks": [{"task": TASK}],
    }
    return EvaluateParams.model_validate({**given, **changes})


def a_recipe(weight: float = 0.5) -> Recipe:
    """Return a recipe on two parents."""
    parents = (Model("math", "1" * 64), Model("order", "2" * 64))
    rules = (Rule({"weight": (weight, 0.5)}),)
    return Recipe.of_models("linear", parents, rules, Model("base", "0" * 64))


@pytest.fixture(scope="session")
def suite() -> Suite:
    """The suite of ``evaluate_params``: what a key depends on."""
    return Suite.load(evaluate_params())


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CandidateStore:
    """The store of a new project, which is the working directory."""
    project = tmp_path / "project"
    project.mkdir()
    subprocess.run(["git", "init", "--quiet", project], check=True)
    (project / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc/config", project / ".dvc")
    monkeypatch.chdir(project)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    return CandidateStore()


@pytest.fixture
def make_cache(suite: Suite, store: CandidateStore) -> Callable[..., EvaluationCache]:
    """Return a maker of caches over one store: of an executor and changes to the params."""

    def make(
        executor: Executor, environment: Mapping[str, Any] = HERE, **changes: object
    ) -> EvaluationCache:
        params = evaluate_params(**changes)
        return EvaluationCache(
            params, store, suite, executor, frame="f" * 64, environment=environment
        )

    return make


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WorkerSettings:
    """Settings of workers over two parents of the zoo, in a working directory of their own."""
    here = tmp_path / "here"
    for name in ("tasks", "zoo"):
        shutil.copytree(ROOT / "data" / name, here / "data" / name)
    monkeypatch.chdir(here)
    download = DownloadParams(base="zoo:base", parents={"math": "zoo:math", "order": "zoo:order"})
    out = Path("data/parents")
    stage.run(download, out, misfits=partial(unfit, tokenizer="base"), tokenizer="base")
    return WorkerSettings(evaluate_params(), MergeParams(), out)


def recipe_on(settings: WorkerSettings, weight: float = 0.5) -> Recipe:
    """Return a recipe on the downloaded parents."""
    parents = Parents.read(settings.parents)
    rule = Rule({"weight": (weight, 0.5), "normalize": 0.0})
    return Recipe.of_models("linear", parents.models, (rule,), parents.base, dtype="float32")
