"""What both flows share: parents, store, scorer, and the Prefect tasks that use them."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from prefect import Flow, State, Task, task
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner

from flows.execution.candidates.candidate_faults import MAY_PASS
from flows.execution.candidates.parent_models import ParentModels
from flows.execution.evaluation_cache import EvaluationCache
from flows.execution.executor import CandidateJob, WorkerSettings
from flows.execution.local_pool import LocalPool
from flows.execution.unsaved import store_unsaved
from flows.pipeline.download import fetch
from flows.pipeline.preflight import check
from flows.pipeline.scoring_checks import check_union
from flows.pipeline.search.outcome_stream import ComputedOutcomes, OutcomeStream
from flows.prefect_runtime.console import say
from flows.prefect_runtime.server import Server
from stages.download.content_check import ContentCheck, check_content
from stages.download.manifest import PARENTS, Parents
from stages.errors import CheckpointError, LineageError
from stages.evaluate.score_environment import machine, packages
from stages.evaluate.tasks.suite import Suite
from stages.evaluate.tasks.task_hash import folder_key
from stages.hashing import content_hash
from stages.lineage.evaluation import Evaluation, Items
from stages.lineage.outcome import Outcome
from stages.merge import plugins
from stages.merge.outputs.model_card import card
from stages.merge.outputs.model_folder import write_model
from stages.params.load import Params
from stages.recipe.recipe import Recipe
from stages.scratch_folder import scratch_folder
from stages.store.candidate_store import CandidateStore
from stages.store.dvc_project import tracked_rows

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class SearchSession:
    """What decides the course of a search and the final choice.

    ``outcomes`` opens a stream of outcomes: a run computes them, an audit reads what a run has
    recorded.
    """

    params: Params
    parents: Parents
    suite: Suite
    outcomes: Callable[[], OutcomeStream]


@dataclass(frozen=True, slots=True)
class Session(SearchSession):
    """What one run works with: ``models`` are the parents, opened, ``content`` their bytes.

    ``reference`` is a Prefect task over ``cache``: it takes plain arguments.
    """

    models: ParentModels
    store: CandidateStore
    content: ContentCheck
    cache: EvaluationCache
    reference: Task[[str, str], Evaluation]


@contextmanager
def open_session(params: Params, hydrate_from: Path) -> Iterator[Session]:
    """Open a session: parents at hand, the store filled from what the last run tracked."""
    plugins.load(params.merge.plugins)
    parents = download(params)
    content = verified(parents)
    models = ParentModels(parents)
    params = params.model_copy(update={"merge": models.pinned(params.merge)})
    store = CandidateStore()
    store.hydrate(tracked_rows(hydrate_from))
    store_unsaved(store)
    suite = Suite.load(params.evaluate)
    frame = models.frame(params.merge)
    check_union(frame, params, suite)
    settings = WorkerSettings(params.evaluate, params.merge, parents.out, suite.by_task())
    pool = LocalPool(settings, params.evaluate.workers)
    cache = EvaluationCache(
        params.evaluate,
        store,
        suite,
        pool,
        frame=folder_key(frame),
        environment={"machine": machine(params.evaluate.device), "packages": packages()},
        check_sources=content.check_unchanged,
    )
    try:
        evaluate = _retried("evaluate", cache.outcome, params.evaluate.retries)
        yield Session(
            params,
            parents,
            suite,
            partial(ComputedOutcomes, cache, evaluate),
            models,
            store,
            content,
            cache,
            _retried("reference", cache.reference, params.evaluate.retries),
        )
    except BaseException:
        pool.stop()
        raise
    else:
        pool.close()
    finally:
        models.close()


def conduct(flow: Flow[[Params], None], params: Params) -> None:
    """Check ``params``, then run ``flow`` with a thread for each worker process it waits for."""
    threaded = copy(flow)  # not with_options, which makes a schema of the parameters: 50 ms
    runner: Any = ThreadPoolTaskRunner(max_workers=params.evaluate.workers)
    threaded.task_runner = runner
    with Server() as server:  # it takes seconds to start: the check runs meanwhile
        say("checking params.yaml while Prefect's server starts")
        check(params)
        with server.ready():
            threaded(params)


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


def verified(parents: Parents) -> ContentCheck:
    """Check the bytes of the parents, and say how long it took.

    Raises:
        CheckpointError: a file is not what was downloaded.
    """
    content = check_content(parents)
    say(f"parents: {content}")
    return content


def _retried(name: str, work: Callable[P, R], retries: int) -> Task[P, R]:
    """Return ``work`` as a task that Prefect tries again, where that may help."""

    def may_pass(_: object, __: object, state: State[Any]) -> bool:
        return isinstance(state.data, MAY_PASS)

    return Task(
        work,
        name=name,
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=retries,
        retry_condition_fn=may_pass,
    )


@task(name="merge", cache_policy=NO_CACHE, persist_result=False)
def merge(session: Session, recipe: Recipe, out: Path, weights_hash: str) -> None:
    """Put the child of ``recipe`` at ``out``, by way of the store; return its weights hash.

    ``weights_hash`` is that of the weights which were scored.

    Raises:
        LineageError: the recipe gives other weights now.
    """
    planned = session.models.plan(recipe)
    shard_bytes = int(session.params.merge.shard_gb * 1e9)
    # What decides the folder's bytes besides the recipe: a card may be worded otherwise by now.
    form = content_hash([card(planned, weights_hash), shard_bytes])
    record = session.store.find(recipe.id)
    is_sound = record is not None and session.store.verify(record)
    if record is None or not is_sound or record.meta.get("form") != form:
        with scratch_folder() as scratch:
            folder = scratch / "model"
            digest = write_model(planned, folder, shard_bytes=shard_bytes)
            session.content.check_unchanged()
            if digest != weights_hash:
                raise LineageError(
                    f"recipe {recipe.id[:16]}: gave the weights {digest[:16]} now, and "
                    f"{weights_hash[:16]} when it was scored. Nothing is written. Decompositions "
                    "differ between kinds of machine: go on where it was scored. Else damaged "
                    "memory, files or libraries are the cause."
                )
            record = session.store.put_folder(recipe.id, folder, weights_hash=digest, form=form)
            session.store.checkout(record, out)  # now: `dvc gc` may take it at any time
            return
    session.store.checkout(record, out)


def evaluate_all(
    session: SearchSession,
    recipes: Mapping[str, Recipe],
    split: str,
    each: Callable[[Outcome, int], None] = lambda _, __: None,
    items: Items | None = None,
) -> dict[str, Outcome]:
    """Return the outcome of every named recipe, one evaluation for recipes that share an id.

    With ``items``, only these items of the split are evaluated. That is an entry of its own in the
    store: the outcome on the whole split is not cut down, so what is in the store decides no bit.

    ``each`` is called as outcomes come in, in no fixed order, with the number of
    recipes that share it.

    Raises:
        GermlineError: something else than a candidate is at fault, so the run cannot go on.
    """
    limit_s = session.params.evaluate.timeout_s
    labels: dict[str, str] = {}
    jobs: dict[str, CandidateJob] = {}
    for name, recipe in recipes.items():
        if recipe.id not in labels:
            labels[recipe.id] = f"{name} {split}"
            jobs[labels[recipe.id]] = CandidateJob(recipe, split, items, limit_s)
    sharing = Counter(recipe.id for recipe in recipes.values())
    stream = session.outcomes()
    outcomes: dict[str, Outcome] = {}
    # Paths that begin alike are scored one after the other: what their first layers give is kept.
    for label, job in sorted(jobs.items(), key=lambda item: item[1].recipe.hop_order):
        stream.submit(label, job)
    while len(outcomes) < len(jobs):
        label, outcome = stream.next()
        outcomes[label] = outcome
        each(outcome, sharing[jobs[label].recipe.id])
    return {name: outcomes[labels[recipe.id]] for name, recipe in recipes.items()}


def write_records(session: Session, folder: Path) -> None:
    """Write what the store needs to find this run's outcomes again: index and documents.

    As DVC tracks ``folder``, `dvc push` and `dvc pull` carry every evaluation to other machines.
    """
    records = session.cache.records()
    items = folder / "items"
    items.mkdir(parents=True)
    for record in records:
        session.cache.check_out(record, items / f"{record.key}.json")
    write_json_lines(folder / "store.jsonl", session.store.export(records))


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
