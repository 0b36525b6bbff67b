"""What a worker process does: merge a recipe straight into a resident model and score it.

A worker keeps the mapped parents, one model, the task objects and the tokenised requests between
candidates. It is a process of its own so that a hung or crashed evaluation can be ended. With
another ``evaluate.backend`` each child is written to a folder, which that backend loads.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch

from flows.execution.candidate_folder import FolderSink, Sink
from flows.execution.gpu_slots import own_device
from stages.checkpoint.reader import Checkpoint
from stages.download.manifest import Parents
from stages.errors import GermlineError, ParamsError, ServiceError
from stages.evaluate import reference_model
from stages.evaluate.backends.lm_eval_model import NativeLM
from stages.evaluate.evaluator import Evaluator
from stages.evaluate.resident_evaluator import ResidentEvaluator
from stages.evaluate.tasks.suite import Suite
from stages.evaluate.tasks.task_hash import folder_key
from stages.hashing import content_hash
from stages.lineage.evaluation import SPLITS, Evaluation, Items
from stages.merge import plugins
from stages.merge.outputs.model_folder import ResidentSink, write_model
from stages.merge.plan.plan import Plan
from stages.merge.plan.planner import plan
from stages.merge.tokenizers.recipe_tokenizer import pinned as tokenizer_of
from stages.params.load import Params
from stages.recipe.recipe import Recipe, Rule

FRAMES = Path(".scratch/frames")
_WEIGHTS: dict[str, Checkpoint] = {}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one candidate on one split; ``error`` is None where it was scored."""

    weights_hash: str | None
    evaluation: Evaluation | None
    error: str | None = None


def pinned(params: Params, parents: Parents) -> Params:
    """Return ``params`` with merge.tokenizer as recipes on these parents spell it."""
    recipe = _frame_recipe(params, parents)
    pin = tokenizer_of(recipe, [_opened(model.folder) for model in parents]).pin
    rule = params.merge.tokenizer.partition("@")[0]
    merge = params.merge.model_copy(update={"tokenizer": f"{rule}@{pin}" if pin else rule})
    return params.model_copy(update={"merge": merge})


def frame_folder(params: Params, parents: Parents) -> Path:
    """Return a folder with the config, tokenizer and shapes that every candidate has.

    That is the model whose tokenizer they take. Where its rows or tokens are not all theirs, it
    is a child written for the purpose, under the hash of all that it is made of.
    """
    made = plan_of(_frame_recipe(params, parents), parents)
    vocabulary = made.vocabulary
    if vocabulary is None or not vocabulary.changes_model:
        rule = params.merge.tokenizer.partition("@")[0]
        name = "base" if rule == "union" else rule
        return next(model.folder for model in parents if model.name == name)
    out = FRAMES / content_hash([made.id, *(folder_key(model.folder) for model in parents)])[:16]
    if not out.is_dir():
        write_model(made, out, shard_bytes=int(params.merge.shard_gb * 1e9))
    return out


def _frame_recipe(params: Params, parents: Parents) -> Recipe:
    """Return a recipe on all parents; its weights do not matter."""
    merge, models = params.merge, parents.models
    return Recipe.of_models(
        "passthrough",
        models,
        (Rule({}),),
        parents.base,
        dtype=merge.dtype,
        tokenizer=merge.tokenizer,
    )


def plan_of(recipe: Recipe, parents: Parents) -> Plan:
    """Return the plan of ``recipe`` on the downloaded parents, from their headers alone."""
    by_hash = {model.hash: model.folder for model in parents}
    named = {(model.name, model.hash): model.folder for model in parents}
    folders = (named.get((a.name, a.id), by_hash[a.id]) for a in recipe.ancestors)
    return plan(recipe, [_opened(folder) for folder in folders])


def _opened(folder: Path) -> Checkpoint:
    return _WEIGHTS.setdefault(str(folder), Checkpoint(folder))


class Bench:
    """One backend and everything that scoring a recipe with it needs."""

    _current: "Bench | None" = None
    _fault: str | None = None

    def __init__(self, params: Params, parents_folder: Path, by_task: Mapping[str, str]) -> None:
        plugins.load(params.merge.plugins)
        self.suite = Suite.load(params.evaluate)
        self.suite.check_same(by_task)
        self.params = params
        self.parents = Parents.read(parents_folder)
        device = own_device(params.evaluate.device, torch.cuda.device_count())
        own = params.evaluate.model_copy(update={"device": device})
        self.evaluator: Evaluator
        self.sink: Sink
        if own.backend is not None:
            engine = NativeLM(own.backend, own, "evaluate.backend")
            self.evaluator = Evaluator(engine, own, self.suite)
            self.sink = FolderSink(engine, shard_bytes=int(params.merge.shard_gb * 1e9))
            return
        resident = ResidentEvaluator(frame_folder(params, self.parents), own, self.suite)
        for split in SPLITS:
            resident.prepare(split)  # here, so that no evaluation's time-out pays for it
        self.evaluator = resident
        self.sink = ResidentSink(resident.model)

    def score(self, recipe: Recipe, split: str, items: Items | None = None) -> Outcome:
        """Return the outcome of ``recipe``; a fault of the candidate is an outcome too.

        Raises:
            ServiceError: a judge did not answer; the candidate may be tried again.
            ParamsError: a judge refuses what these params have it asked.
        """
        weights_hash = None
        try:
            weights_hash = self.sink.load(plan_of(recipe, self.parents))
            evaluation = self.evaluator.evaluate(split, items)
        except (ServiceError, ParamsError):
            raise
        except GermlineError as error:
            return Outcome(weights_hash, None, str(error))
        return Outcome(weights_hash, evaluation)

    @classmethod
    def open(cls, params: Params, parents_folder: Path, by_task: Mapping[str, str]) -> None:
        """Make this process's bench: the first thing a worker does.

        ``by_task`` are the hashes of the tasks as the run's own process loaded them.

        What goes wrong here is told by ``current``: a worker that cannot begin would be replaced
        by another that cannot, for ever.
        """
        try:
            cls._current = cls(params, parents_folder, by_task)
        except GermlineError as error:
            cls._fault = str(error)

    @classmethod
    def current(cls) -> Self:
        """Return this process's bench.

        Raises:
            ParamsError: none can be made from these params: the run's fault, not a candidate's.
        """
        if cls._fault is not None:
            raise ParamsError(cls._fault)
        if not isinstance(cls._current, cls):
            raise TypeError("this process has no bench: Bench.open was not called in it")
        return cls._current


def score(recipe: Recipe, split: str, items: Items | None = None) -> Outcome:
    """Score ``recipe`` on this process's bench; the function that the pool calls."""
    return Bench.current().score(recipe, split, items)


def score_reference(name: str, split: str) -> Evaluation:
    """Return what a reference of this process's params scores; the pool calls it, too."""
    bench = Bench.current()
    return reference_model.evaluate(name, bench.params.evaluate, bench.suite, split)
