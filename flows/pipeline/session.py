"""What both flows share: parents, store, scorer, and the Prefect tasks that use them."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from prefect import Flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture, as_completed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.execution.evaluation_cache import Scorer
from flows.execution.worker import Outcome, pinned, plan_of
from flows.pipeline.download import fetch
from flows.pipeline.preflight import check
from flows.prefect_runtime.server import Server
from stages.download.manifest import Parents
from stages.download.stage import PARENTS
from stages.errors import CheckpointError, ParamsError
from stages.evaluate.tasks.suite import Suite
from stages.lineage.evaluation import Evaluation, Items
from stages.merge.methods import plugins
from stages.merge.outputs.model_folder import write_model
from stages.params.load import Params
from stages.recipe.recipe import Recipe
from stages.store.candidate_store import CandidateStore

LINEAGE = Path("data/lineage")
SCRATCH = Path(".scratch")


@dataclass(frozen=True, slots=True)
class Laboratory:
    """The parents, the store and the scorer of one run."""

    params: Params
    parents: Parents
    store: CandidateStore
    scorer: Scorer


@contextmanager
def laboratory(params: Params, hydrate_from: Path) -> Iterator[Laboratory]:
    """Open a laboratory: parents at hand, the store filled from what the last run tracked."""
    plugins.load(params.merge.plugins)
    parents = download(params)
    params = pinned(params, parents)
    store = CandidateStore()
    store.hydrate(store.tracked(hydrate_from))
    scorer = Scorer(params, parents, store, Suite.load(params.evaluate))
    try:
        yield Laboratory(params, parents, store, scorer)
    except BaseException:
        scorer.stop()
        raise
    scorer.close()


def conduct(flow: Flow[[Params], None], params: Params) -> None:
    """Check ``params``, then run ``flow`` with a thread for each worker process it waits for."""
    runner: Any = ThreadPoolTaskRunner(max_workers=params.evaluate.workers)
    with Server() as server:  # it takes seconds to start: the check runs meanwhile
        check(params)
        with server.ready():
            flow.with_options(task_runner=runner)(params)


@task(name="download", cache_policy=NO_CACHE, persist_result=False)
def download(params: Params) -> Parents:
    """Return the parents; fetch them first where they are missing or not as params say."""
    asked = {"base": params.download.base, **params.download.parents}
    with suppress(CheckpointError):
        parents = Parents.read(PARENTS)
        if list(parents.sources.items()) == list(asked.items()):
            return parents
    fetch(params)
    return Parents.read(PARENTS)


@task(name="evaluate", cache_policy=NO_CACHE, persist_result=False)
def evaluate(scorer: Scorer, recipe: Recipe, split: str, items: Items | None = None) -> Outcome:
    """Return the outcome of one recipe; a hung or crashed evaluation is tried again by Prefect."""
    return scorer.outcome(recipe, split, items)


@task(name="reference", cache_policy=NO_CACHE, persist_result=False)
def reference(scorer: Scorer, name: str, split: str) -> Evaluation:
    """Return what one reference scores; a server that did not answer is asked again by Prefect."""
    return scorer.reference(name, split)


@task(name="merge", cache_policy=NO_CACHE, persist_result=False)
def merge(lab: Laboratory, recipe: Recipe, out: Path) -> str:
    """Put the child of ``recipe`` at ``out``, by way of the store; return its weights hash."""
    record = lab.store.find(recipe.id)
    if record is None:
        SCRATCH.mkdir(exist_ok=True)
        folder = Path(mkdtemp(dir=SCRATCH)) / "model"
        shard_bytes = int(lab.params.merge.shard_gb * 1e9)
        digest = write_model(plan_of(recipe, lab.parents), folder, shard_bytes=shard_bytes)
        record = lab.store.put_folder(recipe.id, folder, weights_hash=digest)
        shutil.rmtree(folder.parent)
    lab.store.checkout(record, out)
    return str(record.meta["weights_hash"])


def evaluate_all(
    lab: Laboratory,
    recipes: Mapping[str, Recipe],
    split: str,
    each: Callable[[Outcome, int], None] = lambda _, __: None,
    items: Items | None = None,
) -> dict[str, Outcome]:
    """Return the outcome of every named recipe, one evaluation for recipes that share an id.

    With ``items``, only these items of the split are evaluated.

    ``each`` is called as outcomes come in, in no fixed order, with the number of
    recipes that share it.

    Raises:
        ParamsError: no candidate can be scored under these params.
    """
    named = evaluate.with_options(retries=lab.params.evaluate.retries)
    futures: dict[str, PrefectFuture[Outcome]] = {}
    for name, recipe in recipes.items():
        if recipe.id not in futures:
            run = named.with_options(task_run_name=f"{name} {split}")
            futures[recipe.id] = run.submit(lab.scorer, recipe, split, items)
    by_id = {recipe.id: recipe for recipe in recipes.values()}
    outcomes = {}
    sharing = Counter(recipe.id for recipe in recipes.values())
    ids = {future.task_run_id: recipe_id for recipe_id, future in futures.items()}
    for future in as_completed(list(futures.values())):
        recipe_id = ids[future.task_run_id]
        result = future.result(raise_on_failure=False)
        if isinstance(result, ParamsError):
            raise result
        if isinstance(result, BaseException):
            result = lab.scorer.failure(by_id[recipe_id], split, result, items)
        outcomes[recipe_id] = result
        each(result, sharing[recipe_id])
    return {name: outcomes[recipe.id] for name, recipe in recipes.items()}


def write_records(lab: Laboratory, folder: Path) -> None:
    """Write what the store needs to find this run's outcomes again: index and documents.

    As DVC tracks ``folder``, `dvc push` and `dvc pull` carry every evaluation to other machines.
    """
    records = lab.scorer.records()
    items = folder / "items"
    items.mkdir(parents=True)
    for record in records:
        lab.store.checkout(record, items / f"{record.key}.json")
    write_json_lines(folder / "store.jsonl", lab.store.export(records))


def write_json_lines(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write one sorted JSON object a line."""
    text = "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def fresh(folder: Path) -> Path:
    """Return ``folder``, emptied of what an earlier run left there."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder
