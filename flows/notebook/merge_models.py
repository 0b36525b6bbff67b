"""``germline.merge``: one merge from Python, by the path of ``germline merge``."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import NoneType
from typing import Any

from flows.merging.disk_faults import fault_of_disk
from flows.merging.merge_input import merge as merge_job
from flows.merging.merge_job import Job
from stages.errors import (
    MAYBE_INT,
    MAYBE_PATH,
    PATH,
    CheckpointError,
    Faults,
    GermlineError,
    RecipeError,
    check_types,
)
from stages.licences import CARD
from stages.merge.outputs.model_card import recipe_in
from stages.merge.outputs.model_folder import num_cores
from stages.params.section import MAX_PROCESSES, MAX_SEED
from stages.recipe.html_table import html_table
from stages.recipe.recipe import Recipe

MAX_SHARD_GB = 1e6
Source = Recipe | Mapping[str, Any] | str | Path


@dataclass(frozen=True, slots=True)
class MergeResult:
    """A model that was merged: its folder, its recipe with the id of that, its weights hash.

    ``notes`` are what the command line prints besides: settings without effect, and licences.
    """

    folder: Path
    id: str
    weights_hash: str
    recipe: Recipe
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"MergeResult({str(self.folder)!r}, id {self.id[:16]}, {self.weights_hash[:16]})"

    def _repr_html_(self) -> str:
        rows = [("folder", self.folder), ("id", self.id), ("weights hash", self.weights_hash)]
        rows += [("method", self.recipe.method), *(("note", note) for note in self.notes)]
        return html_table("merged model", ("", ""), rows)


def merge(  # noqa: PLR0913  # the options of the command
    recipe: Source,
    out: str | Path,
    *,
    models: Mapping[str, str | Path] | None = None,
    seed: int | None = None,
    compat: str | None = None,
    stages: str | Path | None = None,
    shard_gb: float = 5.0,
    threads: int | None = None,
    plugins: Sequence[str | Path] = (),
    offline: bool = False,
) -> MergeResult:
    """Merge models as ``recipe`` says, into the new folder ``out``; nothing is printed.

    Args:
        recipe: a ``Recipe``; the data of a recipe or of a MergeKit document; the path to a recipe,
            to a MergeKit file or to a child's folder; or the text of a MergeKit file or a recipe.
        out: the new folder; it appears whole or not at all.
        models: folders or hub ids of a recipe's models, by their names.
        seed: of random methods in a MergeKit file.
        compat: ``"mergekit"`` rounds, and places gradients, as MergeKit does.
        stages: the folder for the models of a MergeKit file's named documents.
        shard_gb: the most that a weight file holds, in GB.
        threads: as many as cores where None.
        plugins: Python files with merge methods of your own.
        offline: do not ask the hub; take what it sent before.

    Raises:
        GermlineError: something is not legal or does not fit, there is no room, or a file cannot
            be read or written.
    """
    _check_types(
        out=(out, PATH, "the path of a new folder"),
        models=(models, (Mapping, NoneType), "a mapping of names to paths"),
        seed=(seed, MAYBE_INT, "a whole number, or None"),
        compat=(compat, (str, NoneType), "None or 'mergekit'"),
        stages=(stages, MAYBE_PATH, "a path, or None"),
        shard_gb=(shard_gb, (int, float), "a number of GB, such as 5"),
        threads=(threads, MAYBE_INT, "a whole number, or None"),
        plugins=(plugins, (list, tuple), "a list of paths"),
        offline=(offline, (bool,), "True or False"),
    )
    out, notes = Path(out), list[str]()
    _check(seed=seed, compat=compat, shard_gb=shard_gb, threads=threads)
    with _source(recipe) as source:
        job = Job(
            source=source,
            out=out,
            stages=Path(stages or f"{out}-stages"),
            seed=seed,
            shard_bytes=int(shard_gb * 1e9),
            threads=threads or num_cores(),
            offline=offline,
            compat=compat is not None,
            plugins=tuple(Path(path) for path in plugins),
            models=tuple((name, str(path)) for name, path in (models or {}).items()),
            say=notes.append,
            has_bar=False,
        )
        weights_hash, data = _carried_out(job)
    written = Recipe.from_dict(data)
    said = tuple(note.removeprefix("note: ") for note in notes)
    return MergeResult(out, written.id, weights_hash, written, said)


def _check_types(**given: tuple[Any, tuple[type, ...], str]) -> None:
    """Check the types of arguments, and of the paths in them.

    Raises:
        RecipeError: some are of another type; every fault is listed.
    """
    models, plugins = given["models"][0], given["plugins"][0]
    paths = {f"models[{n!r}]": p for n, p in models.items()} if isinstance(models, Mapping) else {}
    if isinstance(plugins, list | tuple):
        paths |= {f"plugins[{number}]": path for number, path in enumerate(plugins)}
    check_types(RecipeError, {**given, **{n: (p, PATH, "a path") for n, p in paths.items()}})


def _carried_out(job: Job) -> tuple[str, Any]:
    """Return the weights hash of the child, and the data of the recipe in its card."""
    try:
        weights_hash = merge_job(job)
        return weights_hash, recipe_in((job.out / CARD).read_text(encoding="utf-8"))
    except GermlineError:
        raise
    except OSError as error:
        raise CheckpointError(fault_of_disk(error, job.out)) from error


def _check(*, seed: int | None, compat: str | None, shard_gb: float, threads: int | None) -> None:
    """Check what the command line's own types check there.

    Raises:
        RecipeError: an argument is not legal; every fault is listed.
    """
    faults = Faults()
    if seed is not None and not 0 <= seed <= MAX_SEED:
        faults.add(f"seed: got {seed}. Give a whole number from 0 to {MAX_SEED}.")
    if compat not in (None, "mergekit"):
        faults.add(f"compat: got {compat!r}. Legal: None, 'mergekit'.")
    if not 1e-9 <= shard_gb <= MAX_SHARD_GB:
        faults.add(f"shard_gb: got {shard_gb}. Give GB, such as 5.")
    if threads is not None and not 1 <= threads <= MAX_PROCESSES:
        faults.add(f"threads: got {threads}. Give a whole number from 1 to {MAX_PROCESSES}.")
    faults.raise_as(RecipeError)


@contextmanager
def _source(recipe: object) -> Iterator[Path]:
    """Give the path of the recipe; what is not in a file is written to one for the time being.

    The name of that file is what messages call the recipe.

    Raises:
        RecipeError: it is not of a kind that can be merged.
    """
    if isinstance(recipe, Path) or (isinstance(recipe, str) and not _is_text(recipe)):
        yield Path(recipe)
        return
    with TemporaryDirectory(prefix="germline-merge-") as folder:
        name = type(recipe).__name__.lower() if isinstance(recipe, Recipe) else "given text"
        path = Path(folder) / ("given data" if isinstance(recipe, Mapping) else name)
        path.write_text(_text(recipe), encoding="utf-8")
        yield path


def _is_text(given: str) -> bool:
    """Tell a document from a path: a document has several lines, or braces around it."""
    return "\n" in given or given.lstrip().startswith("{")


def _text(recipe: object) -> str:
    if isinstance(recipe, str):
        return recipe
    data = recipe.to_dict() if isinstance(recipe, Recipe) else recipe
    if not isinstance(data, Mapping):
        raise RecipeError(
            f"recipe: got a {type(recipe).__name__}. Give a Recipe, the data or the text of a "
            "recipe or of a MergeKit file, or the path to one or to a child's folder."
        )
    try:
        return json.dumps(data, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise RecipeError(
            f"given data: not plain data ({error}). Give numbers, texts, lists and mappings."
        ) from error
