"""Carries out a MergeKit file: its documents in their order, each once, the last one to OUT."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from flows.pipeline.model_cache import Resolver, remember
from flows.prefect_runtime.console import say
from stages.checkpoint.reader import Checkpoint
from stages.errors import CheckpointError, GermlineError, RecipeError
from stages.merge.mergekit.document import read_file
from stages.merge.mergekit.document_order import ordered
from stages.merge.mergekit.schema import Config, Reference
from stages.merge.mergekit.to_plan import Lowered, Opened, lower
from stages.merge.outputs.header_only_model import write_skeleton
from stages.merge.outputs.model_folder import write_model
from stages.merge.outputs.preview import bytes_written, describe
from stages.merge.plan.plan import Plan
from stages.merge.plugins import load
from stages.recipe.recipe import Model

ID_DIGITS = 16  # of a document's id, in the name of its folder


@dataclass(frozen=True, slots=True)
class Job:
    """What is asked for beside the file: where to, and how."""

    file: Path
    out: Path
    stages: Path
    seed: int
    shard_bytes: int
    threads: int
    offline: bool
    compat: bool
    plugins: tuple[Path, ...] = ()

    def resolver(self) -> Resolver:
        """Return what finds the models of the file."""
        return Resolver(self.file.name, offline=self.offline, threads=self.threads)

    def documents(self) -> tuple[Config, ...]:
        """Return the documents of the file in their order, the result last."""
        found = ordered(read_file(self.file, load([], self.plugins)))
        return tuple(
            replace(document, compat=document.compat or self.compat) for document in found
        )


def preview(job: Job) -> str:
    """Return what ``merge`` would do, from headers alone: no weight is read and none written.

    Raises:
        GermlineError: something is not legal or does not fit; every fault is listed.
    """
    with _planned(job, job.resolver()) as plans:
        texts = [_told(lowered, describe(lowered.plan, threads=job.threads)) for lowered in plans]
    return "\n\n".join(texts)


def merge(job: Job) -> str:
    """Carry out the file; return the weights hash of the model that is then at ``job.out``.

    All documents are planned before the first is carried out. Those that others use are kept
    under ``job.stages``, by their ids, and not made again.

    Raises:
        GermlineError: something is not legal or does not fit, or there is no room for it.
    """
    if job.out.exists() and not (job.out.is_dir() and not any(job.out.iterdir())):
        raise CheckpointError(f"{job.out}: already there. Remove it, or write to another folder.")
    resolver = job.resolver()
    with _planned(job, resolver) as plans:
        sizes = [bytes_written(lowered.plan) for lowered in plans]
        for line in dict.fromkeys(line for lowered in plans for line in lowered.notes):
            say(f"note: {line}")
    _check_room(job.out, sizes[-1])
    documents = job.documents()
    places: dict[str, Path] = {}
    result = ""
    for document, size in zip(documents, sizes, strict=True):
        plan = _lowered(document, _Models(resolver, places), job.seed, hashes=True).plan
        is_result = document is documents[-1]
        folder = job.out if is_result else job.stages / plan.id[:ID_DIGITS]
        if is_result or not folder.is_dir():
            _check_room(folder, size)
            result = _write(job, plan, folder)
        if document.name is not None:
            places[document.name] = folder
    return result


def _write(job: Job, plan: Plan, folder: Path) -> str:
    with _bar(f"{plan.method.spec.name} {folder.name}", bytes_written(plan)) as note:
        found = write_model(
            plan, folder, shard_bytes=job.shard_bytes, threads=job.threads, note=note
        )
    remember(folder, found)
    return found


class _Models:
    """The models of one file: references to folders, and documents that were already made."""

    def __init__(self, resolver: Resolver, places: Mapping[str, Path]) -> None:
        self._places = places
        self.resolver = resolver

    def folder(self, reference: Reference) -> Path:
        place = self._places.get(reference.path) if reference.revision is None else None
        if place is not None and reference.adapter is None:
            return place
        return self.resolver.folder(
            reference if place is None else replace(reference, path=str(place))
        )


@contextmanager
def _planned(job: Job, resolver: Resolver) -> Iterator[list[Lowered]]:
    """Give the plans of all documents; one that others use is stood in for by its headers.

    Raises:
        GermlineError: the faults of all documents, one a line.
    """
    faults: list[str] = []
    plans: list[Lowered] = []
    with TemporaryDirectory(prefix="germline-plan-") as scratch:
        places: dict[str, Path] = {}
        failed: set[str] = set()
        for number, document in enumerate(job.documents()):
            if any(reference.path in failed for reference in document.references):
                failed.add(document.name or "")
                continue  # what it uses is at fault; whether it fits cannot be told
            try:
                lowered = _lowered(document, _Models(resolver, places), job.seed, hashes=False)
            except GermlineError as error:
                faults.append(str(error))
                failed.add(document.name or "")
                continue
            plans.append(lowered)
            if document.name is not None:
                places[document.name] = Path(scratch) / str(number)
                write_skeleton(lowered.plan, places[document.name])
        if faults:
            raise RecipeError("\n".join(faults))
        yield plans


def _lowered(document: Config, models: _Models, seed: int, *, hashes: bool) -> Lowered:
    """Return the plan of one document; without ``hashes`` its id means nothing."""
    opened, faults = {}, []
    labels = _labels(document.references)
    for reference in document.references:
        try:
            checkpoint = Checkpoint(models.folder(reference))
            found = models.resolver.hash(checkpoint) if hashes else ""
            opened[reference] = Opened(checkpoint, Model(labels[reference], found))
        except GermlineError as error:
            faults.append(str(error))
    if faults:
        raise RecipeError("\n".join(faults))
    return lower(document, opened, seed=seed)


def _labels(references: Sequence[Reference]) -> dict[Reference, str]:
    """Return a name for each model that says nothing of this machine: hub ids, last folders."""
    found: dict[Reference, str] = {}
    for reference in references:
        is_folder = Path(reference.path).expanduser().is_dir()
        path = Path(reference.path).resolve().name if is_folder else reference.path
        adapter = reference.adapter
        if adapter is not None and Path(adapter).expanduser().is_dir():
            adapter = Path(adapter).name
        label = str(replace(reference, path=path, adapter=adapter))
        taken = [other for other in found.values() if other.split("#")[0] == label]
        found[reference] = f"{label}#{len(taken) + 1}" if taken else label
    return found


def _check_room(folder: Path, num_bytes: int) -> None:
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if num_bytes > free:
        raise CheckpointError(
            f"{folder}: needs {num_bytes / 1e9:.2f} GB, the disk has {free / 1e9:.2f} GB free. "
            "Free some, or write to another disk."
        )


def _told(lowered: Lowered, text: str) -> str:
    return "\n".join([text, *(f"  note: {line}" for line in lowered.notes)])


@contextmanager
def _bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Give a function that takes note of bytes written, and show them at a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(label, total=total)
        yield lambda num_bytes: progress.advance(task, num_bytes)
