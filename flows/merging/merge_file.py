"""Carries out a MergeKit file: its documents in their order, each once, the last one to OUT."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from flows.merging.merge_job import Job, write
from flows.merging.model_cache import Resolver
from flows.merging.weights_hashes import known_hash
from stages.checkpoint.reader import Checkpoint
from stages.errors import Faults, RecipeError, at
from stages.files import check_room
from stages.merge.mergekit.document import read_file
from stages.merge.mergekit.document_order import ordered
from stages.merge.mergekit.schema import Config
from stages.merge.mergekit.to_recipe import Opened, to_recipe
from stages.merge.outputs.header_only_model import write_skeleton
from stages.merge.outputs.model_files import folder_key
from stages.merge.outputs.preview import Preview, bytes_written
from stages.merge.plan.plan import Plan
from stages.merge.plan.planner import plan
from stages.merge.plugins import load
from stages.recipe.model_reference import ModelReference
from stages.recipe.recipe import Ancestor, Model, NestedRecipe, Recipe

KEY_DIGITS = 16  # of a document's key, in the name of its folder
QUICK_BYTES = 2 << 30  # a preview reads no more of a model's weights: hashing takes 1 s per GB


@dataclass(frozen=True, slots=True)
class _Planned:
    """A document's plan, and what it says that has no effect."""

    plan: Plan
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Stage:
    """A document that was carried out, or stood in for: its recipe and its folder."""

    recipe: Recipe
    folder: Path


def preview_file(job: Job) -> Preview:
    """Return what ``merge_file`` would do, and the id of each recipe; no weight is merged.

    Raises:
        GermlineError: something is not legal or does not fit; every fault is listed.
    """
    resolver = job.resolver(job.label)
    with _planned(job, resolver) as documents:
        plans = [(one.plan, one.notes) for one in documents]
        return Preview.of(plans, threads=job.threads, notes=resolver.notes)


def merge_file(job: Job) -> str:
    """Carry out the file; return the weights hash of the model that is then at ``job.out``.

    All documents are planned before the first is carried out. Those that others use are kept
    under ``job.stages``, by what their folders hold, and not made again.

    Raises:
        GermlineError: something is not legal or does not fit, or there is no room for it.
    """
    resolver = job.resolver(job.label)
    with _planned(job, resolver) as documents:
        size = bytes_written(documents[-1].plan)
        notes = [*resolver.notes, *(line for one in documents for line in one.notes)]
        for line in dict.fromkeys(notes):
            job.say(f"note: {line}")
    with at(job.source.name):
        check_room({job.out: size})
    stages: dict[str, _Stage] = {}
    result = ""
    configs = _documents(job)
    for config in configs:
        child_plan = _plan_of(config, _Models(resolver, stages, hashes=True), job.seed or 0).plan
        is_result = config is configs[-1]
        folder = job.out if is_result else job.stages / folder_key(child_plan)[:KEY_DIGITS]
        if is_result or not folder.is_dir():
            result = write(job, child_plan, folder)
        if config.name is not None:
            stages[config.name] = _Stage(child_plan.recipe, folder)
    return result


def _documents(job: Job) -> tuple[Config, ...]:
    """Return the documents of the file in their order, the result last."""
    configs = ordered(read_file(job.source, load([], job.plugins)))
    return tuple(replace(config, compat=config.compat or job.compat) for config in configs)


class _Models:
    """The models of one file: references to folders, and documents that come before."""

    def __init__(self, resolver: Resolver, stages: Mapping[str, _Stage], *, hashes: bool) -> None:
        self._resolver = resolver
        self._stages = stages
        self._hashes = hashes

    def opened(self, reference: ModelReference, label: str) -> Opened:
        """Return a model's headers, and what stands for it in a recipe."""
        stage = self._stages.get(reference.path) if reference.revision is None else None
        if stage is not None and reference.adapter is None:
            ancestor: Ancestor = NestedRecipe(label, stage.recipe)
            return Opened(Checkpoint(stage.folder), ancestor)
        known = reference if stage is None else replace(reference, path=str(stage.folder))
        checkpoint = Checkpoint(self._resolver.folder(known))
        weights = self._resolver.hash(checkpoint) if self._hashes else self._quick_hash(checkpoint)
        return Opened(checkpoint, Model(label, weights, self._resolver.public_place(known)))

    def _quick_hash(self, checkpoint: Checkpoint) -> str:
        """Return a model's weights hash, or nothing where finding it would take long."""
        size = sum(info.num_bytes for info in checkpoint.tensors.values())
        if size <= QUICK_BYTES:
            return self._resolver.hash(checkpoint)
        return known_hash(checkpoint.folder) or ""


@contextmanager
def _planned(job: Job, resolver: Resolver) -> Iterator[list[_Planned]]:
    """Give the plans of all documents; one that others use is stood in for by its headers.

    Where hashing a model would take long, and nobody did it yet, ids are not known.

    Raises:
        GermlineError: the faults of all documents, one a line.
    """
    faults = Faults()
    documents: list[_Planned] = []
    with TemporaryDirectory(prefix="germline-plan-") as scratch:
        stages: dict[str, _Stage] = {}
        failed: set[str] = set()
        for number, config in enumerate(_documents(job)):
            failed.add(config.name or "")
            if any(reference.path in failed for reference in config.references):
                continue  # what it uses is at fault; whether it fits cannot be told
            with faults.at(""):
                models = _Models(resolver, stages, hashes=False)
                planned = _plan_of(config, models, job.seed or 0)
                documents.append(planned)
                failed.discard(config.name or "")
                if config.name is not None:
                    folder = Path(scratch) / str(number)
                    write_skeleton(planned.plan, folder)
                    stages[config.name] = _Stage(planned.plan.recipe, folder)
        faults.raise_as(RecipeError)
        yield documents


def _plan_of(config: Config, models: _Models, seed: int) -> _Planned:
    """Return the plan of one document."""
    opened, faults = {}, Faults()
    for reference, label in _labels(config.references).items():
        with faults.at(""):
            opened[reference] = models.opened(reference, label)
    faults.raise_as(RecipeError)
    translation = to_recipe(config, opened, seed=seed)
    child_plan = plan(translation.recipe, translation.models, label=config.where)
    return _Planned(child_plan, translation.notes)


def _labels(references: Sequence[ModelReference]) -> dict[ModelReference, str]:
    """Return a name for each model that says nothing of this machine: hub ids, last folders."""
    labels: dict[ModelReference, str] = {}
    for reference in references:
        is_folder = Path(reference.path).expanduser().is_dir()
        path = Path(reference.path).resolve().name if is_folder else reference.path
        adapter = reference.adapter
        if adapter is not None and Path(adapter).expanduser().is_dir():
            adapter = Path(adapter).name
        label = str(replace(reference, path=path, adapter=adapter))
        taken = [other for other in labels.values() if other.split("#")[0] == label]
        labels[reference] = f"{label}#{len(taken) + 1}" if taken else label
    return labels
