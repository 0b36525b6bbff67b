"""The recipe of a row as a file of its own: JSON, or MergeKit's language where that can say it."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from flows.inspection.project_folder import at_project
from flows.inspection.stored_lineage import StoredLineage
from stages.errors import LineageError
from stages.params.load import PARAMS_PATH, load_params
from stages.recipe.recipe import Recipe

_KINDS = {".json": "recipe", ".yml": "mergekit", ".yaml": "mergekit"}


def export_kind(file: Path | None, given: str | None) -> str:
    """Return what is written to ``file``: as given, else as its name ends, else the recipe.

    Raises:
        LineageError: the name ends as that of another kind than was given.
    """
    ending = "" if file is None else file.suffix.lower()
    by_name = _KINDS.get(ending)
    if given is not None and by_name not in (None, given):
        raise LineageError(
            f"{file}: --format {given} is not what a file that ends in {ending} holds. Give it "
            "another ending, or leave --format out."
        )
    return given or by_name or "recipe"


def recipe_json(recipe: Recipe) -> str:
    """Return the recipe as ``germline merge`` reads it; equal recipes, equal texts."""
    return json.dumps(recipe.to_dict(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def recipe_mergekit(lineage: StoredLineage, recipe: Recipe, name: str) -> str:
    """Return the recipe as a MergeKit file, its models by public names or in the project.

    Paths are relative to the project's folder.

    Raises:
        GermlineError: that language cannot say it, or the models are not here.
    """
    from flows.merging.merge_job import Job
    from flows.merging.merge_recipe import export_recipe

    with TemporaryDirectory(prefix="germline-export-") as scratch, at_project(lineage.folder):
        source = Path(scratch, f"{name}.json")
        source.write_text(recipe_json(recipe), encoding="utf-8")
        plugins = load_params().merge.plugins if PARAMS_PATH.is_file() else []
        job = Job(
            source=source,
            out=Path(scratch, "out"),
            stages=Path(scratch, "stages"),
            seed=None,
            shard_bytes=1,
            threads=1,
            offline=True,
            compat=False,
            plugins=tuple(Path(path) for path in plugins),
        )
        return export_recipe(job)
